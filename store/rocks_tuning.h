#pragma once
// How RocksDB is set up for what the families hold, and the filter that drops expired tokens.
// Concurrency: the functions are for any thread; RocksDB calls the filter on its own.

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/options.h>
#include <rocksdb/slice.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "store/database.h"
#include "store/rocks.h"

namespace tokend::store {

// Drops what has expired some time ago, when its file is rewritten anyway.
class ExpiryFilter final : public rocksdb::CompactionFilter {
 public:
  // `expiry_of` says when a value expires, or that it never does.
  using ExpiryOf = std::optional<std::int64_t> (*)(std::string_view value) noexcept;
  ExpiryFilter(const core::Clock& clock, std::int64_t kept_ms, ExpiryOf expiry_of) noexcept
      : clock_(clock),
        kept_ms_(kept_ms),
        expiry_of_(expiry_of) {}
  const char* Name() const override { return "tokend.expiry"; }
  bool Filter(int level, const rocksdb::Slice& key, const rocksdb::Slice& value,
              std::string* new_value, bool* value_changed) const override;

 private:
  const core::Clock& clock_;
  const std::int64_t kept_ms_;
  const ExpiryOf expiry_of_;
};

[[nodiscard]] rocksdb::DBOptions database_options(const RocksOptions& options);

// What expires, by family. They must live as long as the database.
struct ExpiryFilters {
  const ExpiryFilter tokens;
  const ExpiryFilter idempotency;
};
[[nodiscard]] rocksdb::ColumnFamilyOptions family_options(
    Family family, const RocksOptions& options, const std::shared_ptr<rocksdb::Cache>& block_cache,
    const ExpiryFilters& expiry);
// The first level behind level 0 that the family of tokens needs where its largest one has so many
// bytes.
[[nodiscard]] int first_level_of_tokens(const RocksOptions& options, std::uint64_t bytes) noexcept;

}  // namespace tokend::store
