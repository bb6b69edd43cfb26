// How the tail of tokens and the removals get into RocksDB: a segment, or a set, becomes a table,
// written once and in order, which RocksDB takes as it is. RocksDB would do the same from a memory
// of its own, into which each key had to be inserted first.

#include <rocksdb/convenience.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "store/meta.h"
#include "store/rocks_impl.h"
#include "store/token.h"

namespace tokend::store {

using core::Errc;
using core::fail;
using core::Result;

namespace {

// Beside RocksDB's own, which removes files that it does not know; a table is moved there.
constexpr const char* kFolder = "/ingest";

}  // namespace

// What a former life left here was in its journal still.
Result<void> RocksDatabase::Impl::prepare_ingestion() {
  const std::string path = options.directory + kFolder;
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (!error) std::filesystem::create_directory(path, error);
  if (error) return fail(Errc::io, "cannot make the directory " + path + ": " + error.message());
  return {};
}

void RocksDatabase::Impl::seal() {
  tail.seal();
  removals.seal();
}

// What is sealed by now, and no more: while tokens come faster than tables are made there is always
// another segment, and checkpoints must be made all the same.
Result<void> RocksDatabase::Impl::hand_over() {
  const std::lock_guard guard(hand_over_mutex);
  // A hand-over that failed half-way is not tried again. The journal has what it had, and the next
  // start replays it.
  if (std::string why = tail.closed(); !why.empty()) return fail(Errc::unavailable, std::move(why));
  auto handed_over = hand_over_tokens();
  // Behind them: what is removed while its table is being made is removed from that table.
  if (handed_over) handed_over = hand_over_removals();
  if (!handed_over) {
    const std::string why =
        "tokens or removals cannot be written into a table: " + handed_over.error().message;
    tail.close(why);
    removals.close(why);
  }
  return handed_over;
}

Result<void> RocksDatabase::Impl::hand_over_tokens() {
  for (std::size_t left = tail.sealed_segments(); left > 0; --left) {
    auto segment = tail.begin_hand_over();
    if (auto ingested = ingest(*segment); !ingested) return ingested;
    tail.finish_hand_over(segment);
  }
  return {};
}

Result<void> RocksDatabase::Impl::hand_over_removals() {
  for (std::size_t left = removals.sealed_sets(); left > 0; --left) {
    auto set = removals.begin_hand_over();
    if (auto ingested = ingest(*set); !ingested) return ingested;
    removals.finish_hand_over(set);
  }
  return {};
}

namespace {

// Says that a key is not in a table, so that a look-up need not read it.
enum class Filter : std::uint8_t { none, bloom };

// A table under construction, which RocksDB then takes with others in one step.
class Table {
 public:
  Table(const rocksdb::Options& options, rocksdb::ColumnFamilyHandle* family, Filter filter,
        std::string path)
      : writer_(rocksdb::EnvOptions(options), options, family, true, rocksdb::Env::IO_TOTAL,
                filter == Filter::none),
        family_(family),
        path_(std::move(path)) {}

  rocksdb::Status put(std::string_view key, std::string_view value) {
    const rocksdb::Status opened = open();
    return opened.ok() ? writer_.Put(slice(key), slice(value)) : opened;
  }
  // The key's removal, from whatever table that RocksDB took before this one.
  rocksdb::Status remove(std::string_view key) {
    const rocksdb::Status opened = open();
    return opened.ok() ? writer_.Delete(slice(key)) : opened;
  }
  // Where nothing was put there is no table, as RocksDB makes no empty one.
  rocksdb::Status finish(std::vector<rocksdb::IngestExternalFileArg>& tables) {
    if (empty_) return rocksdb::Status::OK();
    rocksdb::IngestExternalFileArg& table = tables.emplace_back();
    table.column_family = family_;
    table.external_files = {path_};
    table.options.move_files = true;
    table.options.failed_move_fall_back_to_copy = true;
    table.options.snapshot_consistency = false;  // nobody holds a snapshot
    table.options.write_global_seqno = false;
    return writer_.Finish();
  }

