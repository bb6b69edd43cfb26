#pragma once
// What stands behind RocksDatabase: RocksDB, its journal, and the keeper, a thread that makes
// checkpoints and spare files for the journal. Only for store/rocks*.cpp.

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/slice.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/descriptor.h"
#include "core/error.h"
#include "store/journal.h"
#include "store/rocks.h"
#include "store/rocks_tuning.h"

namespace tokend::store {

inline rocksdb::Slice slice(std::string_view text) noexcept { return {text.data(), text.size()}; }
inline std::string_view view(const rocksdb::Slice& bytes) noexcept {
  return {bytes.data(), bytes.size()};
}

inline core::Error translated(const rocksdb::Status& status) {
  const core::Errc code = status.IsCorruption() ? core::Errc::corrupt : core::Errc::io;
  return {code, "RocksDB: " + status.ToString()};
}

class RocksBatch final : public Batch {
 public:
  explicit RocksBatch(const std::vector<rocksdb::ColumnFamilyHandle*>& families) noexcept
      : families_(families) {}
  // A status other than ok means a bug: these fail only on unknown families and absurd sizes.
  void put(Family family, std::string_view key, std::string_view value) override {
    CHECK(batch_.Put(handle(family), slice(key), slice(value)).ok());
  }
  void remove(Family family, std::string_view key) override {
    CHECK(batch_.Delete(handle(family), slice(key)).ok());
  }
  void clear() noexcept override { batch_.Clear(); }
  std::size_t count() const noexcept override { return static_cast<std::size_t>(batch_.Count()); }
  std::size_t bytes() const noexcept override { return batch_.GetDataSize(); }
  rocksdb::WriteBatch& rocks() noexcept { return batch_; }

 private:
  rocksdb::ColumnFamilyHandle* handle(Family family) const noexcept {
    return families_[static_cast<std::size_t>(family)];
  }
  const std::vector<rocksdb::ColumnFamilyHandle*>& families_;
  rocksdb::WriteBatch batch_;
};

struct RocksDatabase::Impl {
  Impl(const RocksOptions& given, const core::Clock& clock);
  ~Impl();

  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(Family family) const noexcept {
    return families[static_cast<std::size_t>(family)];
  }

  core::Result<void> open_database();
  core::Result<void> open_journal();
  core::Result<void> replay_journal();
  core::Result<void> write_empty_frame();
  core::Result<void> checkpoint();
  void wake_keeper();
  void stop_keeper();
  void keep();

  const RocksOptions options;
  const std::shared_ptr<rocksdb::Cache> block_cache;
  const ExpiryFilter expiry;
  core::Descriptor lock;
  std::unique_ptr<rocksdb::DB> database;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::ReadOptions memory_reads;
  rocksdb::ReadOptions disk_reads;
  rocksdb::WriteOptions unlogged;
  std::string warning;

  // The committing thread's.
  std::deque<RocksBatch*> under_way;
  bool failed = false;

  std::unique_ptr<Journal> journal;
  bool is_open = false;        // completely; before that nothing is claimed of the journal
  bool raises_format = false;  // with the next checkpoint
  JournalMark mark;            // the keeper's while it runs
  std::atomic<std::uint64_t> applied{0};  // RocksDB's memory holds everything up to here

  std::thread keeper;
  std::mutex keeper_mutex;  // guards the two below
  std::condition_variable keeper_wakes;
  bool keeper_wanted = false;
  bool keeper_stops = false;
};

}  // namespace tokend::store
