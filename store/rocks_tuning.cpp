#include "store/rocks_tuning.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "store/token.h"

namespace tokend::store {
namespace {

// Of tokens.
constexpr std::uint64_t kSegmentsMergedAtOnce = 16;
constexpr std::uint64_t kLevelMultiplier = 4;
constexpr int kLevels = 7;  // RocksDB's default
// Tables of removals in level 0: so many are merged at once, and where merging lags behind all
// writes are slowed down, then stopped.
constexpr int kRemovalTablesMerged = 8;
constexpr int kRemovalTablesSlowed = 64;
constexpr int kRemovalTablesMax = 128;

}  // namespace

bool ExpiryFilter::Filter(int /*level*/, const rocksdb::Slice& /*key*/, const rocksdb::Slice& value,
                          std::string* /*new_value*/, bool* /*value_changed*/) const {
  const auto expires_ms = expiry_of_({value.data(), value.size()});
  return expires_ms && *expires_ms < clock_.wall_ms() - kept_ms_;
}

rocksdb::DBOptions database_options(const RocksOptions& options) {
  rocksdb::DBOptions rocks;
  rocks.create_if_missing = true;
  rocks.create_missing_column_families = true;
  // One writer: the machinery for many costs each batch something and gains nothing.
  rocks.allow_concurrent_memtable_write = false;
  rocks.enable_write_thread_adaptive_yield = false;
  // All files stay open, their indexes in memory: a look-up touches the disk for data only.
  rocks.max_open_files = -1;
  rocks.max_background_jobs = options.background_jobs_max;
  // Only a store of a former version has anything in RocksDB's own log. RocksDB alone cannot tell
  // the tear of a crash from damage.
  rocks.wal_recovery_mode = options.accept_log_damage
                                ? rocksdb::WALRecoveryMode::kPointInTimeRecovery
                                : rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  rocks.bytes_per_sync = 1U << 20;
  rocks.avoid_unnecessary_blocking_io = true;
  // After a failed commit nothing is tried again until a restart (ARCHITECTURE.md, invariant 7).
  rocks.max_bgerror_resume_count = 0;
  rocks.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  rocks.max_log_file_size = 4U << 20;
  rocks.keep_log_file_num = 4;
  rocks.stats_dump_period_sec = 0;
  rocks.stats_persist_period_sec = 0;
  return rocks;
}

rocksdb::ColumnFamilyOptions family_options(Family family, const RocksOptions& options,
                                            const std::shared_ptr<rocksdb::Cache>& block_cache,
                                            const ExpiryFilters& expiry) {
  rocksdb::ColumnFamilyOptions rocks;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = block_cache;
  table.format_version = 5;
  table.cache_index_and_filter_blocks = false;
  if (family == Family::tokens) {
    // Tokens come as whole tables (store/rocks_ingest.cpp) that do not overlap, so they go to the
    // last level at once and compaction moves what it must without reading it. There a Bloom filter
    // would say what the key range says. RocksDB's memory sees nothing of them. Compression would
    // read and write hashes.
    rocks.target_file_size_base = options.token_segment_bytes;
    rocks.optimize_filters_for_hits = true;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    // Removals come as tables over the range of all tokens, about a million in each. They gather in
    // level 0, whose Bloom filters a look-up asks one by one, until eight have come together. Then
    // they are merged with what they remove: at once in a store of up to 16 segments, over levels
    // between in a larger one, which would be written as a whole too often. Levels of a fixed size
    // would take gigabytes of removals before the first token left the disk.
    rocks.num_levels = kLevels;
    rocks.level0_file_num_compaction_trigger = kRemovalTablesMerged;
    rocks.level0_slowdown_writes_trigger = kRemovalTablesSlowed;
    rocks.level0_stop_writes_trigger = kRemovalTablesMax;
    rocks.level_compaction_dynamic_level_bytes = true;
    rocks.max_bytes_for_level_base = kSegmentsMergedAtOnce * options.token_segment_bytes;
    rocks.max_bytes_for_level_multiplier = kLevelMultiplier;
    rocks.compression = rocksdb::kNoCompression;
    rocks.compaction_filter = &expiry.tokens;
    rocks.periodic_compaction_seconds = static_cast<std::uint64_t>(options.rewrite_after_s);
    table.block_size = 8U << 10;
  } else if (family == Family::issuances) {
    // Whole tables likewise, that nobody looks anything up in. The keeper makes them beside those
    // of the tokens, on the processor that serves: compression would cost what it has no time for.
    rocks.compression = rocksdb::kNoCompression;
    table.block_size = 16U << 10;
  } else {
    rocks.write_buffer_size = 16U << 20;
    rocks.compression = rocksdb::kLZ4Compression;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.block_size = 4U << 10;
    if (family == Family::idempotency) {
      // Most of it is forgotten before it is read, so that its files are rewritten for.
      rocks.compaction_filter = &expiry.idempotency;
      rocks.periodic_compaction_seconds =
          static_cast<std::uint64_t>(options.idempotency_rewrite_after_s);
    }
  }
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return rocks;
}

// As RocksDB chooses it for a store that has used no level before it.
int first_level_of_tokens(const RocksOptions& options, std::uint64_t bytes) noexcept {
  int level = kLevels - 1;
  for (; level > 1 && bytes > kSegmentsMergedAtOnce * options.token_segment_bytes; --level) {
    bytes /= kLevelMultiplier;
  }
  return level;
}

}  // namespace tokend::store
