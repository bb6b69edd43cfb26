#pragma once
// What one core remembers of tokens and users, so that an authenticated request ends on its core:
// no database, no lock, no message, and on a hit no allocation.
//
// Concurrency: one core's. What goes in and out when is decided by the Store.
// Limits: the sizes given; a full set displaces what was not used for longest.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/slab.h"
#include "store/set_table.h"
#include "store/token.h"
#include "store/user.h"

namespace tokend::store {

// Keyed by the locator, because that is what a revocation names; a token's text leads to it in
// 17 ns. The digest is what proves the token.
class TokenCache {
 public:
  struct Entry {
    Digest digest;
    std::int64_t expires_ms;
    Locator locator;
    UserId user;
    TokenKind kind;
    // tag_of() the issuer: the whole id would make every entry a third larger.
    std::uint16_t issuer_tag;
  };
  static_assert(sizeof(Entry) <= 96, "a token costs this and its share of a set's head");

  explicit TokenCache(std::size_t entries) : table_(entries) {}

  [[nodiscard]] const Entry* find(const Locator& locator) noexcept;
  // Replaces an entry of the same locator.
  void put(const Entry& entry) noexcept;
  // Hints (SetTable::prefetch): put() or find() comes for this one soon; and, said of the same one
  // after some other work, put() comes next; find() does.
  void expect_soon(const Locator& locator) const noexcept;
  void expect_next(const Locator& locator) const noexcept;
  void expect_find(const Locator& locator) const noexcept;
  void remove(const Locator& locator) noexcept;
  // For a sweep in slices (store/cache_sweep.h): of the sets [from, from + count) drops the entries
  // for which `drops(entry)` holds.
  [[nodiscard]] std::size_t sets() const noexcept { return table_.sets(); }
  template <class Drops>
  void sweep(std::size_t from, std::size_t count, Drops&& drops) noexcept {
    table_.sweep(from, count, drops);
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return table_.capacity(); }

 private:
  SetTable<Entry> table_;
};

// By id, and by folded username through a second table, out of which a user goes together with its
// place in the first.
//
// A User that was handed out stays valid until release(), even if it is displaced or invalidated
// meanwhile: the Store releases when no continuation is running.
class UserCache {
 public:
  explicit UserCache(std::size_t entries);
  ~UserCache();
  UserCache(const UserCache&) = delete;
  UserCache& operator=(const UserCache&) = delete;

  [[nodiscard]] const User* find(const UserId& id) noexcept;
  // As TokenCache's.
  void expect_soon(const UserId& id) const noexcept;
  void expect_find(const UserId& id) const noexcept;
  [[nodiscard]] const User* find_by_name(std::string_view folded) noexcept;
  // Replaces an entry of the same id. What is cached has an edition of its own and never changes.
  const User& put(User&& user);
  void remove(const UserId& id) noexcept;
  void release() noexcept {
    if (!retired_.empty()) release_retired();
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return by_id_.capacity(); }

 private:
  struct CachedUser {
    User user;
    std::string folded;
    bool has_name = false;  // by_name_ refers to it
  };
  using Slot = CachedUser*;

  [[nodiscard]] CachedUser* make(User&& user);
  void destroy(CachedUser* user) noexcept;
  void retire(CachedUser* user) noexcept;
  void release_retired() noexcept;

  SetTable<Slot> by_id_;
  SetTable<Slot> by_name_;
  std::uint64_t editions_ = 0;
  core::Slab memory_;  // of huge pages: every request looks at a user, each time at another one
  std::vector<CachedUser*> retired_;
};

}  // namespace tokend::store
