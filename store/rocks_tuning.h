#pragma once
// How RocksDB is set up for what the families hold, and the filter that drops expired tokens.
// Concurrency: the functions are for any thread; RocksDB calls the filter on its own.

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/options.h>
#include <rocksdb/slice.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/clock.h"
#include "store/database.h"
#include "store/rocks.h"

namespace tokend::store {

// Drops tokens some time after they expired, when their file is rewritten anyway.
class ExpiryFilter final : public rocksdb::CompactionFilter {
 public:
  ExpiryFilter(const core::Clock& clock, std::int64_t kept_ms) noexcept
      : clock_(clock),
        kept_ms_(kept_ms) {}
  const char* Name() const override { return "tokend.expiry"; }
  bool Filter(int level, const rocksdb::Slice& key, const rocksdb::Slice& value,
              std::string* new_value, bool* value_changed) const override;

 private:
  const core::Clock& clock_;
  const std::int64_t kept_ms_;
};

[[nodiscard]] rocksdb::DBOptions database_options(const RocksOptions& options);

// `expiry` must live as long as the database.
[[nodiscard]] rocksdb::ColumnFamilyOptions family_options(
    Family family, const RocksOptions& options, const std::shared_ptr<rocksdb::Cache>& block_cache,
    const rocksdb::CompactionFilter& expiry);

}  // namespace tokend::store
