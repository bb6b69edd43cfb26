#include "store/rocks.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/slice.h>
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

Result<Found> RocksDatabase::get(Family family, std::string_view key, Reach reach,
                                 std::string& value) const {
  if (family == Family::tokens) {
    // In the order in which what is handed over meanwhile goes: into a table before it goes from
    // here, and a removal stays longer than what it removes.
    if (impl_->removals.contains(key)) return Found::no;
    switch (impl_->tail.get(key, value)) {
      case TokenTail::Presence::present: return Found::yes;
      case TokenTail::Presence::removed: return Found::no;
      case TokenTail::Presence::absent: break;
    }
  }
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

namespace {

bool is_in_tail(Family family) noexcept {
  return family == Family::tokens || family == Family::issuances;
}

// What is in memory of a family beside what its tables have, at one moment. Taken before the tables
// are looked at, and the removals first: what is handed over meanwhile is in a table before it goes
// from the tail, and a removal stays longer than what it removes.
struct InMemory {
  InMemory(Family its_family, const TokenRemovals& all_removals, const TokenTail& all_tail)
      : family(its_family) {
    if (family == Family::tokens) removals = all_removals.sets();
    if (is_in_tail(family)) tail = all_tail.segments();
  }

  [[nodiscard]] bool removed(std::string_view key) const {
    return std::ranges::any_of(removals, [&](const auto& set) { return set->contains(key); });
  }
  // What a segment of the tail has under a number. False: nothing, it was removed. `bytes` is room
  // for a value that is no part of the segment.
  [[nodiscard]] bool read(const TokenTail::Segment& segment, std::size_t number,
                          TokenTail::Entry& entry, std::string& bytes) const {
    entry = segment.at(number);
    if (family == Family::tokens) return !segment.removed(number) && !removed(entry.key);
    bytes.clear();
    append_issuance(entry.value, bytes);
    entry.value = bytes;
    return true;
  }

  const Family family;
  std::vector<std::shared_ptr<const TokenRemovals::Set>> removals;
  std::vector<std::shared_ptr<const TokenTail::Segment>> tail;
};

// What the tables have of a family, but for what is removed. In order, forwards or backwards.
class TableCursor {
 public:
  TableCursor(rocksdb::DB& database, const rocksdb::ReadOptions& reads,
              rocksdb::ColumnFamilyHandle* family, const InMemory& memory)
      : memory_(memory),
        at_(database.NewIterator(reads, family)) {}

  void seek(std::string_view from) {
    at_->Seek(slice(from));
    skip_forwards();
  }
  // To the last one below `before`, or of all when that is empty.
  void seek_below(std::string_view before) {
    if (before.empty()) {
      at_->SeekToLast();
    } else {
      at_->SeekForPrev(slice(before));
      if (at_->Valid() && view(at_->key()) == before) at_->Prev();
    }
    skip_backwards();
  }
  void next() {
    at_->Next();
    skip_forwards();
  }
  void previous() {
    at_->Prev();
    skip_backwards();
  }

  [[nodiscard]] bool valid() const { return at_->Valid(); }
  [[nodiscard]] std::string_view key() const { return view(at_->key()); }
  [[nodiscard]] std::string_view value() const { return view(at_->value()); }
  // Of an invalid one: whether it is at the end, or cannot read on.
  [[nodiscard]] Result<void> status() const {
    if (at_->status().ok()) return {};
    return std::unexpected(translated(at_->status()));
  }

 private:
  void skip_forwards() {
    while (valid() && memory_.removed(key())) at_->Next();
  }
  void skip_backwards() {
    while (valid() && memory_.removed(key())) at_->Prev();
  }

  const InMemory& memory_;
  std::unique_ptr<rocksdb::Iterator> at_;
};

}  // namespace

Result<void> RocksDatabase::scan(
    Family family, std::string_view from,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
  const InMemory memory(family, impl_->removals, impl_->tail);
  rocksdb::ReadOptions reads = impl_->disk_reads;
  // Of tokens there are more than the block cache holds, and nobody asks for these again.
  reads.fill_cache = !is_in_tail(family);
  TableCursor at(*impl_->database, reads, impl_->handle(family), memory);
  at.seek(from);
  TokenTail::Entry entry;
  std::string bytes;
  // In order and each once, although a table may hold already what is still in the tail.
  for (const auto& segment : memory.tail) {
    const std::size_t count = segment->count();
    for (std::size_t number = segment->lower_bound(from); number < count; ++number) {
      const bool present = memory.read(*segment, number, entry, bytes);
      for (; at.valid() && at.key() < entry.key; at.next()) {
        if (!visit(at.key(), at.value())) return {};
      }
      if (at.valid() && at.key() == entry.key) at.next();
      if (present && !visit(entry.key, entry.value)) return {};
    }
  }
  for (; at.valid(); at.next()) {
    if (!visit(at.key(), at.value())) return {};
  }
  return at.status();
}

Result<void> RocksDatabase::scan_back(
    Family family, std::string_view before,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
  const InMemory memory(family, impl_->removals, impl_->tail);
  rocksdb::ReadOptions reads = impl_->disk_reads;
  reads.fill_cache = false;  // the audit's, which must not push tokens out
  TableCursor at(*impl_->database, reads, impl_->handle(family), memory);
  at.seek_below(before);
  TokenTail::Entry entry;
  std::string bytes;
  for (auto segment = memory.tail.rbegin(); segment != memory.tail.rend(); ++segment) {
    std::size_t number = before.empty() ? (*segment)->count() : (*segment)->lower_bound(before);
    while (number-- > 0) {
      const bool present = memory.read(**segment, number, entry, bytes);
      for (; at.valid() && at.key() > entry.key; at.previous()) {
        if (!visit(at.key(), at.value())) return {};
      }
      if (at.valid() && at.key() == entry.key) at.previous();
      if (present && !visit(entry.key, entry.value)) return {};
    }
  }
  for (; at.valid(); at.previous()) {
    if (!visit(at.key(), at.value())) return {};
  }
  return at.status();
}

Result<std::string> RocksDatabase::last_key(Family family) const {
  const InMemory memory(family, impl_->removals, impl_->tail);
  TableCursor at(*impl_->database, impl_->disk_reads, impl_->handle(family), memory);
  at.seek_below({});
  if (const auto status = at.status(); !status) return std::unexpected(status.error());
  std::string last(at.valid() ? at.key() : std::string_view());
  TokenTail::Entry entry;
  std::string bytes;
  for (const auto& segment : memory.tail) {
    for (std::size_t number = segment->count(); number > 0; --number) {
      if (!memory.read(*segment, number - 1, entry, bytes)) continue;
      last = std::max(last, std::string(entry.key));
      break;
    }
  }
  return last;
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
  return std::make_unique<RocksBatch>(impl_->families, impl_->last_token_key);
}

Result<void> RocksDatabase::submit(Batch& batch) {
  if (impl_->failed) return fail(Errc::unavailable, "an earlier commit failed");
  auto& rocks = static_cast<RocksBatch&>(batch);
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
