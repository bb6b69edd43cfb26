#include "store/rocks.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "store/log_check.h"
#include "store/log_file_system.h"
#include "store/token.h"

namespace tokend::store {
namespace {

using core::Errc;
using core::fail;
using core::Result;

constexpr std::size_t kFamilyCount = static_cast<std::size_t>(Family::count_);

// RocksDB insists on a family called "default"; `meta` lives there.
constexpr std::array<const char*, kFamilyCount> kFamilyNames = {
    "default", "tokens",  "users",       "usernames",
    "emails",  "members", "permissions", "personal_tokens"};

rocksdb::Slice slice(std::string_view text) noexcept { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& bytes) noexcept { return {bytes.data(), bytes.size()}; }

core::Error translated(const rocksdb::Status& status) {
  const Errc code = status.IsCorruption() ? Errc::corrupt : Errc::io;
  return {code, "RocksDB: " + status.ToString()};
}

std::string system_message(const std::string& what) {
  const int error = errno;
  return what + ": " + std::strerror(error);
}

// Drops tokens some time after they expired, when their file is rewritten anyway.
class ExpiryFilter final : public rocksdb::CompactionFilter {
 public:
  ExpiryFilter(const core::Clock& clock, std::int64_t kept_ms) noexcept
      : clock_(clock),
        kept_ms_(kept_ms) {}
  const char* Name() const override { return "tokend.expiry"; }
  bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& value, std::string*,
              bool*) const override {
    const auto expires_ms = expiry_of_token_record(view(value));
    return expires_ms && *expires_ms < clock_.wall_ms() - kept_ms_;
  }

 private:
  const core::Clock& clock_;
  const std::int64_t kept_ms_;
};

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
  rocksdb::WriteBatch& rocks() noexcept { return batch_; }

 private:
  rocksdb::ColumnFamilyHandle* handle(Family family) const noexcept {
    return families_[static_cast<std::size_t>(family)];
  }
  const std::vector<rocksdb::ColumnFamilyHandle*>& families_;
  rocksdb::WriteBatch batch_;
};

rocksdb::DBOptions database_options(rocksdb::Env& env, const RocksOptions& options) {
  rocksdb::DBOptions rocks;
  rocks.env = &env;
  rocks.create_if_missing = true;
  rocks.create_missing_column_families = true;
  // One writer: the machinery for many costs each batch something and gains nothing.
  rocks.allow_concurrent_memtable_write = false;
  rocks.enable_write_thread_adaptive_yield = false;
  // All files stay open, their indexes in memory: a look-up touches the disk for data only.
  rocks.max_open_files = -1;
  rocks.max_background_jobs = options.background_jobs_max;
  // The small families fill slowly and would keep every log alive; past this size they are flushed.
  rocks.max_total_wal_size = options.wal_bytes_max;
  // The end of the log after a power failure may be torn; what is before the tear was synced.
  // RocksDB 7 can't recycle logs in this mode: it might recover a hole. Filling them ahead
  // (store/log_file_system.h) makes a sync as cheap, and a hole cannot be: only one batch, which is
  // one record, is ever unsynced.
  rocks.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  rocks.bytes_per_sync = 1U << 20;
  rocks.avoid_unnecessary_blocking_io = true;
  // After a failed commit nothing is tried again until a restart (DESIGN section 3.7).
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
                                            const rocksdb::CompactionFilter* expiry) {
  rocksdb::ColumnFamilyOptions rocks;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = block_cache;
  table.format_version = 5;
  table.cache_index_and_filter_blocks = false;
  if (family == Family::tokens) {
    // Keys ascend, so files do not overlap and compaction moves them without reading them.
    // Compression would read and write hashes; a Bloom filter would say what the key range says.
    rocks.write_buffer_size = options.token_memtable_bytes;
    rocks.max_write_buffer_number = 4;
    // Every insertion comes behind the last one: the place of that one is the hint. The first byte
    // of the keys, which says which hint, changes once in 35 years.
    rocks.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
    rocks.target_file_size_base = options.token_memtable_bytes;
    rocks.max_bytes_for_level_base = 8 * options.token_memtable_bytes;
    rocks.compression = rocksdb::kNoCompression;
    rocks.compaction_filter = expiry;
    rocks.periodic_compaction_seconds = static_cast<std::uint64_t>(options.rewrite_after_s);
    table.block_size = 8U << 10;
  } else {
    rocks.write_buffer_size = 16U << 20;
    rocks.compression = rocksdb::kLZ4Compression;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.block_size = 4U << 10;
  }
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return rocks;
}

