// How the tail of tokens gets into RocksDB: a segment becomes a table, written once and in order,
// which RocksDB takes as it is. RocksDB would do the same from a memory of its own, into which each
// token had to be inserted first.

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

// What is sealed by now, and no more: while tokens come faster than tables are made there is always
// another segment, and checkpoints must be made all the same.
Result<void> RocksDatabase::Impl::hand_over_tail() {
  const std::lock_guard guard(hand_over_mutex);
  // A hand-over that failed half-way is not tried again: what was removed meanwhile may be in its
  // table. The journal has it, and the next start replays it.
  if (std::string why = tail.closed(); !why.empty()) return fail(Errc::unavailable, std::move(why));
  for (std::size_t left = tail.sealed_segments(); left > 0; --left) {
    auto segment = tail.begin_hand_over();
    auto ingested = ingest(*segment);
    std::vector<TokenTail::Key> removed;
    while (ingested && !tail.finish_hand_over(segment, removed)) {
      rocksdb::WriteBatch batch;
      for (const TokenTail::Key& key : removed) {
        CHECK(batch.Delete(handle(Family::tokens), slice({key.data(), key.size()})).ok());
      }
      const rocksdb::Status status = database->Write(unlogged, &batch);
      if (!status.ok()) ingested = std::unexpected(translated(status));
    }
    if (!ingested) {
      tail.close("tokens cannot be written into a table: " + ingested.error().message);
      return ingested;
    }
  }
  return {};
}

namespace {

// A table under construction, which RocksDB then takes with others in one step.
class Table {
 public:
  Table(const rocksdb::Options& options, rocksdb::ColumnFamilyHandle* family, std::string path)
      : writer_(rocksdb::EnvOptions(options), options, family),
        family_(family),
        path_(std::move(path)) {}

  rocksdb::Status put(std::string_view key, std::string_view value) {
    if (empty_) {
      const rocksdb::Status opened = writer_.Open(path_);
      if (!opened.ok()) return opened;
      empty_ = false;
    }
    return writer_.Put(slice(key), slice(value));
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
  Table tokens(token_tables, handle(Family::tokens), path + "-tokens.sst");
  Table issuances(issuance_tables, handle(Family::issuances), path + "-issuances.sst");
  rocksdb::Status status;
  std::string issuance;
  const std::size_t count = segment.count();
  for (std::size_t number = 0; status.ok() && number < count; ++number) {
    const TokenTail::Entry entry = segment.at(number);
    // Whatever is removed from now on is reported at the end of the hand-over.
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
