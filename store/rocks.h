#pragma once
// Database over RocksDB, tuned for one writer whose keys ascend. The one file pair that knows
// RocksDB: its statuses are translated here and its options argued here.
//
// Concurrency: commit() from one thread; reads from any.
// Limits: RocksOptions.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/error.h"
#include "store/database.h"

namespace rocksdb {
class Env;
}

namespace tokend::store {

struct RocksOptions {
  std::string directory;  // made with mode 0700; RocksDB lives in `db` below it
  std::size_t block_cache_bytes = 256U << 20;
  std::size_t token_memtable_bytes = 64U << 20;  // each; at most four wait to be flushed
  std::size_t wal_bytes_max = 512U << 20;
  int background_jobs_max = 2;
  // Expired tokens stay readable for this long, so that a clock that ran ahead for a while
  // destroys nothing.
  std::int64_t expired_kept_ms = 24LL * 3600 * 1000;
  std::int64_t rewrite_after_s = 30LL * 24 * 3600;  // so that old files lose their expired tokens
  std::size_t spare_bytes_at_start = 4U << 20;      // free on the disk, beside the logs once more
  // Goes on with what RocksDB recovers of damaged write-ahead logs (store/log_check.h). They are
  // copied to `damaged-logs` first.
  bool accept_log_damage = false;
  rocksdb::Env* env = nullptr;  // tests inject failures here; else the system's
};

class RocksDatabase final : public Database {
 public:
  // Errc::io: the directory can't be made or written, or its disk is full; Errc::unavailable:
  // another process uses it; Errc::refused: a newer version wrote it; Errc::corrupt: it or its
  // write-ahead log is damaged. Each with a message for the operator.
  [[nodiscard]] static core::Result<std::unique_ptr<RocksDatabase>> open(
      const RocksOptions& options, const core::Clock& clock);
  ~RocksDatabase() override;

  [[nodiscard]] core::Result<Found> get(Family family, std::string_view key, Reach reach,
                                        std::string& value) const override;
  [[nodiscard]] core::Result<void> scan(
      Family family, std::string_view from,
      const std::function<bool(std::string_view key, std::string_view value)>& visit)
      const override;
  [[nodiscard]] core::Result<std::string> last_key(Family family) const override;
  [[nodiscard]] std::unique_ptr<Batch> make_batch() const override;
  [[nodiscard]] core::Result<void> commit(Batch& batch) override;

  // What the operator should know of the opening; empty when nothing.
  [[nodiscard]] const std::string& warning() const noexcept;

  // Flushes and compacts everything; for tests and offline administration.
  [[nodiscard]] core::Result<void> compact();

 private:
  struct Impl;
  explicit RocksDatabase(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokend::store
