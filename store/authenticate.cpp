// From a token's text to its user: the cache, then the database's memory, then a worker.

#include "store/store_impl.h"

namespace tokend::store {

using core::Errc;

void Store::Impl::authenticate(Authenticate& operation) noexcept {
  operation.user = nullptr;
  operation.attempts = 0;
  operation.result = {};
  const auto proof =
      operation.proof ? *operation.proof : read_token(operation.token, operation.user_id);
  const bool named =
      operation.any_user || (!operation.user_id.empty() && UserId::fits(operation.user_id));
  if (!proof || !named || !is_possible(proof->locator)) return finish(operation, Errc::not_found);
  operation.locator = proof->locator;
  operation.digest = proof->digest;
  operation.expected_user = operation.any_user ? UserId{} : UserId(operation.user_id);
  resolve(operation, Brought::nothing);
}

std::optional<TokenProof> Store::Impl::read_token(std::string_view text,
                                                  std::string_view holder) noexcept {
  const auto locator = codec.decode(text);
  if (!locator) return std::nullopt;
  // Both are far away in memory as a rule, and come while the text is hashed.
  const UserId user = UserId::fits(holder) ? UserId(holder) : UserId{};
  tokens.expect_soon(*locator);
  users.expect_soon(user);
  const TokenProof proof{*locator, digest_of(text)};
  tokens.expect_find(*locator);
  users.expect_find(user);
  return proof;
}

// A locator that no token of this store can have: a forgery, turned away without a read.
bool Store::Impl::is_possible(const Locator& locator) const noexcept {
  const Identity& identity = parts.committer.identity();
  return locator.shard() == identity.shard && locator.issued_ms() >= identity.created_ms &&
         locator.issued_ms() <= parts.committer.last_issued_ms();
}

// Runs again from the start after every trip to a worker; what the trip brought is in the cache.
void Store::Impl::resolve(Authenticate& operation, Brought brought) noexcept {
  Got got;
  const TokenCache::Entry* const found_token = token(operation, brought == Brought::nothing, got);
  if (got == Got::no) return finish(operation, Errc::not_found);
  if (got == Got::failed) return finish(operation);
  if (got == Got::unknown) {
    operation.wanted_user = {};
    operation.guard_epoch = guard.epoch(hash_of(operation.locator));
    return send_to_worker(parts.readers, operation);
  }
  const bool proven = equal_in_constant_time(found_token->digest, operation.digest);
  const bool holder_is_named = operation.any_user || found_token->user == operation.expected_user;
  if (!proven || !holder_is_named || found_token->expires_ms <= parts.clock.wall_ms) {
    return finish(operation, Errc::not_found);
  }
  const User* const holder = user(found_token->user, operation, brought != Brought::user, got);
  if (got == Got::no) return finish(operation, Errc::not_found);
  if (got == Got::failed) return finish(operation);
  if (got == Got::unknown) {
    operation.wanted_user = found_token->user;
    operation.guard_epoch = guard.epoch(hash_of(found_token->user));
    return send_to_worker(parts.readers, operation);
  }
  judge(operation, *found_token, *holder);
}

void Store::Impl::judge(Authenticate& operation, const TokenCache::Entry& token,
                        const User& user) noexcept {
  if (!user.active || !user.accepts(token.locator, token.kind)) {
    return finish(operation, Errc::not_found);
  }
  operation.caller = {user.id, user.roles, token.locator, token.expires_ms, token.kind};
  operation.user = &user;
  finish(operation);
}

void Store::Impl::work(Authenticate& operation) const noexcept {
  const bool wants_token = operation.wanted_user.empty();
  const std::string_view key =
      wants_token ? view_of(operation.locator) : operation.wanted_user.view();
  std::string bytes;
  const auto found =
      parts.database.get(wants_token ? Family::tokens : Family::users, key, Reach::disk, bytes);
  operation.loaded_token.reset();
  operation.loaded_user.reset();
  const auto fail = [&](Errc code) { operation.result = std::unexpected(code); };
  if (!found) return fail(found.error().code);
  if (*found != Found::yes) return fail(Errc::not_found);
  if (wants_token) {
    auto record = decode_token_record(bytes);
    if (!record) return fail(record.error().code);
    operation.loaded_token = std::make_unique<TokenRecord>(*std::move(record));
  } else {
    auto decoded = decode_user(bytes);
    if (!decoded) return fail(decoded.error().code);
    operation.loaded_user = std::make_unique<User>(*std::move(decoded));
  }
}

void Store::Impl::on_worked(Authenticate& operation) noexcept {
  // What is gone does not come back, so "not found" needs no guard.
  if (!operation.result) return finish(operation);
  const bool wanted_token = operation.wanted_user.empty();
  const std::uint64_t key =
      wanted_token ? hash_of(operation.locator) : hash_of(operation.wanted_user);
  if (!guard.is_current(key, operation.guard_epoch)) {
    ++counters.guarded_fills;
    if (++operation.attempts > kReadAttemptsMax) return finish(operation, Errc::full);
  } else if (wanted_token) {
    if (!guard.admits(*floors, operation.locator, *operation.loaded_token)) {
      return finish(operation, Errc::not_found);
    }
    remember(operation.locator, *operation.loaded_token);
  } else {
    users.put(std::move(*operation.loaded_user));
  }
  resolve(operation, wanted_token ? Brought::token : Brought::user);
}

}  // namespace tokend::store
