#include "store/rocks.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "store/data_directory.h"
#include "store/idempotency.h"
#include "store/rocks_impl.h"
#include "store/token.h"

namespace tokend::store {
namespace {

using core::Errc;
using core::fail;
using core::Result;

// One is filled and one written into a table; the others are for when that takes long.
constexpr std::size_t kTailSegmentsMax = 4;
constexpr std::size_t kRemovalSetsMax = 4;

// So that a set of removals takes half of the memory that a segment of the tail takes.
constexpr std::size_t kSegmentBytesPerRemoval = 64;

constexpr std::size_t kFamilyCount = static_cast<std::size_t>(Family::count_);

// RocksDB insists on a family called "default"; `meta` lives there.
constexpr std::array<const char*, kFamilyCount> kFamilyNames = {
    "default",     "tokens",      "users",           "usernames", "emails",
    "members",     "permissions", "personal_tokens", "settings",  "revocations",
    "idempotency", "audit",       "issuances"};

Result<void> check_families(const rocksdb::DBOptions& options, const std::string& path) {
  std::vector<std::string> present;
  // An error means that there is no database yet; opening tells of any other.
  if (!rocksdb::DB::ListColumnFamilies(options, path, &present).ok()) return {};
  for (const std::string& name : present) {
    if (std::ranges::find(kFamilyNames, name) == kFamilyNames.end()) {
      return fail(Errc::refused,
                  "the store was written by a newer version of this program: it has "
                  "a family called " +
                      name);
    }
  }
  return {};
}

}  // namespace

RocksDatabase::Impl::Impl(const RocksOptions& given, const core::Clock& its_clock)
    : options(given),
      block_cache(rocksdb::NewLRUCache(given.block_cache_bytes)),
      expiry{.tokens = {its_clock, given.expired_kept_ms, expiry_of_token_record},
             .idempotency = {its_clock, given.expired_kept_ms, window_end_of_part}},
      clock(its_clock),
      token_tables(database_options(given),
                   family_options(Family::tokens, given, block_cache, expiry)),
      issuance_tables(database_options(given),
                      family_options(Family::issuances, given, block_cache, expiry)),
      tail({.segment_bytes = given.token_segment_bytes, .segments_max = kTailSegmentsMax}),
      removals({.set_keys = given.token_segment_bytes / kSegmentBytesPerRemoval,
                .sets_max = kRemovalSetsMax}) {
  memory_reads.read_tier = rocksdb::kBlockCacheTier;
  unlogged.disableWAL = true;
}

RocksDatabase::Impl::~Impl() {
  spare_maker.stop();
  keeper.stop();
  // So that the next start has nothing to replay; if it fails, it has.
  const bool checkpointed = is_open && !failed && checkpoint().has_value();
  static_cast<void>(checkpointed);
  journal.reset();
  for (rocksdb::ColumnFamilyHandle* family : families) {
    if (database) static_cast<void>(database->DestroyColumnFamilyHandle(family));
  }
  if (database) static_cast<void>(database->Close());
  database.reset();
}

RocksDatabase::RocksDatabase(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
RocksDatabase::~RocksDatabase() = default;

Result<std::unique_ptr<RocksDatabase>> RocksDatabase::open(const RocksOptions& options,
                                                           const core::Clock& clock) {
  auto impl = std::make_unique<Impl>(options, clock);
  auto lock = lock_directory(options.directory);
  if (!lock) return std::unexpected(std::move(lock).error());
  impl->lock = *std::move(lock);
  if (const auto space =
          check_space(options.directory, options.spare_bytes_at_start, options.journal_file_bytes);
      !space) {
    return std::unexpected(space.error());
  }
  if (auto opened = impl->open_database(); !opened) return std::unexpected(opened.error());
  if (auto made = impl->prepare_ingestion(); !made) return std::unexpected(made.error());
  if (auto opened = impl->open_journal(); !opened) return std::unexpected(opened.error());
  if (auto started = impl->start_threads(); !started) return std::unexpected(started.error());
  return std::unique_ptr<RocksDatabase>(new RocksDatabase(std::move(impl)));
}

Result<void> RocksDatabase::Impl::open_database() {
  const std::string path = options.directory + "/db";
  const rocksdb::DBOptions rocks = database_options(options);
  if (const auto known = check_families(rocks, path); !known) return std::unexpected(known.error());
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (std::size_t i = 0; i < kFamilyCount; ++i) {
    descriptors.emplace_back(kFamilyNames[i],
                             family_options(static_cast<Family>(i), options, block_cache, expiry));
  }
  // Nobody who is served waits for a compaction: it gets what those leave who answer requests.
  static_cast<void>(rocks.env->LowerThreadPoolCPUPriority(rocksdb::Env::Priority::LOW,
                                                          rocksdb::CpuPriority::kLow));
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(rocks, path, descriptors, &families, &opened);
  database.reset(opened);
  if (!status.ok()) {
    core::Error error = translated(status);
    if (status.IsCorruption()) {
      error.message +=
          ". If that is the end of a log that a crash of a former version tore, start tokend once "
          "with --accept-log-damage";
    }
    return std::unexpected(std::move(error));
  }
  return {};
}

// Of the tokens without their tail.
std::uint64_t RocksDatabase::bytes_of(Family family) const {
  std::uint64_t sum = 0;
  for (const std::string& property : {rocksdb::DB::Properties::kLiveSstFilesSize,
                                      rocksdb::DB::Properties::kCurSizeAllMemTables}) {
    std::uint64_t bytes = 0;
    CHECK(impl_->database->GetIntProperty(impl_->handle(family), property, &bytes));
    sum += bytes;
  }
  return sum;
}

std::unique_ptr<Batch> RocksDatabase::make_batch() const {
  return std::make_unique<RocksBatch>(impl_->families);
}

Result<void> RocksDatabase::submit(Batch& batch) {
  if (impl_->failed) return fail(Errc::unavailable, "an earlier commit failed");
  auto& rocks = static_cast<RocksBatch&>(batch);
  rocks.place_behind(impl_->last_token_key);
  const auto took_file = impl_->journal->append(rocks.seal());
  if (!took_file) {
    impl_->failed = true;
    return fail(Errc::unavailable, "a commit failed: " + took_file.error().message);
  }
  if (*took_file) {
    impl_->spare_maker.wake();
    impl_->keeper.wake();
  }
  impl_->under_way.push_back(&rocks);
  return {};
}

Result<bool> RocksDatabase::collect() {
  if (impl_->failed) return fail(Errc::unavailable, "an earlier commit failed");
  const auto collected = impl_->journal->collect();
  if (!collected) {
    impl_->failed = true;
    return fail(Errc::unavailable, "a commit failed: " + collected.error().message);
  }
  if (!*collected) return false;
  RocksBatch* batch = impl_->under_way.front();
  impl_->under_way.pop_front();
  if (auto applied = impl_->apply(*batch); !applied) {
    impl_->failed = true;
    return fail(Errc::unavailable, "a commit failed: " + applied.error().message);
  }
  impl_->applied.fetch_add(1, std::memory_order_release);
  return true;
}

// Of a batch that is durable.
Result<void> RocksDatabase::Impl::apply(RocksBatch& batch) {
  const auto sealed = tail.append(batch.entries());
  if (!sealed) return std::unexpected(sealed.error());
  if (*sealed) keeper.wake();
  tail.keep_pace(batch.entries().size());
  if (batch.rest().Count() > 0) {
    const rocksdb::Status status = database->Write(unlogged, &batch.rest());
    if (!status.ok()) return std::unexpected(translated(status));
  }
  // Last: what is removed is where it is removed from by then.
  removed_from_tables.clear();
  for (std::string_view left = batch.removed(); !left.empty();
       left.remove_prefix(TokenTail::kKeyBytes)) {
    const std::string_view key = left.substr(0, TokenTail::kKeyBytes);
    if (!tail.remove(key)) removed_from_tables.append(key);
  }
  return remove_from_tables(removed_from_tables);
}

Result<void> RocksDatabase::Impl::remove_from_tables(std::string_view tokens) {
  const auto sealed = removals.add(tokens);
  if (!sealed) return std::unexpected(sealed.error());
  if (*sealed) keeper.wake();
  return {};
}

void RocksDatabase::wait() noexcept { impl_->journal->wait(); }
void RocksDatabase::interrupt() noexcept { impl_->journal->interrupt(); }
std::size_t RocksDatabase::submissions_max() const noexcept {
  return impl_->options.journal_writes_max;
}

const std::string& RocksDatabase::warning() const noexcept { return impl_->warning; }

Result<void> RocksDatabase::forget_old_audit() { return impl_->forget_old_audit(); }

Result<void> RocksDatabase::compact() {
  impl_->seal();
  if (auto handed_over = impl_->hand_over(); !handed_over) return handed_over;
  for (rocksdb::ColumnFamilyHandle* family : impl_->families) {
    if (const auto status = impl_->database->Flush({}, family); !status.ok()) {
      return std::unexpected(translated(status));
    }
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    const auto status = impl_->database->CompactRange(options, family, nullptr, nullptr);
    if (!status.ok()) return std::unexpected(translated(status));
  }
  return {};
}

}  // namespace tokend::store