// The directory, made if need be, and held for this process alone.
Result<int> lock_directory(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(Errc::io, system_message("cannot make the data directory " + directory));
  }
  const std::string path = directory + "/LOCK";
  const int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) {
    return fail(Errc::io, system_message("cannot write to the data directory " + directory));
  }
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const bool taken = errno == EWOULDBLOCK;
    std::string message = taken
                              ? "the data directory " + directory + " is in use by another process"
                              : system_message("cannot lock the data directory " + directory);
    ::close(lock);
    return fail(taken ? Errc::unavailable : Errc::io, std::move(message));
  }
  return lock;
}

// Opening writes what the logs hold into tables, and a manifest. RocksDB 7 trips over itself when
// the disk is full meanwhile, so a disk that may become full is refused before.
Result<void> check_space(const RocksOptions& options) {
  const std::string& directory = options.directory;
  std::error_code error;
  std::uintmax_t wanted = options.spare_bytes_at_start;
  for (const auto& entry : std::filesystem::directory_iterator(directory + "/db", error)) {
    if (entry.path().extension() != ".log") continue;
    const std::uintmax_t bytes = entry.file_size(error);
    if (!error) wanted += bytes;
  }
  const std::filesystem::space_info space = std::filesystem::space(directory, error);
  if (error || space.available >= wanted) return {};
  return fail(Errc::io, "the disk of the data directory " + directory + " is full: " +
                            std::to_string(space.available >> 10) + " KiB are free, " +
                            std::to_string(wanted >> 10) + " KiB are needed to start");
}

Result<void> keep_logs(const std::string& path, const std::filesystem::path& kept) {
  std::error_code error;
  std::filesystem::create_directory(kept, error);
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (entry.path().extension() != ".log") continue;
    std::filesystem::copy_file(entry.path(), kept / entry.path().filename(),
                               std::filesystem::copy_options::overwrite_existing, error);
    if (error) break;
  }
  std::string message = error.message();
  if (!error) {
    // Before the originals are cut.
    const int directory = ::open(kept.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = directory >= 0 && syncfs(directory) == 0;
    if (!synced) message = std::strerror(errno);
    if (directory >= 0) ::close(directory);
    if (synced) return {};
  }
  return fail(Errc::io, "cannot keep the damaged logs in " + kept.string() + ": " + message);
}

// Makes the logs ready for RocksDB: whole up to where they end. Returns the damage that was
// accepted, for the operator; empty when there was none.
Result<std::string> prepare_logs(const RocksOptions& options, const std::string& path) {
  const auto report = check_logs(path);
  if (!report) return std::unexpected(report.error());
  std::string accepted;
  if (report->is_damage()) {
    const std::string what = describe(*report);
    if (!options.accept_log_damage) {
      return fail(Errc::corrupt,
                  what +
                      ". Starting would lose what was acknowledged there. Bring back the data "
                      "directory from a copy, or start tokend once with --accept-log-damage to "
                      "go on with what lies before");
    }
    const std::filesystem::path kept = std::filesystem::path(options.directory) / "damaged-logs";
    if (auto copied = keep_logs(path, kept); !copied) {
      return std::unexpected(std::move(copied).error());
    }
    accepted = what + ". Accepted: what lay there is lost; the logs are kept in " + kept.string();
  }
  if (auto cut = cut_logs(path, *report); !cut) return std::unexpected(std::move(cut).error());
  return accepted;
}

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

struct RocksDatabase::Impl {
  Impl(const RocksOptions& given, const core::Clock& clock)
      : options(given),
        block_cache(rocksdb::NewLRUCache(given.block_cache_bytes)),
        expiry(clock, given.expired_kept_ms) {
    memory_reads.read_tier = rocksdb::kBlockCacheTier;
    synced.sync = true;
  }
  ~Impl() {
    for (rocksdb::ColumnFamilyHandle* family : families) {
      if (database) static_cast<void>(database->DestroyColumnFamilyHandle(family));
    }
    if (database) static_cast<void>(database->Close());
    database.reset();
    if (lock >= 0) ::close(lock);
  }

  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(Family family) const noexcept {
    return families[static_cast<std::size_t>(family)];
  }

