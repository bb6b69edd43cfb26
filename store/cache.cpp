#include "store/cache.h"

#include <new>
#include <utility>

#include "store/hash.h"

namespace tokend::store {

const TokenCache::Entry* TokenCache::find(const Locator& locator) noexcept {
  return table_.find(hash_of(locator),
                     [&](const Entry& entry) noexcept { return entry.locator == locator; });
}

void TokenCache::put(const Entry& entry) noexcept {
  const std::uint64_t hash = hash_of(entry.locator);
  Entry* place = table_.find(
      hash, [&](const Entry& other) noexcept { return other.locator == entry.locator; });
  if (!place) place = &table_.claim(hash, [](const Entry&) noexcept {});
  *place = entry;
}

void TokenCache::expect_next(const Locator& locator) const noexcept {
  table_.prefetch_claim(hash_of(locator));
}

void TokenCache::expect_soon(const Locator& locator) const noexcept {
  table_.prefetch(hash_of(locator));
}

void TokenCache::expect_find(const Locator& locator) const noexcept {
  table_.prefetch_find(hash_of(locator), [](const Entry&) noexcept {});
}

void TokenCache::remove(const Locator& locator) noexcept {
  table_.remove(
      hash_of(locator), [&](const Entry& entry) noexcept { return entry.locator == locator; },
      [](const Entry&) noexcept {});
}

UserCache::UserCache(std::size_t entries)
    : by_id_(entries),
      by_name_(entries),
      memory_(by_id_.capacity(), sizeof(CachedUser)) {}

UserCache::~UserCache() {
  by_id_.each([this](Slot user) noexcept { destroy(user); });
  release_retired();
}

// Beside those in the table there may be some that were displaced and are still looked at: they are
// what the heap is for.
UserCache::CachedUser* UserCache::make(User&& user) {
  std::string folded = fold(user.username);
  void* const memory = memory_.take();
  if (!memory) return new CachedUser{std::move(user), std::move(folded)};
  return ::new (memory) CachedUser{std::move(user), std::move(folded)};
}

void UserCache::destroy(CachedUser* user) noexcept {
  if (!memory_.owns(user)) {
    delete user;
    return;
  }
  user->~CachedUser();
  memory_.give(user);
}

const User* UserCache::find(const UserId& id) noexcept {
  const Slot* slot =
      by_id_.find(hash_of(id), [&](Slot user) noexcept { return user->user.id == id; });
  return slot ? &(*slot)->user : nullptr;
}

void UserCache::expect_soon(const UserId& id) const noexcept { by_id_.prefetch(hash_of(id)); }

void UserCache::expect_find(const UserId& id) const noexcept {
  by_id_.prefetch_find(hash_of(id), [](Slot user) noexcept {
    __builtin_prefetch(user);
    __builtin_prefetch(reinterpret_cast<const char*>(user) + 64);
  });
}

const User* UserCache::find_by_name(std::string_view folded) noexcept {
  const Slot* slot =
      by_name_.find(hash_of(folded), [&](Slot user) noexcept { return user->folded == folded; });
  return slot ? &(*slot)->user : nullptr;
}

const User& UserCache::put(User&& user) {
  remove(user.id);
  user.edition = ++editions_;
  CachedUser* const cached = make(std::move(user));
  by_id_.claim(hash_of(cached->user.id), [&](Slot displaced) noexcept { retire(displaced); }) =
      cached;
  // A name that loses its place is found through the database again; its user stays cached.
  by_name_.claim(hash_of(std::string_view(cached->folded)),
                 [](Slot displaced) noexcept { displaced->has_name = false; }) = cached;
  cached->has_name = true;
  return cached->user;
}

void UserCache::remove(const UserId& id) noexcept {
  by_id_.remove(
      hash_of(id), [&](Slot user) noexcept { return user->user.id == id; },
      [&](Slot user) noexcept { retire(user); });
}

void UserCache::retire(CachedUser* user) noexcept {
  if (user->has_name) {
    by_name_.remove(
        hash_of(std::string_view(user->folded)), [&](Slot other) noexcept { return other == user; },
        [](Slot) noexcept {});
  }
  retired_.push_back(user);
}

void UserCache::release_retired() noexcept {
  for (CachedUser* user : retired_) destroy(user);
  retired_.clear();
}

}  // namespace tokend::store
