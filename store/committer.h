#pragma once
// The only writer. Takes what all cores left, makes one batch of it, syncs it, answers.
//
// Operation: step() takes everything that waits, up to a named number of operations, and then, in
// this order: 1. write (mint, check the rules, fill the batch) 2. sync 3. invalidate 4. answer.
// While a batch is being synced the next ones are written and their syncs begun; invalidations and
// answers wait for their own batch and all before it, so what a batch's answers say never rests on
// one that may be lost.
// Operations that revoke nothing go home at once, one list for each core. Those that revoke or
// change what caches hold wait in a Broadcast until every core has dropped the old state.
//
// The committer mints the tokens itself, or where it was given shards these do most of it, in its
// order (store/issuing_shard.h): it is the one place where the order of issue is decided,
// so the order of locators is the order of commits, "revoke everything" is simply the next locator,
// the limit of tokens has no ties, and inserts go to the tail of the database.
//
// Concurrency: mailbox_for() and post() to it from any thread; healthy(), last_issued_ms() and
// failure() from any thread; everything else on one thread, CommitterThread's or a simulator's,
// but for what a shard does on its own.
//
// Limits: CommitterOptions, Database::submissions_max(). A failed commit is final: everything after
// it is answered with Errc::unavailable until a restart, because what the disk holds is no longer
// known.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/cache_line.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mailbox.h"
#include "core/metrics.h"
#include "store/bootstrap.h"
#include "store/broadcast.h"
#include "store/database.h"
#include "store/idempotency.h"
#include "store/issuing_policy.h"
#include "store/issuing_shard.h"
#include "store/permission.h"
#include "store/revocation_floors.h"
#include "store/setting.h"
#include "store/write_operation.h"

namespace tokend::store {

// The greatest `tokens_per_user_max` that a server may have.
inline constexpr std::size_t kTokensPerUserMax = 10'000;

// So that what a small store has is all there when it serves, and a large one serves soon.
inline constexpr std::size_t kRecordsLoadedAtOpenMax = 1'000'000;

struct CommitterOptions {
  std::size_t batch_operations_max = 4096;  // the rest goes into the next batch
  // Likewise, behind the operation that passes it.
  std::size_t batch_bytes_max = 4U << 20;
  // A smaller batch waits for one of the syncs that are under way, if they carry more than it
  // would.
  std::size_t overlapping_operations_min = 64;
  std::size_t broadcasts_max = 64;       // batches whose invalidations are not yet acknowledged
  std::size_t tokens_per_user_max = 50;  // dated ones; the oldest beyond it are dropped
  // Live dated tokens of the whole store, and users with such or recently issued for. Of what is
  // left at the start each shard has an equal share.
  std::size_t indexed_tokens_max = 256U << 20;
  std::size_t indexed_users_max = 64U << 20;
  std::size_t personal_tokens_per_user_max = 100;  // at most kPersonalTokensMax
  // How long a request may be repeated with its Idempotency-Key, from the first on.
  std::int64_t idempotency_window_ms = kIdempotencyWindowMsDefault;
  // What is kept of such requests, on the disk and until compaction has removed it; a batch may
  // pass it. Beyond it no request with a new key is begun.
  std::uint64_t idempotency_bytes_max = kIdempotencyBytesMaxDefault;
  // Where nothing is stored; of those given, whatever is stored.
  Settings settings = {};
  SettingSet given_settings = {};
  bool audit = true;  // what changes is recorded (store/audit.h); issuances are the database's
  // Of tokens; core 0 sees to it that the rest is loaded (store/token_load.h).
  std::size_t records_loaded_at_open_max = kRecordsLoadedAtOpenMax;
};

inline constexpr std::size_t kIssuingShardsMax = 16;

struct CommitterParts {
  Database& database;
  const core::Clock& clock;
  core::Waker& waker;   // of the thread that steps
  RandomBytes& random;  // the stepping thread's own
  // None: the committer issues. Else likewise of the thread that steps each shard.
  struct Shard {
    core::Waker& waker;
    RandomBytes& random;
  };
  std::vector<Shard> shards = {};  // at most kIssuingShardsMax
};

class Committer {
 public:
  // Reads the permissions, the users and the index of live tokens, or of a large store the
  // beginning of that. Blocking; before threads run.
  [[nodiscard]] static core::Result<std::unique_ptr<Committer>> open(
      const CommitterParts& parts, const Identity& identity, const CommitterOptions& options);
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // Before threads run. Returns the replica's number.
  [[nodiscard]] std::uint32_t attach(Replica& replica);

  [[nodiscard]] core::Mailbox& mailbox() noexcept;
  // Where an operation is to be left: there, or with the shard of its user.
  [[nodiscard]] core::Mailbox& mailbox_for(const Write& operation) noexcept;
  // Each to be stepped by a thread of its own, until it is idle; it leaves before the committer is
  // stepped for the last time.
  [[nodiscard]] std::span<const std::unique_ptr<IssuingShard>> shards() noexcept;
  // Begins one batch and answers those that are durable. False: there was nothing to do; what is
  // under way or comes back (a Broadcast, a shard's word) ends wait().
  bool step() noexcept;
  // No batch is under way, and no shard is waited for.
  [[nodiscard]] bool idle() const noexcept;
  // Until a batch may be durable or interrupt() is called, from any thread, also earlier.
  void wait() noexcept;
  void interrupt() noexcept;

  [[nodiscard]] bool healthy() const noexcept;
  // Why it is not healthy; for the operator.
  [[nodiscard]] const std::string& failure() const noexcept;
  // No token that anybody can know was issued later than this. Moves before what makes a token
  // known (its answer, or the record of its request) leaves or can be read.
  [[nodiscard]] std::int64_t last_issued_ms() const noexcept;
  [[nodiscard]] const Identity& identity() const noexcept;
  // As of open(); afterwards each core has its own copy.
  [[nodiscard]] const PermissionTable& permissions() const noexcept;
  [[nodiscard]] const IssuingPolicies& policies() const noexcept;
  [[nodiscard]] const Settings& settings() const noexcept;
  [[nodiscard]] const SharedFloors& floors() const noexcept;
  // Tokens whose records open() has not read: from `from` up to, and without, `end`.
  struct Unindexed {
    Locator from;
    Locator end;
  };
  [[nodiscard]] std::optional<Unindexed> unindexed() const noexcept;

  // What has become durable. The stepping thread counts, any may read.
  struct alignas(core::kCacheLineBytes) Counters {
    core::Count batches;
    core::Count operations;
    core::Count tokens_issued;
    core::Count tokens_removed;  // beyond the limit, revoked one by one, or with their user
    core::Count broadcasts;
    // Of batches, from the beginning of their sync until they and all before them were durable.
    core::DurationHistogram syncs;
  };
  [[nodiscard]] const Counters& counters() const noexcept;
  // While no shard issues.
  [[nodiscard]] std::size_t indexed_tokens() const noexcept;

 private:
  struct Impl;
  explicit Committer(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokend::store
