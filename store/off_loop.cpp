// What is never done on a loop: lists, which read the disk, and passwords, which take their time.

#include <algorithm>
#include <vector>

#include "store/password.h"
#include "store/store_impl.h"

namespace tokend::store {

using core::Errc;

void Store::Impl::work(ListUsers& operation) const noexcept {
  const auto fail = [&](Errc code) { operation.result = std::unexpected(code); };
  operation.users.clear();
  operation.total = 0;
  std::string bytes;
  const auto counted = parts.database.get(Family::meta, kMetaUsers, Reach::disk, bytes);
  if (!counted) return fail(counted.error().code);
  if (*counted == Found::yes) operation.total = decode_u64(bytes).value_or(0);

  std::size_t passed = 0;
  std::vector<std::string> ids;
  const auto scanned =
      parts.database.scan(Family::usernames, {}, [&](std::string_view, std::string_view id) {
        if (ids.size() == operation.count) return false;
        if (passed++ >= operation.offset) ids.emplace_back(id);
        return true;
      });
  if (!scanned) return fail(scanned.error().code);
  for (const std::string& id : ids) {
    const auto found = parts.database.get(Family::users, id, Reach::disk, bytes);
    if (!found) return fail(found.error().code);
    if (*found != Found::yes) continue;  // deleted since its name was read
    auto user = decode_user(bytes);
    if (!user) return fail(user.error().code);
    operation.users.push_back(*std::move(user));
  }
}

void Store::Impl::list_audit(ListAudit& operation) noexcept {
  const std::int64_t kept_ms = options.audit_retention_ms;
  if (kept_ms <= 0) {
    operation.page = {};
    operation.result = {};
    return finish(operation);
  }
  if (kept_ms < parts.clock.wall_ms) {
    operation.query.since_ms = std::max(operation.query.since_ms, parts.clock.wall_ms - kept_ms);
  }
  send_to_worker(parts.readers, operation);
}

void Store::Impl::work(ListAudit& operation) const noexcept {
  const auto read = read_audit(parts.database, operation.query, operation.page);
  if (!read) operation.result = std::unexpected(read.error().code);
}

void Store::Impl::work(ListPersonalTokens& operation) const noexcept {
  operation.tokens.clear();
  std::string bytes;
  const auto found =
      parts.database.get(Family::personal_tokens, operation.user.view(), Reach::disk, bytes);
  if (!found) {
    operation.result = std::unexpected(found.error().code);
    return;
  }
  if (*found != Found::yes) return;
  auto decoded = decode_personal_tokens(bytes);
  if (!decoded) {
    operation.result = std::unexpected(decoded.error().code);
    return;
  }
  operation.tokens = *std::move(decoded);
  // As in FindToken: the floors that held when it was asked.
  std::erase_if(operation.tokens, [&](const PersonalToken& token) {
    return token.locator < operation.floors->everyone();
  });
}

void Store::Impl::work(HashPassword& operation) const noexcept {
  auto hash = store::hash_password(operation.sha256_hex, options.bcrypt_cost);
  wipe(operation.sha256_hex);
  if (hash) {
    operation.password_hash = *std::move(hash);
  } else {
    operation.result = std::unexpected(hash.error().code);
  }
}

void Store::Impl::work(VerifyPassword& operation) const noexcept {
  operation.matches =
      store::verify_password(operation.sha256_hex, operation.password_hash, options.bcrypt_cost);
  wipe(operation.sha256_hex);
}

}  // namespace tokend::store
