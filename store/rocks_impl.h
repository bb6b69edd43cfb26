#pragma once
// What stands behind RocksDatabase: RocksDB, its journal, the tail of tokens, their removals, and
// two threads: one makes spare files for the journal, the other one writes the tail and the
// removals into tables and makes checkpoints. Only for store/rocks*.cpp.

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/descriptor.h"
#include "core/error.h"
#include "store/background_thread.h"
#include "store/journal.h"
#include "store/rocks.h"
#include "store/rocks_batch.h"
#include "store/rocks_tuning.h"
#include "store/token.h"
#include "store/token_removals.h"
#include "store/token_tail.h"

namespace tokend::store {

inline core::Error translated(const rocksdb::Status& status) {
  const core::Errc code = status.IsCorruption() ? core::Errc::corrupt : core::Errc::io;
  return {code, "RocksDB: " + status.ToString()};
}

struct RocksDatabase::Impl {
  Impl(const RocksOptions& given, const core::Clock& clock);
  ~Impl();

  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(Family family) const noexcept {
    return families[static_cast<std::size_t>(family)];
  }

  core::Result<void> open_database();
  core::Result<void> open_journal();
  core::Result<void> replay_journal();
  core::Result<void> replay(std::string_view payload);
  core::Result<void> write_empty_frame();
  core::Result<void> apply(RocksBatch& batch);
  core::Result<void> remove_from_tables(std::string_view tokens);
  core::Result<void> start_threads();
  void keep();
  void rewrite_old_files();
  void leave_former_levels();
  core::Result<void> checkpoint();
  core::Result<void> prepare_ingestion();
  void seal();
  core::Result<void> hand_over();
  core::Result<void> hand_over_tokens();
  core::Result<void> hand_over_removals();
  core::Result<void> ingest(const TokenTail::Segment& segment);
  core::Result<void> ingest(const TokenRemovals::Set& removals);
  core::Result<void> forget_old_audit();
  [[nodiscard]] bool keeps_audit() const noexcept { return options.audit_retention_ms > 0; }

  const RocksOptions options;
  const std::shared_ptr<rocksdb::Cache> block_cache;
  const ExpiryFilters expiry;
  core::Descriptor lock;
  std::unique_ptr<rocksdb::DB> database;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::ReadOptions memory_reads;
  rocksdb::ReadOptions disk_reads;
  rocksdb::WriteOptions unlogged;
  const core::Clock& clock;
  rocksdb::Options token_tables;     // how the tail's tables are made, and those of removals
  rocksdb::Options issuance_tables;  // likewise
  std::string warning;

  // The committing thread's.
  std::string removed_from_tables;  // room for a batch's
  std::deque<RocksBatch*> under_way;
  std::string last_token_key;  // the greatest that went to the tail
  bool failed = false;

  std::unique_ptr<Journal> journal;
  bool is_open = false;        // completely; before that nothing is claimed of the journal
  bool raises_format = false;  // with the next checkpoint
  JournalMark mark;            // the keeper's while it runs
  // RocksDB's memory, the tail and the removals hold all up to here.
  std::atomic<std::uint64_t> applied{0};

  TokenTail tail;
  TokenRemovals removals;
  std::mutex hand_over_mutex;  // one hand-over at a time; guards the next two
  std::uint64_t tables_made = 0;
  std::vector<Locator> removed_in_order;  // room for a set's

  // The keeper's.
  std::optional<std::int64_t> audit_cut_ns;  // when it last forgot old records
  bool has_left_former_levels = false;
  int former_level = 0;  // that it suggested last

  // Last, so that they are stopped before what they use goes.
  BackgroundThread spare_maker;
  BackgroundThread keeper;
};

}  // namespace tokend::store
