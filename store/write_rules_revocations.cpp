// The floors' part of store/write_rules.h: what revokes many tokens by one write
// (store/revocation_floors.h), and what of that is left to remove.

#include <algorithm>
#include <string>
#include <utility>

#include "store/meta.h"
#include "store/write_rules.h"

namespace tokend::store {

using core::Errc;
using core::fail;
using core::Result;

namespace {

// Whoever means now has read it off a clock a while ago.
constexpr std::int64_t kNowLastsMs = 60'000;

}  // namespace

Result<void> WriteRules::load_floors() {
  RevocationFloors floors;
  std::vector<UserId> superseded;
  bool sound = true;
  const auto scanned =
      database_.scan(Family::revocations, {}, [&](std::string_view key, std::string_view value) {
        const auto floor = decode_floor(key, value);
        sound = floor && floors.raise(*floor, superseded);
        return sound;
      });
  if (!scanned) return scanned;
  if (!sound) return fail(Errc::corrupt, "a floor of revoked tokens does not decode");
  floors_ = std::make_shared<const RevocationFloors>(std::move(floors));
  return {};
}

// The floor is cut to the next locator: so it lies at or below whatever is issued from now on, and
// what is issued in front of this operation in the same batch lies below it. While the clock lies
// behind the last issue, because it was set back, what is issued carries that moment: then
// "up to now" is not a moment of locators but all that there are.
WriteRules::Outcome WriteRules::revoke(RevokeTokens& operation, Broadcast& broadcast) {
  if (operation.issuer.empty() && !operation.before_ms) return std::unexpected(Errc::invalid);
  Locator below = locators_.bound();
  if (operation.before_ms) {
    const bool clock_is_behind = now_ms_ < below.issued_ms();
    const bool all = clock_is_behind ? *operation.before_ms >= now_ms_ - kNowLastsMs
                                     : *operation.before_ms > below.issued_ms();
    if (!all) below = Locator::make(std::max<std::int64_t>(*operation.before_ms, 0), 0, 0);
  }
  operation.below = below;
  // No token was issued before the first moment.
  if (below.empty()) return {};
  auto floors = std::make_shared<RevocationFloors>(*floors_);
  std::vector<UserId> superseded;
  const RevocationFloor floor{operation.issuer, below};
  if (!floors->raise(floor, superseded)) return std::unexpected(Errc::full);
  // Where a floor as high is there already this changes nothing, and waits all the same: the answer
  // of the one that raised it may be under way, and this one must not come before it.
  for (const UserId& issuer : superseded) {
    batch_->remove(Family::revocations, floor_key(issuer));
  }
  if (const Locator held = floors->floor_of(operation.issuer); !held.empty()) {
    batch_->put(Family::revocations, floor_key(operation.issuer), encode_floor(held));
  }
  floors_ = std::move(floors);
  if (operation.issuer.empty()) {
    state_.revoked_everybodys = std::max(state_.revoked_everybodys.value_or(Locator{}), below);
  }
  broadcast.floors = floors_;
  broadcast.raised_floors.push_back(floor);
  return {};
}

// What was done in front of a failure stays: it is whole token by token, a record goes with its
// place in a list, and whoever removes does so again.
WriteRules::Outcome WriteRules::remove(RemoveRevoked& operation, Broadcast& broadcast) {
  for (const RevokedToken& token : operation.tokens) {
    if (token.kind == TokenKind::personal) {
      const Outcome removed = remove_personal_token(token.user, token.locator);
      if (!removed) return removed;
    } else {
      issuer_of(token.user).index().remove(token.user, token.locator);
      if (load_) load_->note_removed(token.locator);
    }
    // Every core has dropped it and lets it in no more, so none needs to be told.
    tokens_.remove(token.locator);
  }
  if (!operation.swept) return {};
  auto floors = std::make_shared<RevocationFloors>(*floors_);
  for (const RevocationFloor& floor : floors->forget(*operation.swept)) {
    batch_->remove(Family::revocations, floor_key(floor.issuer));
  }
  floors_ = std::move(floors);
  broadcast.floors = floors_;
  return {};
}

Result<void> WriteRules::clean_personal_lists(Batch& batch) {
  const Locator& everyone = floors_->everyone();
  if (everyone.empty()) return {};
  Result<void> outcome;
  const auto scanned = database_.scan(
      Family::personal_tokens, {}, [&](std::string_view user, std::string_view value) {
        auto tokens = decode_personal_tokens(value);
        if (!tokens) {
          outcome = std::unexpected(tokens.error());
          return false;
        }
        const std::size_t revoked = std::erase_if(
            *tokens, [&](const PersonalToken& token) { return token.locator < everyone; });
        if (revoked == 0) return true;
        if (tokens->empty()) {
          batch.remove(Family::personal_tokens, user);
        } else {
          std::string record;
          encode(*tokens, record);
          batch.put(Family::personal_tokens, user, record);
        }
        if (batch.count() >= kRemovedPerCommit) outcome = commit_removals(batch);
        return outcome.has_value();
      });
  if (!scanned) return scanned;
  return outcome;
}

// At the start. The floors end with the last of what they revoke, in one write: until then a crash
// leaves them, and the next start begins again.
Result<void> WriteRules::end_floors(Batch& batch) {
  if (auto cleaned = clean_personal_lists(batch); !cleaned) return cleaned;
  if (!floors_->everyone().empty()) batch.remove(Family::revocations, floor_key({}));
  for (const RevocationFloor& floor : floors_->issuers()) {
    batch.remove(Family::revocations, floor_key(floor.issuer));
  }
  floors_ = std::make_shared<const RevocationFloors>();
  return {};
}

}  // namespace tokend::store
