#pragma once
// Which dated tokens each user holds, in order of issue: what the limit of tokens is decided by.
// Derived from the database, held in memory only, rebuilt at start, and of a large store after it.
//
// Concurrency: that of its issuer (store/token_issuer.h).
// Always true: a user's entries ascend by locator; a user who is not in the index holds no live
// dated token, but for those that a start has yet to load; an entry goes at the latest when its
// user is next issued for, or when the sweep comes by after its expiry. Limits: Limits, but for
// insert(). Memory: about 80 bytes a user, and for a token 16 to 23 from some 16 of a user on, more
// below; of what a user once held.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/chunked_array.h"
#include "core/mapping.h"
#include "store/sliding_vector.h"
#include "store/token.h"

namespace tokend::store {

class TokenIndex {
 public:
  struct Limits {
    std::size_t tokens_per_user_max;
    std::size_t tokens_max;
    std::size_t users_max;
  };
  // unknown: the database has to be asked whether there is such a user, even if it has tokens here:
  // those of a deleted user may outlive it.
  enum class UserState : std::uint8_t { unknown, open, closed };

  TokenIndex(const Limits& limits, std::uint16_t shard);

  void set_limits(std::size_t tokens_max, std::size_t users_max) noexcept {
    limits_.tokens_max = tokens_max;
    limits_.users_max = users_max;
  }
  // Makes room for so many users, so that it need not be made in between.
  void reserve(std::size_t users);

  [[nodiscard]] UserState state_of(const UserId& user) const noexcept;
  // Hints that add() comes for this user after `ahead` - 1 others: the index is large, what it
  // holds of a user is in nobody's cache, and it takes three steps of looking to get there. Said 3,
  // 2 and 1 ahead, each step finds what the one before it had fetched.
  void expect(const UserId& user, std::size_t ahead) const noexcept;
  static constexpr std::size_t kExpectedAhead = 3;
  // False at the limit of users.
  [[nodiscard]] bool learn(const UserId& user, UserState state);
  // Nothing where the user is not in the index.
  void set_state(const UserId& user, UserState state) noexcept;

  // Appends to `dropped` what has to go so that the newest tokens_per_user_max remain. `user` is
  // known; `locator` is greater than all of its others. False, and nothing done, at the limit of
  // tokens.
  [[nodiscard]] bool add(const UserId& user, const Locator& locator, std::int64_t expires_ms,
                         std::int64_t now_ms, std::vector<Locator>& dropped);
  // Takes in a token wherever it belongs among the user's others; the user need not be known:
  // whether it may be issued for is asked when somebody wants to, because a deleted user's tokens
  // may still be there. Appends to `dropped` what is then beyond the limit of a user, perhaps the
  // token itself. The limits of tokens and users it passes: whatever exists is counted.
  void insert(const UserId& user, const Locator& locator, std::int64_t expires_ms,
              std::int64_t now_ms, std::vector<Locator>& dropped);
  void remove(const UserId& user, const Locator& locator) noexcept;
  // Forgets all of a user's tokens but `keep` (if it is one of them).
  void remove_all_but(const UserId& user, const Locator& keep) noexcept;
  // Forgets the user; appends its tokens to `removed`.
  void erase(const UserId& user, std::vector<Locator>& removed);

  // Looks at the next users: expired entries go, and users with none left. It ends when it has
  // looked at all or `effort` is spent: an entry is one, a user kSweepEffortPerUser beside its
  // entries. Whom it has begun it finishes.
  void sweep(std::int64_t now_ms, std::size_t effort) noexcept;
  static constexpr std::size_t kSweepEffortPerUser = 32;
  // For a batch that issued so many tokens: what expires goes as fast as it comes, but for about
  // ten entries of a user.
  [[nodiscard]] static constexpr std::size_t sweep_effort(std::size_t issued) noexcept {
    return 512 + 4 * issued;
  }

  [[nodiscard]] std::size_t tokens() const noexcept { return tokens_; }
  [[nodiscard]] std::size_t users() const noexcept { return users_.size(); }
  [[nodiscard]] std::size_t tokens_of(const UserId& user) const noexcept;
  // Appends those that have not expired, ascending.
  void list(const UserId& user, std::int64_t now_ms, std::vector<Locator>& tokens) const;

 private:
  // A locator without its shard, which is the same for all, and the expiry to the millisecond, both
  // of 48 and 32 bits, in 16 bytes.
  struct Entry {
    std::uint64_t issued_ms_and_sequence_high;
    std::uint64_t sequence_low_and_expires_ms;
  };
  static_assert(sizeof(Entry) == 16);
  [[nodiscard]] static Entry pack(const Locator& locator, std::int64_t expires_ms) noexcept;
  [[nodiscard]] Locator locator_of(const Entry& entry) const noexcept;
  [[nodiscard]] static bool is_expired(const Entry& entry, std::int64_t now_ms) noexcept;

  struct UserTokens {
    UserId id;
    [[no_unique_address]] SlidingVector<Entry> entries;
    UserState state = UserState::unknown;
  };
  static_assert(sizeof(UserTokens) == 64, "a cache line: the state lies in the vector's padding");
  static constexpr std::uint32_t kNone = UINT32_MAX;

  [[nodiscard]] std::uint32_t find(const UserId& user) const noexcept;
  void forget(std::uint32_t number) noexcept;
  void make_slots(std::size_t count);
  void grow(std::size_t slots);
  std::uint32_t append(const UserId& user, UserState state);
  void displace(UserTokens& user, std::size_t surplus, std::vector<Locator>& dropped);
  void insert_slot(std::uint32_t number) noexcept;
  [[nodiscard]] std::size_t home_of(std::uint32_t number) const noexcept;
  void drop_expired(UserTokens& user, std::int64_t now_ms) noexcept;

  Limits limits_;
  const std::uint16_t shard_;
  // Open addressing with linear probing, at most two thirds full: numbers in users_, or kNone.
  std::unique_ptr<core::Mapping> slots_memory_;
  std::span<std::uint32_t> slots_;
  core::ChunkedArray<UserTokens> users_;
  std::size_t tokens_ = 0;
  std::size_t swept_ = 0;  // where the sweep goes on
};

}  // namespace tokend::store
