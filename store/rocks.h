#pragma once
// Database over RocksDB, tuned for one writer whose keys ascend. The one file pair that knows
// RocksDB: its statuses are translated here and its options argued here.
//
// Operation: RocksDB's own log is off; a batch is durable when it is in the journal
// (store/journal.h), and is made visible then, in order: its new tokens in the tail
// (store/token_tail.h), all else in RocksDB's memory, tokens that are removed from tables in a set
// (store/token_removals.h). A thread, the keeper, makes tables for RocksDB of each full segment of
// the tail: one of the tokens that are left, and one of all that were issued, for the audit; and
// of each full set one of removals. When the journal has become long it has all that is in
// memory written into tables, notes how far they reach (the checkpoint) and releases the journal up
// to there. What is behind the checkpoint is put in again at the start; that does no harm where a
// table has it already, because a batch sets what it names and adds nothing up.
//
// Concurrency: submit(), collect(), wait() and commit() from one thread at a time; reads and
// interrupt() from any.
// Limits: RocksOptions.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/error.h"
#include "store/audit.h"
#include "store/database.h"

namespace tokend::store {

struct RocksOptions {
  std::string directory;  // made with mode 0700; RocksDB lives in `db` below it
  std::size_t block_cache_bytes = 256U << 20;
  // Of the tail of tokens, which has four at most. A set of removals has half of it.
  std::size_t token_segment_bytes = 64U << 20;
  std::size_t journal_bytes_max = 256U << 20;  // beyond it a checkpoint is made
  std::size_t journal_file_bytes = 16U << 20;
  std::size_t journal_writes_max = 4;  // under way at once; at most kJournalWritesMax
  int background_jobs_max = 2;
  // Expired tokens stay readable for this long, so that a clock that ran ahead for a while
  // destroys nothing.
  std::int64_t expired_kept_ms = 24LL * 3600 * 1000;
  // How long the audit is kept (the families `audit` and `issuances`). 0: there is none, issued
  // tokens leave nothing there, and what was there is removed.
  std::int64_t audit_retention_ms = kAuditKeptForEver;
  std::int64_t rewrite_after_s = 30LL * 24 * 3600;  // so that old files lose their expired tokens
  // Likewise what is kept of keyed requests, most of which is soon forgotten.
  std::int64_t idempotency_rewrite_after_s = 24LL * 3600;
  std::size_t spare_bytes_at_start = 4U << 20;  // free on the disk, beside the logs once more
  // Goes on with what lies before the damage in the journal, whose files are copied to
  // `damaged-journal` first.
  bool accept_log_damage = false;
  const std::atomic<bool>* journal_writes_fail = nullptr;  // tests inject failures here
};

class RocksDatabase final : public Database {
 public:
  // Errc::io: the directory can't be made or written, or its disk is full; Errc::unavailable:
  // another process uses it; Errc::refused: a newer version wrote it; Errc::corrupt: RocksDB or its
  // journal is damaged. Each with a message for the operator.
  [[nodiscard]] static core::Result<std::unique_ptr<RocksDatabase>> open(
      const RocksOptions& options, const core::Clock& clock);
  ~RocksDatabase() override;

  [[nodiscard]] core::Result<Found> get(Family family, std::string_view key, Reach reach,
                                        std::string& value) const override;
  [[nodiscard]] core::Result<void> scan(
      Family family, std::string_view from,
      const std::function<bool(std::string_view key, std::string_view value)>& visit)
      const override;
  [[nodiscard]] core::Result<void> scan_back(
      Family family, std::string_view before,
      const std::function<bool(std::string_view key, std::string_view value)>& visit)
      const override;
  [[nodiscard]] core::Result<std::string> last_key(Family family) const override;
  [[nodiscard]] std::uint64_t bytes_of(Family family) const override;
  [[nodiscard]] std::unique_ptr<Batch> make_batch() const override;
  [[nodiscard]] core::Result<void> submit(Batch& batch) override;
  [[nodiscard]] core::Result<bool> collect() override;
  void wait() noexcept override;
  void interrupt() noexcept override;
  [[nodiscard]] std::size_t submissions_max() const noexcept override;

  // What the operator should know of the opening; empty when nothing.
  [[nodiscard]] const std::string& warning() const noexcept;

  // Flushes and compacts everything; for tests and offline administration.
  [[nodiscard]] core::Result<void> compact();
  // Removes what is older than the audit's retention, as the keeper does every hour: whole tables
  // of issued tokens, all else one by one. What of it is still in a table with something younger
  // stays on the disk until that is old. Any thread.
  [[nodiscard]] core::Result<void> forget_old_audit();

 private:
  struct Impl;
  explicit RocksDatabase(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokend::store