  const RocksOptions options;
  const std::shared_ptr<rocksdb::Cache> block_cache;
  const ExpiryFilter expiry;
  int lock = -1;
  std::unique_ptr<rocksdb::Env> own_env;
  std::unique_ptr<rocksdb::DB> database;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::ReadOptions memory_reads;
  rocksdb::ReadOptions disk_reads;
  rocksdb::WriteOptions synced;
  std::string warning;
  bool failed = false;  // the committing thread's
};

RocksDatabase::RocksDatabase(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
RocksDatabase::~RocksDatabase() = default;

Result<std::unique_ptr<RocksDatabase>> RocksDatabase::open(const RocksOptions& options,
                                                           const core::Clock& clock) {
  auto impl = std::make_unique<Impl>(options, clock);
  const auto lock = lock_directory(options.directory);
  if (!lock) return std::unexpected(lock.error());
  impl->lock = *lock;
  if (const auto space = check_space(options); !space) {
    return std::unexpected(space.error());
  }

  const std::string path = options.directory + "/db";
  auto accepted = prepare_logs(options, path);
  if (!accepted) return std::unexpected(std::move(accepted).error());
  impl->warning = *std::move(accepted);
  rocksdb::Env& base = options.env ? *options.env : *rocksdb::Env::Default();
  impl->own_env = rocksdb::NewCompositeEnv(make_log_file_system(base.GetFileSystem()));
  const rocksdb::DBOptions rocks = database_options(*impl->own_env, options);
  if (const auto known = check_families(rocks, path); !known) return std::unexpected(known.error());
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (std::size_t i = 0; i < kFamilyCount; ++i) {
    descriptors.emplace_back(kFamilyNames[i], family_options(static_cast<Family>(i), options,
                                                             impl->block_cache, &impl->expiry));
  }
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(rocks, path, descriptors, &impl->families, &opened);
  impl->database.reset(opened);
  if (!status.ok()) return std::unexpected(translated(status));
  return std::unique_ptr<RocksDatabase>(new RocksDatabase(std::move(impl)));
}

Result<Found> RocksDatabase::get(Family family, std::string_view key, Reach reach,
                                 std::string& value) const {
  rocksdb::PinnableSlice found;
  const rocksdb::Status status =
      impl_->database->Get(reach == Reach::memory ? impl_->memory_reads : impl_->disk_reads,
                           impl_->handle(family), slice(key), &found);
  if (status.ok()) {
    value.assign(found.data(), found.size());
    return Found::yes;
  }
  if (status.IsNotFound()) return Found::no;
  if (status.IsIncomplete() && reach == Reach::memory) return Found::unknown;
  return std::unexpected(translated(status));
}

Result<void> RocksDatabase::scan(
    Family family, std::string_view from,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
  const std::unique_ptr<rocksdb::Iterator> at(
      impl_->database->NewIterator(impl_->disk_reads, impl_->handle(family)));
  for (at->Seek(slice(from)); at->Valid(); at->Next()) {
    if (!visit(view(at->key()), view(at->value()))) return {};
  }
  if (!at->status().ok()) return std::unexpected(translated(at->status()));
  return {};
}

Result<std::string> RocksDatabase::last_key(Family family) const {
  const std::unique_ptr<rocksdb::Iterator> at(
      impl_->database->NewIterator(impl_->disk_reads, impl_->handle(family)));
  at->SeekToLast();
  if (at->Valid()) return at->key().ToString();
  if (!at->status().ok()) return std::unexpected(translated(at->status()));
  return std::string();
}

std::unique_ptr<Batch> RocksDatabase::make_batch() const {
  return std::make_unique<RocksBatch>(impl_->families);
}

Result<void> RocksDatabase::commit(Batch& batch) {
  if (impl_->failed) return fail(Errc::unavailable, "an earlier commit failed");
  const rocksdb::Status status =
      impl_->database->Write(impl_->synced, &static_cast<RocksBatch&>(batch).rocks());
  if (status.ok()) return {};
  impl_->failed = true;
  return fail(Errc::unavailable, "a commit failed: " + translated(status).message);
}

const std::string& RocksDatabase::warning() const noexcept { return impl_->warning; }

Result<void> RocksDatabase::compact() {
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
