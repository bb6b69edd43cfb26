// From an id or a name to a user: the cache, then the database's memory, then a worker.

#include "store/store_impl.h"

namespace tokend::store {

using core::Errc;

void Store::Impl::find_user(FindUser& operation) noexcept {
  operation.user = nullptr;
  operation.attempts = 0;
  operation.result = {};
  if (operation.key == UserKey::id) {
    if (operation.value.empty() || !UserId::fits(operation.value)) {
      return finish(operation, Errc::not_found);
    }
    return resolve(operation, UserId(operation.value), Brought::nothing);
  }
  const bool folded_already = is_folded_ascii(operation.value);
  if (!folded_already) operation.folded = fold(operation.value);
  const std::string_view name = folded_already ? operation.value : operation.folded;
  if (name.empty()) return finish(operation, Errc::not_found);
  const bool by_username = operation.key == UserKey::username;
  if (by_username) {
    if (const User* cached = users.find_by_name(name)) {
      ++counters.user_hits;
      operation.user = cached;
      return finish(operation);
    }
  }
  switch (get(by_username ? Family::usernames : Family::emails, name, operation)) {
    case Got::yes:
      if (!UserId::fits(value)) return finish(operation, Errc::corrupt);
      return resolve(operation, UserId(value), Brought::nothing);
    case Got::no: return finish(operation, Errc::not_found);
    case Got::failed: return finish(operation);
    case Got::unknown:
      ++counters.user_misses;
      if (folded_already) operation.folded = operation.value;
      operation.wanted_user = {};
      return send_to_worker(parts.readers, operation);
  }
}

void Store::Impl::resolve(FindUser& operation, const UserId& id, Brought brought) noexcept {
  Got got;
  operation.user = user(id, operation, brought == Brought::nothing, got);
  if (got == Got::no) return finish(operation, Errc::not_found);
  if (got == Got::unknown) {
    operation.wanted_user = id;
    operation.guard_epoch = guard.epoch(hash_of(id));
    return send_to_worker(parts.readers, operation);
  }
  finish(operation);
}

void Store::Impl::work(FindUser& operation) const noexcept {
  const bool wants_id = operation.wanted_user.empty();
  std::string bytes;
  const Family family = !wants_id                            ? Family::users
                        : operation.key == UserKey::username ? Family::usernames
                                                             : Family::emails;
  const auto found = parts.database.get(
      family, wants_id ? std::string_view(operation.folded) : operation.wanted_user.view(),
      Reach::disk, bytes);
  operation.loaded.reset();
  const auto fail = [&](Errc code) { operation.result = std::unexpected(code); };
  if (!found) return fail(found.error().code);
  if (*found != Found::yes) return fail(Errc::not_found);
  if (wants_id) {
    if (bytes.empty() || !UserId::fits(bytes)) return fail(Errc::corrupt);
    operation.wanted_user = UserId(bytes);
    return;
  }
  auto decoded = decode_user(bytes);
  if (!decoded) return fail(decoded.error().code);
  operation.loaded = std::make_unique<User>(*std::move(decoded));
}

void Store::Impl::on_worked(FindUser& operation) noexcept {
  if (!operation.result) return finish(operation);
  const UserId id = operation.wanted_user;
  if (operation.loaded) {
    if (guard.is_current(hash_of(id), operation.guard_epoch)) {
      users.put(std::move(*operation.loaded));
    } else {
      ++counters.guarded_fills;
      if (++operation.attempts > kReadAttemptsMax) return finish(operation, Errc::full);
    }
    operation.loaded.reset();
  }
  resolve(operation, id, Brought::user);
}

}  // namespace tokend::store
