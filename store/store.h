#pragma once
// The store as one core sees it: authenticate, look up, issue, revoke. The only class of this
// folder that http/api calls.
//
// Operation: what memory holds is answered at once. A read that memory does not hold tries the
// database's memory (memtables and block cache) and then goes to a worker. Every write goes to the
// committer. Answers come home through the core's mailbox.
//
// Concurrency: one instance per core, used on that core's thread only; no locks. The permissions
// and the caches are the core's own copies, kept true by the committer's invalidations.
//
// Invariant (ARCHITECTURE.md, invariant 3): an entry that was read before a revocation never enters
// a cache after the revocation was applied to it. A read that left for a worker remembers the
// epochs of its keys; the answer fills the cache only if no invalidation has moved them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/cache_line.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mailbox.h"
#include "core/metrics.h"
#include "core/outbox.h"
#include "core/timers.h"
#include "store/operation.h"
#include "store/password.h"
#include "store/read_operation.h"
#include "store/token_id.h"
#include "store/write_operation.h"

namespace tokend::store {

class Committer;
class Database;
class Executor;
class MissGuard;

// The longest rest between two pages of StoreOptions::load_records_max.
inline constexpr std::int64_t kLoadRestMsMax = 100;

struct StoreOptions {
  std::size_t token_cache_entries = 1U << 20;  // of each core; rounded up to a power of two
  std::size_t user_cache_entries = 1U << 17;   // of each core; rounded up to a power of two
  int bcrypt_cost = kBcryptCostDefault;        // of passwords hashed from now on
  // A trip of the removal of what floors have revoked (store/store_revocations.cpp). Records that a
  // worker looks at, whose other askers wait meanwhile: some milliseconds.
  std::size_t removal_records_max = 8192;
  // Tokens that the committer then removes: one operation, a small part of a batch.
  std::size_t removal_tokens_max = 1024;
  // Of these personal ones, for each of which it may have to read a list from the disk.
  std::size_t removal_personal_max = 32;
  // A page of the rest of the start (store/store_load.cpp): the committer takes it into its index
  // in one go, in which it answers nobody.
  std::size_t load_records_max = 2048;
  // Of the audit's lists; 0: there is no audit, and they are empty.
  std::int64_t audit_retention_ms = kAuditKeptForEver;
};

struct StoreParts {
  const Database& database;
  Committer& committer;
  Executor& readers;    // disk reads that memory could not answer
  Executor& hashers;    // bcrypt
  core::Mailbox& home;  // of this core
  const core::TurnClock& clock;
  // Only tests pass one of their own (store/miss_guard.h).
  MissGuard* guard = nullptr;
  // Where writes wait for the end of the core's turn; nullptr: they leave at once.
  core::Outbox* outbox = nullptr;
  // Of this core; it outlives the store. nullptr: a removal of what floors have revoked, or the
  // rest of a start, that can't go on is left to the next start.
  core::TimerWheel* timers = nullptr;
  core::Log* log = nullptr;  // of this core; nullptr: there is no operator to tell
};

// Whoever derives something from the settings.
class SettingsWatcher {
 public:
  // On the core's thread, between requests, when settings() has changed; before the change is
  // answered.
  virtual void on_settings_changed() noexcept = 0;

 protected:
  ~SettingsWatcher() = default;
};

// Constructed after Committer::open and before any thread runs: it joins the committer's replicas
// and copies the permissions, policies and settings. Destroyed after all threads ended.
class Store {
 public:
  Store(const StoreParts& parts, const StoreOptions& options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void authenticate(Authenticate& operation) noexcept;
  // Empty for what no token can look like. The same text always gives the same; the holder's id, if
  // it is known, only makes authenticate() faster.
  [[nodiscard]] std::optional<TokenProof> read_token(std::string_view text,
                                                     std::string_view holder = {}) noexcept;
  void find_user(FindUser& operation) noexcept;
  void resolve_usernames(ResolveUsernames& operation) noexcept;
  void list_users(ListUsers& operation) noexcept;
  void list_personal_tokens(ListPersonalTokens& operation) noexcept;
  void list_tokens(ListTokens& operation) noexcept;
  void find_token(FindToken& operation) noexcept;
  // What is older than the audit's retention is not shown, whatever the query says.
  void list_audit(ListAudit& operation) noexcept;
  // What a token of this store is called in public, and a record of the audit likewise.
  [[nodiscard]] TokenId id_of(const Locator& token) noexcept;
  [[nodiscard]] std::optional<Locator> locator_of(std::string_view id) noexcept;

  // A request of `issuer` with this Idempotency-Key (store/idempotency.h).
  void name_request(const UserId& issuer, std::string_view key, KeyedRequest& request) noexcept;
  void find_keyed(FindKeyed& operation) noexcept;
  // The text of a token that `request.items[item]` says was issued.
  [[nodiscard]] TokenText token_of(const KeyedRequest& request, std::uint32_t item) noexcept;

  void write(Write& operation) noexcept;
  // Now, as far as tokens tell: where the last issue is not before it (also because the clock was
  // set back), the moment after that issue. RevokeTokens ends nothing more for a later `before_ms`.
  [[nodiscard]] std::int64_t latest_bound_ms() const noexcept;

  // The continuation never runs before this returns.
  void go_on_next_turn(NextTurn& operation) noexcept;

  void hash_password(HashPassword& operation) noexcept;
  void verify_password(VerifyPassword& operation) noexcept;

  [[nodiscard]] const PermissionTable& permissions() const noexcept;
  [[nodiscard]] const IssuingPolicies& policies() const noexcept;
  // The object stays the same; what it says changes between turns.
  [[nodiscard]] const Settings& settings() const noexcept;
  // One at most. It stays until the core's thread has ended.
  void watch_settings(SettingsWatcher& watcher) noexcept;
  // False after a failed sync: nothing is acknowledged until a restart.
  [[nodiscard]] bool healthy() const noexcept;

  struct alignas(core::kCacheLineBytes) Counters {
    // Of the caches, each look-up once, also one that a worker had to be asked for.
    core::Count token_hits;
    core::Count token_misses;
    core::Count user_hits;  // by id or by name
    core::Count user_misses;
    core::Count worker_reads;
    core::Count guarded_fills;  // an answer came home after its key had been invalidated
  };
  // This core's thread counts, any may read.
  [[nodiscard]] const Counters& counters() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokend::store
