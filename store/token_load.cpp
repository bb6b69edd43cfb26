#include "store/token_load.h"

#include <algorithm>
#include <utility>

#include "store/hash.h"

namespace tokend::store {

std::size_t TokenLoad::slot_of(const UserId& user) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_of(user) & mask;
  while (slots_[slot] != kNone && floors_[slots_[slot]].user != user) slot = (slot + 1) & mask;
  return slot;
}

void TokenLoad::make_slots(std::size_t count) {
  slots_.assign(count, kNone);
  for (std::size_t number = 0; number < floors_.size(); ++number) {
    slots_[slot_of(floors_[number].user)] = static_cast<std::uint32_t>(number);
  }
}

TokenLoad::Floors& TokenLoad::floors_of(const UserId& user) {
  CHECK(floors_.size() < kNone);
  if ((floors_.size() + 1) * 2 > slots_.size()) {
    make_slots(std::max<std::size_t>(64, slots_.size() * 2));
  }
  std::uint32_t& number = slots_[slot_of(user)];
  if (number == kNone) {
    number = static_cast<std::uint32_t>(floors_.size());
    Floors floors;
    floors.user = user;
    floors_.push_back(std::move(floors));
  }
  return floors_[number];
}

void TokenLoad::note(const User& user) {
  if (user.valid_from.empty() && user.dated_from.empty()) return;
  Floors& floors = floors_of(user.id);
  floors.valid_from = user.valid_from;
  floors.valid_exception = user.valid_exception;
  floors.dated_from = user.dated_from;
  floors.dated_exception = user.dated_exception;
}

void TokenLoad::note_deleted(const UserId& user) { floors_of(user).deleted = true; }

void TokenLoad::note_removed(const Locator& token) {
  if (forgot_removed_ || token < from_ || token >= end_) return;
  if (removed_.size() < kRemovedMax) return removed_.push_back(token);
  forgot_removed_ = true;
}

void TokenLoad::begin(const Locator& from, const Locator& end) {
  from_ = from;
  end_ = end;
  // Room for the users who get floors while the committer serves, so that it need not be made then.
  if (floors_.size() * 4 > slots_.size()) make_slots(2 * slots_.size());
}

bool TokenLoad::begin_page() {
  std::ranges::sort(removed_);
  return !forgot_removed_;
}

TokenLoad::Verdict TokenLoad::judge(const UserId& user, const Locator& token) const {
  if (!removed_.empty() && std::ranges::binary_search(removed_, token)) return Verdict::dead;
  if (floors_.empty()) return Verdict::alive;
  const std::uint32_t number = slots_[slot_of(user)];
  if (number == kNone) return Verdict::alive;
  const Floors& floors = floors_[number];
  if (floors.deleted) return Verdict::orphaned;
  const bool accepted = is_above_floor(floors.valid_from, floors.valid_exception, token) &&
                        is_above_floor(floors.dated_from, floors.dated_exception, token);
  return accepted ? Verdict::alive : Verdict::dead;
}

void TokenLoad::end_page(const Locator& next) noexcept {
  from_ = next;
  removed_.clear();
  forgot_removed_ = false;
}

}  // namespace tokend::store
