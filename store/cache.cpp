#include "store/cache.h"

#include <memory>
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

void TokenCache::remove(const Locator& locator) noexcept {
  table_.remove(
      hash_of(locator), [&](const Entry& entry) noexcept { return entry.locator == locator; },
      [](const Entry&) noexcept {});
}

UserCache::~UserCache() {
  by_id_.each([](Slot user) noexcept { delete user; });
  release_retired();
}

const User* UserCache::find(const UserId& id) noexcept {
  const Slot* slot =
      by_id_.find(hash_of(id), [&](Slot user) noexcept { return user->user.id == id; });
  return slot ? &(*slot)->user : nullptr;
}

const User* UserCache::find_by_name(std::string_view folded) noexcept {
  const Slot* slot =
      by_name_.find(hash_of(folded), [&](Slot user) noexcept { return user->folded == folded; });
  return slot ? &(*slot)->user : nullptr;
}

const User& UserCache::put(User&& user) {
  remove(user.id);
  auto made = std::make_unique<CachedUser>();
  made->user = std::move(user);
  made->folded = fold(made->user.username);
  CachedUser* cached = made.release();
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
  for (CachedUser* user : retired_) delete user;
  retired_.clear();
}

}  // namespace tokend::store
