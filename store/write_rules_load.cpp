// The start of store/write_rules.h: the state that is kept in memory, read from the database.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "store/meta.h"
#include "store/user_writes.h"
#include "store/write_rules.h"

namespace tokend::store {

using core::Errc;
using core::fail;
using core::Result;

Result<void> WriteRules::load(std::int64_t now_ms) {
  load_ = std::make_unique<TokenLoad>();
  if (const auto loaded = load_permissions(); !loaded) return loaded;
  if (const auto loaded = load_policies(); !loaded) return loaded;
  if (const auto loaded = load_settings(); !loaded) return loaded;
  if (const auto loaded = load_floors(); !loaded) return loaded;
  if (const auto loaded = load_users(); !loaded) return loaded;
  if (const auto loaded = load_locators(); !loaded) return loaded;
  if (const auto loaded = load_tokens(now_ms); !loaded) return loaded;
  committed_locator_ = locators_.last();
  committed_users_ = users_;
  return {};
}

Result<void> WriteRules::load_permissions() {
  for (std::size_t i = 0; i < kPermissionCount; ++i) {
    const auto permission = static_cast<Permission>(i);
    state_.permissions[permission].roles = default_roles_of(permission);
    const auto found = database_.get(Family::permissions, id_of(permission), Reach::disk, value_);
    if (!found) return std::unexpected(found.error());
    if (*found != Found::yes) continue;
    const auto entry = decode_permission(value_);
    if (!entry) return fail(Errc::corrupt, "a permission's record does not decode");
    state_.permissions[permission] = *entry;
  }
  return {};
}

Result<void> WriteRules::load_users() {
  std::uint64_t undecodable = 0;
  const auto scanned =
      database_.scan(Family::users, {}, [&](std::string_view, std::string_view value) {
        const auto user = decode_user(value);
        if (!user) {
          ++undecodable;
          return false;
        }
        ++users_;
        active_admins_ += is_active_admin(*user);
        load_->note(*user);
        return true;
      });
  if (!scanned) return scanned;
  if (undecodable) return fail(Errc::corrupt, "a user's record does not decode");
  return {};
}

Result<void> WriteRules::load_locators() {
  const auto found = database_.get(Family::meta, kMetaLastLocator, Reach::disk, value_);
  if (!found) return std::unexpected(found.error());
  if (*found == Found::yes) {
    const auto last = locator_from(value_);
    if (!last) return fail(Errc::corrupt, "the store's last locator does not decode");
    locators_.raise_above(*last);
  }
  // The audit keeps what was removed, and with damage that was accepted may be ahead of all else.
  for (const Family family : {Family::tokens, Family::audit, Family::issuances}) {
    const auto key = database_.last_key(family);
    if (!key) return std::unexpected(key.error());
    if (const auto last = locator_from(*key)) locators_.raise_above(*last);
  }
  return {};
}

// So that all of them together never issue more than the limits say.
void WriteRules::share_limits() noexcept {
  const std::size_t tokens_left = options_.index.tokens_max - indexed_tokens();
  const std::size_t users_left = options_.index.users_max - indexed_users();
  for (std::size_t i = 0; i < issuers_.size(); ++i) {
    const auto share = [&](std::size_t all) {
      return all / issuers_.size() + (i < all % issuers_.size() ? 1 : 0);
    };
    TokenIndex& index = issuers_[i]->index();
    index.set_limits(index.tokens() + share(tokens_left), index.users() + share(users_left));
  }
}

// What floors have revoked is removed, and if that was all of it they end. If it was not, one of
// the cores removes the rest.
Result<void> WriteRules::load_tokens(std::int64_t now_ms) {
  const auto removals = database_.make_batch();
  Result<void> outcome;
  std::size_t left = options_.records_loaded_max;
  std::optional<Locator> rest;
  const auto scanned =
      database_.scan(Family::tokens, {}, [&](std::string_view key, std::string_view value) {
        if (left == 0) rest = locator_from(key);
        if (rest) return false;
        left -= left > 0;
        outcome = load_token(key, value, now_ms, *removals);
        return outcome.has_value();
      });
  if (!scanned) return scanned;
  if (!outcome) return outcome;
  // Of all issuers together, however unevenly their users hold tokens.
  if (indexed_tokens() > options_.index.tokens_max || indexed_users() > options_.index.users_max) {
    return fail(
        Errc::full,
        "the store holds more live tokens or users than the index may: start with a greater "
        "--tokens-max");
  }
  share_limits();
  if (rest) {
    load_->begin(*rest, locators_.bound());
    const std::size_t users = std::min<std::size_t>(users_, options_.index.users_max);
    for (const auto& issuer : issuers_) {
      issuer->index().reserve((users + issuers_.size() - 1) / issuers_.size());
    }
    // The records of some have been removed, and nobody else looks for their names.
    if (const auto cleaned = clean_personal_lists(*removals); !cleaned) return cleaned;
  } else {
    load_.reset();
    if (!floors_->empty()) {
      if (const auto ended = end_floors(*removals); !ended) return ended;
    }
  }
  return commit_removals(*removals);
}

Result<void> WriteRules::load_token(std::string_view key, std::string_view value,
                                    std::int64_t now_ms, Batch& removals) {
  const auto locator = locator_from(key);
  const auto record = decode_token_record(value);
  if (!locator || !record) return fail(Errc::corrupt, "a token's record does not decode");
  // Also of one that has expired: from the end of this scan on no floor says it any more, and the
  // clock may be set back.
  if (floors_->revokes(*locator, *record)) {
    removals.remove(Family::tokens, key);
    return removals.count() >= kRemovedPerCommit ? commit_removals(removals) : Result<void>();
  }
  if (record->kind == TokenKind::personal || record->expires_ms <= now_ms) return {};
  if (load_->judge(record->user, *locator) != TokenLoad::Verdict::alive) return {};
  dropped_.clear();
  issuer_of(record->user)
      .index()
      .insert(record->user, *locator, record->expires_ms, now_ms, dropped_);
  // Displaced because the limit was lowered. No cache exists yet that could hold them.
  for (const Locator& displaced : dropped_) removals.remove(Family::tokens, view_of(displaced));
  if (removals.count() >= kRemovedPerCommit) return commit_removals(removals);
  return {};
}

// A page of what load() has left. Each finds the index as all operations before it have made it, so
// a token goes only if there are as many newer ones as its user may have; what a page brings late
// was only kept for longer.
WriteRules::Outcome WriteRules::index(IndexTokens& operation, Broadcast& broadcast) {
  CHECK(load_);
  operation.indexed = 0;
  operation.is_stale = !load_->begin_page();
  if (operation.is_stale) {
    load_->end_page(load_->from());
    return {};
  }
  dropped_.clear();
  for (std::size_t i = 0; i < operation.tokens.size(); ++i) {
    for (std::size_t ahead = 1; ahead <= TokenIndex::kExpectedAhead; ++ahead) {
      if (i + ahead < operation.tokens.size()) {
        const UserId& expected = operation.tokens[i + ahead].user;
        issuer_of(expected).index().expect(expected, ahead);
      }
    }
    const UnindexedToken& token = operation.tokens[i];
    if (token.expires_ms <= now_ms_ || token.locator < floors_->everyone()) continue;
    switch (load_->judge(token.user, token.locator)) {
      case TokenLoad::Verdict::dead: break;
      case TokenLoad::Verdict::orphaned: remove_token(token.locator, broadcast); break;
      case TokenLoad::Verdict::alive:
        issuer_of(token.user)
            .index()
            .insert(token.user, token.locator, token.expires_ms, now_ms_, dropped_);
        ++operation.indexed;
        break;
    }
  }
  for (const Locator& locator : dropped_) remove_token(locator, broadcast);
  load_->end_page(operation.next);
  if (operation.complete) load_.reset();
  return {};
}

Result<void> WriteRules::commit_removals(Batch& batch) {
  if (batch.count() == 0) return {};
  auto committed = database_.commit(batch);
  batch.clear();
  return committed;
}

}  // namespace tokend::store