 private:
  rocksdb::Status open() {
    if (!empty_) return rocksdb::Status::OK();
    const rocksdb::Status opened = writer_.Open(path_);
    empty_ = !opened.ok();
    return opened;
  }

  rocksdb::SstFileWriter writer_;
  rocksdb::ColumnFamilyHandle* const family_;
  const std::string path_;
  bool empty_ = true;
};

}  // namespace

// Two tables: of the tokens that are left, and of all that were issued. Both are in before the
// segment is dropped, and so before the journal is released.
Result<void> RocksDatabase::Impl::ingest(const TokenTail::Segment& segment) {
  const std::string path = options.directory + kFolder + "/" + std::to_string(++tables_made);
  Table tokens(token_tables, handle(Family::tokens), Filter::none, path + "-tokens.sst");
  Table issuances(issuance_tables, handle(Family::issuances), Filter::none,
                  path + "-issuances.sst");
  rocksdb::Status status;
  std::string issuance;
  const std::size_t count = segment.count();
  for (std::size_t number = 0; status.ok() && number < count; ++number) {
    const TokenTail::Entry entry = segment.at(number);
    // Whatever is removed from now on goes to the removals.
    if (!segment.removed(number)) status = tokens.put(entry.key, entry.value);
    if (!status.ok() || !keeps_audit()) continue;
    issuance.clear();
    append_issuance(entry.value, issuance);
    status = issuances.put(entry.key, issuance);
  }
  std::vector<rocksdb::IngestExternalFileArg> tables;
  if (status.ok()) status = tokens.finish(tables);
  if (status.ok()) status = issuances.finish(tables);
  if (status.ok() && !tables.empty()) status = database->IngestExternalFiles(tables);
  if (!status.ok()) return std::unexpected(translated(status));
  return {};
}

// A look-up of any older token comes by this table, which has next to none of them.
Result<void> RocksDatabase::Impl::ingest(const TokenRemovals::Set& removed) {
  Table table(token_tables, handle(Family::tokens), Filter::bloom,
              options.directory + kFolder + "/" + std::to_string(++tables_made) + "-removals.sst");
  rocksdb::Status status;
  removed.sorted(removed_in_order);
  for (const Locator& token : removed_in_order) {
    status = table.remove(view_of(token));
    if (!status.ok()) break;
  }
  std::vector<rocksdb::IngestExternalFileArg> tables;
  if (status.ok()) status = table.finish(tables);
  if (status.ok() && !tables.empty()) status = database->IngestExternalFiles(tables);
  if (!status.ok()) return std::unexpected(translated(status));
  return {};
}

Result<void> RocksDatabase::Impl::forget_old_audit() {
  if (options.audit_retention_ms == kAuditKeptForEver) return {};
  // Switched off, nothing stays. Else what is over is kept for a while, as expired tokens are,
  // because the clock may be wrong: lists do not show it.
  const std::int64_t kept_ms =
      keeps_audit() ? options.audit_retention_ms + options.expired_kept_ms : 0;
  const std::int64_t oldest_ms = std::max<std::int64_t>(0, clock.wall_ms() - kept_ms);
  // Locators of one moment may differ in their shards and sequences; the first of all is kept.
  const Locator oldest = Locator::make(oldest_ms, 0, 0);
  const std::string_view end = view_of(oldest);
  for (const Family family : {Family::audit, Family::issuances}) {
    const std::unique_ptr<rocksdb::Iterator> first(
        database->NewIterator(disk_reads, handle(family)));
    first->SeekToFirst();
    if (!first->status().ok()) return std::unexpected(translated(first->status()));
    if (!first->Valid() || view(first->key()) >= end) continue;
    const std::string begin = first->key().ToString();
    const rocksdb::Slice from(begin);
    const rocksdb::Slice to = slice(end);
    rocksdb::Status status =
        rocksdb::DeleteFilesInRange(database.get(), handle(family), nullptr, &to, false);
    if (status.ok() && family == Family::audit) {
      status = database->DeleteRange(unlogged, handle(family), from, to);
    }
    if (!status.ok()) return std::unexpected(translated(status));
  }
  return {};
}

}  // namespace tokend::store
