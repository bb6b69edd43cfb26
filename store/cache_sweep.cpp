#include "store/cache_sweep.h"

#include <algorithm>

#include "core/error.h"
#include "store/hash.h"

namespace tokend::store {

void CacheSweep::add(Broadcast& broadcast) {
  for (const RevocationFloor& floor : broadcast.raised_floors) {
    Locator& below = floor.issuer.empty() ? everyone_ : issuers_;
    below = std::max(below, floor.below);
    if (!floor.issuer.empty()) tags_.set(tag_of(floor.issuer));
  }
  waiting_.push_back({&broadcast, swept_ + cache_.sets()});
}

void CacheSweep::go_on() noexcept {
  CHECK(!idle());
  const std::size_t count = std::min(kSetsPerTurn, cache_.sets() - position_);
  cache_.sweep(position_, count, [&](const TokenCache::Entry& entry) noexcept {
    return entry.locator < everyone_ ||
           (entry.kind == TokenKind::issued && entry.locator < issuers_ && tags_[entry.issuer_tag]);
  });
  position_ = (position_ + count) % cache_.sets();
  swept_ += count;
  const auto first_left = std::ranges::find_if(
      waiting_, [&](const Waiting& waiting) { return waiting.swept > swept_; });
  for (auto done = waiting_.begin(); done != first_left; ++done) done->broadcast->acknowledge();
  waiting_.erase(waiting_.begin(), first_left);
  if (!idle()) return;
  everyone_ = issuers_ = {};
  tags_.reset();
}

}  // namespace tokend::store
