// The start of store/write_rules.h: the state that is kept in memory, read from the database.

#include <algorithm>
#include <string>

#include "store/meta.h"
#include "store/user_writes.h"
#include "store/write_rules.h"

namespace tokend::store {

using core::Errc;
using core::fail;
using core::Result;

Result<void> WriteRules::load(std::int64_t now_ms) {
  if (const auto loaded = load_permissions(); !loaded) return loaded;
  if (const auto loaded = load_policies(); !loaded) return loaded;
  if (const auto loaded = load_settings(); !loaded) return loaded;
  if (const auto loaded = load_floors(); !loaded) return loaded;
  std::vector<User> revoking;
  if (const auto loaded = load_users(revoking); !loaded) return loaded;
  if (const auto loaded = load_tokens(now_ms, revoking); !loaded) return loaded;
  committed_locator_ = locators_.last();
  committed_users_ = users_;
  return {};
}

Result<void> WriteRules::load_permissions() {
  for (std::size_t i = 0; i < kPermissionCount; ++i) {
    const auto permission = static_cast<Permission>(i);
    permissions_[permission].roles = default_roles_of(permission);
    const auto found = database_.get(Family::permissions, id_of(permission), Reach::disk, value_);
    if (!found) return std::unexpected(found.error());
    if (*found != Found::yes) continue;
    const auto entry = decode_permission(value_);
    if (!entry) return fail(Errc::corrupt, "a permission's record does not decode");
    permissions_[permission] = *entry;
  }
  return {};
}

// Remembers the users whose tokens are not simply all valid, in order of their ids.
Result<void> WriteRules::load_users(std::vector<User>& revoking) {
  std::uint64_t undecodable = 0;
  const auto scanned =
      database_.scan(Family::users, {}, [&](std::string_view, std::string_view value) {
        auto user = decode_user(value);
        if (!user) {
          ++undecodable;
          return false;
        }
        ++users_;
        active_admins_ += is_active_admin(*user);
        if (!user->valid_from.empty() || !user->dated_from.empty()) {
          // Only the id and what accepts() needs are kept.
          User kept;
          kept.id = user->id;
          kept.valid_from = user->valid_from;
          kept.valid_exception = user->valid_exception;
          kept.dated_from = user->dated_from;
          kept.dated_exception = user->dated_exception;
          revoking.push_back(std::move(kept));
        }
        return true;
      });
  if (!scanned) return scanned;
  if (undecodable) return fail(Errc::corrupt, "a user's record does not decode");
  std::ranges::sort(revoking, {}, [](const User& user) { return user.id.view(); });
  return {};
}

Result<void> WriteRules::load_tokens(std::int64_t now_ms, const std::vector<User>& revoking) {
  const auto found = database_.get(Family::meta, kMetaLastLocator, Reach::disk, value_);
  if (!found) return std::unexpected(found.error());
  if (*found == Found::yes) {
    const auto last = locator_from(value_);
    if (!last) return fail(Errc::corrupt, "the store's last locator does not decode");
    locators_.raise_above(*last);
  }
  // The audit keeps what was removed, and with damage that was accepted may be ahead of all else.
  for (const Family family : {Family::audit, Family::issuances}) {
    const auto key = database_.last_key(family);
    if (!key) return std::unexpected(key.error());
    if (const auto last = locator_from(*key)) locators_.raise_above(*last);
  }
  const auto removals = database_.make_batch();
  Result<void> outcome;
  const auto scanned =
      database_.scan(Family::tokens, {}, [&](std::string_view key, std::string_view value) {
        outcome = load_token(key, value, now_ms, revoking, *removals);
        return outcome.has_value();
      });
  if (!scanned) return scanned;
  if (!outcome) return outcome;
  if (!floors_->empty()) {
    if (const auto ended = end_floors(*removals); !ended) return ended;
  }
  return commit_removals(*removals);
}

Result<void> WriteRules::load_token(std::string_view key, std::string_view value,
                                    std::int64_t now_ms, const std::vector<User>& revoking,
                                    Batch& removals) {
  const auto locator = locator_from(key);
  const auto record = decode_token_record(value);
  if (!locator || !record) return fail(Errc::corrupt, "a token's record does not decode");
  locators_.raise_above(*locator);
  // Also of one that has expired: from the end of this scan on no floor says it any more, and the
  // clock may be set back.
  if (floors_->revokes(*locator, *record)) {
    removals.remove(Family::tokens, key);
    return removals.count() >= kRemovedPerCommit ? commit_removals(removals) : Result<void>();
  }
  if (record->kind == TokenKind::personal || record->expires_ms <= now_ms) return {};
  const auto user = std::ranges::lower_bound(
      revoking, record->user.view(), {}, [](const User& candidate) { return candidate.id.view(); });
  const bool revokes = user != revoking.end() && user->id == record->user;
  if (revokes && !user->accepts(*locator, record->kind)) return {};
  dropped_.clear();
  // Whether its user may be issued for is asked when somebody wants to: a deleted user's tokens may
  // still be here.
  if (!index_.learn(record->user, TokenIndex::UserState::unknown) ||
      !index_.add(record->user, *locator, record->expires_ms, now_ms, dropped_)) {
    return fail(Errc::full, "the store holds more live tokens or users than the index may");
  }
  // Displaced because the limit was lowered. No cache exists yet that could hold them.
  for (const Locator& displaced : dropped_) removals.remove(Family::tokens, view_of(displaced));
  if (removals.count() >= kRemovedPerCommit) return commit_removals(removals);
  return {};
}

Result<void> WriteRules::commit_removals(Batch& batch) {
  if (batch.count() == 0) return {};
  auto committed = database_.commit(batch);
  batch.clear();
  return committed;
}

}  // namespace tokend::store
