#pragma once
// Issuing tokens for some of the users: all of them, or where there are several issuers those that
// shard_of() gives to this one. It has their part of the index of live tokens, so that what it
// decides and whom it displaces depends on no other issuer.
//
// Concurrency: the thread of its shard (store/issuing_shard.h), and the committer's while that
// holds.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "core/cache_line.h"
#include "core/error.h"
#include "core/mailbox.h"
#include "store/broadcast.h"
#include "store/hash.h"
#include "store/locator_source.h"
#include "store/token.h"
#include "store/token_index.h"
#include "store/token_writes.h"
#include "store/write_operation.h"
#include "store/write_state.h"

namespace tokend::store {

// Which of so many shards a user belongs to. By the high bits: tables go by the low ones.
[[nodiscard]] inline std::size_t shard_of(const UserId& user, std::size_t shards) noexcept {
  return static_cast<std::size_t>(((hash_of(user) >> 32) * shards) >> 32);
}

class alignas(core::kCacheLineBytes) TokenIssuer {
 public:
  using Outcome = std::expected<void, core::Errc>;

  // `random` is this issuer's own. `limits` are those of its part of the index.
  TokenIssuer(const WriteState& state, const TokenKey& key, std::uint16_t node, RandomBytes& random,
              const TokenIndex::Limits& limits);

  // All operations up to the next call see this moment, take their locators from `locators`, and go
  // into the batch with `writes`.
  void begin_batch(std::int64_t now_ms, LocatorSource& locators, TokenWrites& writes) noexcept;
  // Hints at the operations behind the one that is issued next, of which all are Writes.
  void expect(const core::Message* next) const noexcept;

  // Of a dated token. Tokens that it displaces are added to the broadcast.
  [[nodiscard]] Outcome issue(IssueToken& operation, Broadcast& broadcast);

  // ---- The parts of it that issuing a personal token has as well. ----
  // Sets operation.broken_bound.
  [[nodiscard]] Outcome may_be_issued(IssueToken& operation);
  void mint(IssueToken& operation);

  // After a batch that issued so many: forgets a little of what has expired.
  void sweep(std::size_t issued) noexcept {
    index_.sweep(now_ms_, TokenIndex::sweep_effort(issued));
  }

  [[nodiscard]] TokenIndex& index() noexcept { return index_; }
  [[nodiscard]] const TokenIndex& index() const noexcept { return index_; }

 private:
  // Of an issuer whom policies bind. Cuts `lifetime_ms` where none was asked for.
  [[nodiscard]] Outcome keep_bounds(IssueToken& operation, std::int64_t& lifetime_ms);
  // Whether a holder of these roles is an admin or can make itself one.
  [[nodiscard]] bool leads_to_admin(RoleSet roles) const noexcept;

  const WriteState& state_;
  TokenCodec codec_;
  RandomBytes& random_;
  TokenIndex index_;

  // Of the batch under way.
  std::int64_t now_ms_ = 0;
  LocatorSource* locators_ = nullptr;
  TokenWrites* writes_ = nullptr;

  std::vector<Locator> displaced_;  // reused
  std::string scratch_;             // reused
};

}  // namespace tokend::store
