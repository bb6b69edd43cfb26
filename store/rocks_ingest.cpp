// How the tail of tokens gets into RocksDB: a segment becomes a table, written once and in order,
// which RocksDB takes as it is. RocksDB would do the same from a memory of its own, into which each
// token had to be inserted first.

#include <rocksdb/sst_file_writer.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "store/rocks_impl.h"

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

Result<void> RocksDatabase::Impl::ingest(const TokenTail::Segment& segment) {
  std::size_t first = 0;
  while (first < segment.count() && segment.removed(first)) ++first;
  if (first == segment.count()) return {};
  const std::string path =
      options.directory + kFolder + "/" + std::to_string(++tables_made) + ".sst";
  rocksdb::SstFileWriter table(rocksdb::EnvOptions(token_tables), token_tables,
                               handle(Family::tokens));
  rocksdb::Status status = table.Open(path);
  const std::size_t count = segment.count();
  for (std::size_t number = first; status.ok() && number < count; ++number) {
    // The first one in any case, as RocksDB makes no empty table; whatever is removed by now is
    // reported at the end of the hand-over.
    if (number != first && segment.removed(number)) continue;
    const TokenTail::Entry entry = segment.at(number);
    status = table.Put(slice(entry.key), slice(entry.value));
  }
  if (status.ok()) status = table.Finish();
  if (status.ok()) {
    rocksdb::IngestExternalFileOptions how;
    how.move_files = true;
    how.failed_move_fall_back_to_copy = true;
    how.snapshot_consistency = false;  // nobody holds a snapshot
    how.write_global_seqno = false;
    status = database->IngestExternalFile(handle(Family::tokens), {path}, how);
  }
  if (!status.ok()) return std::unexpected(translated(status));
  return {};
}

}  // namespace tokend::store
