#include <rocksdb/write_batch.h>

#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "store/bootstrap.h"
#include "store/data_directory.h"
#include "store/meta.h"
#include "store/rocks_impl.h"

namespace tokend::store {

using core::Errc;
using core::fail;
using core::Result;

namespace {

constexpr const char* kJournalFolder = "journal";
constexpr const char* kDamagedFolder = "damaged-journal";
constexpr const char* kRemedy =
    ". Starting would lose what was acknowledged there. Bring back the data directory from a copy, "
    "or start tokend once with --accept-log-damage to go on with what lies before";

}  // namespace

// The first start with a journal: makes it, then remembers it in the database, and from then on it
// must be there. A store of a former version gets the new version's number in the same write, so
// that a former program, which would not read the journal, refuses the store.
Result<void> RocksDatabase::Impl::open_journal() {
  auto done = replay_journal();
  // A start that failed must not leave a checkpoint behind: what it has not replayed would be taken
  // for written.
  is_open = done.has_value();
  return done;
}

Result<void> RocksDatabase::Impl::replay_journal() {
  std::string bytes;
  rocksdb::Status status = database->Get(disk_reads, handle(Family::meta), kMetaFormat, &bytes);
  if (!status.ok() && !status.IsNotFound()) return std::unexpected(translated(status));
  raises_format = status.IsNotFound() || bytes == encode_format(kFormatVersionUnjournaled);
  if (!raises_format) {
    if (const auto known = check_format(bytes); !known) return known;
  }
  status = database->Get(disk_reads, handle(Family::meta), kMetaJournal, &bytes);
  if (!status.ok() && !status.IsNotFound()) return std::unexpected(translated(status));
  const bool expected = status.ok();
  if (expected) {
    const auto decoded = decode_journal_mark(bytes);
    if (!decoded) return fail(Errc::corrupt, "the store's mark of its journal does not decode");
    mark = *decoded;
  } else {
    std::random_device random;
    mark.id = (std::uint64_t{random()} << 32) | random();
  }
  const auto replay = [&](std::uint64_t, std::string_view payload) -> Result<void> {
    rocksdb::WriteBatch batch{std::string(payload)};
    const auto written = database->Write(unlogged, &batch);
    if (!written.ok()) return std::unexpected(translated(written));
    return {};
  };
  auto opened = Journal::open({.directory = options.directory + std::string("/") + kJournalFolder,
                               .file_bytes = options.journal_file_bytes,
                               .writes_max = options.journal_writes_max,
                               .accept_damage = options.accept_log_damage,
                               .writes_fail = options.journal_writes_fail},
                              mark, expected, replay);
  if (!opened) {
    core::Error error = std::move(opened).error();
    if (error.code == Errc::corrupt) error.message += kRemedy;
    return std::unexpected(std::move(error));
  }
  journal = *std::move(opened);
  if (!journal->damage().empty()) {
    if (auto kept = keep_copies(options.directory, kJournalFolder, kDamagedFolder); !kept) {
      return kept;
    }
    warning = journal->damage() + ". Accepted: what lay there is lost; the files are kept in " +
              options.directory + "/" + kDamagedFolder;
  }
  applied = journal->last_sequence();
  if (expected) {
    if (applied != mark.checkpoint || !warning.empty()) {
      if (auto kept = checkpoint(); !kept) return kept;
    }
    // So that not all that is left of the journal lies before the damage.
    return warning.empty() ? Result<void>() : write_empty_frame();
  }
  // There has to be a frame when the database begins to ask for one.
  if (auto written = write_empty_frame(); !written) return written;
  return checkpoint();
}

Result<void> RocksDatabase::Impl::write_empty_frame() {
  const rocksdb::WriteBatch nothing;
  if (auto begun = journal->append(nothing.Data()); !begun) {
    return std::unexpected(std::move(begun).error());
  }
  for (;;) {
    const auto collected = journal->collect();
    if (!collected) return std::unexpected(collected.error());
    if (*collected) break;
    journal->wait();
  }
  applied = journal->last_sequence();
  return {};
}

Result<void> RocksDatabase::Impl::checkpoint() {
  const std::uint64_t reached = applied.load(std::memory_order_acquire);
  if (const auto status = database->Flush({}, families); !status.ok()) {
    return std::unexpected(translated(status));
  }
  // Only now may the database claim that it holds all of this by itself.
  mark.checkpoint = reached;
  rocksdb::WriteBatch batch;
  CHECK(batch.Put(handle(Family::meta), kMetaJournal, encode_journal_mark(mark)).ok());
  if (raises_format) {
    CHECK(batch.Put(handle(Family::meta), kMetaFormat, encode_format(kFormatVersion)).ok());
  }
  rocksdb::Status status = database->Write(unlogged, &batch);
  if (status.ok()) status = database->Flush({}, handle(Family::meta));
  if (!status.ok()) return std::unexpected(translated(status));
  raises_format = false;
  journal->release(reached);
  return {};
}

void RocksDatabase::Impl::wake_keeper() {
  {
    const std::lock_guard guard(keeper_mutex);
    keeper_wanted = true;
  }
  keeper_wakes.notify_one();
}

void RocksDatabase::Impl::stop_keeper() {
  if (!keeper.joinable()) return;
  {
    const std::lock_guard guard(keeper_mutex);
    keeper_stops = true;
  }
  keeper_wakes.notify_one();
  keeper.join();
}

// Whatever fails here fails again where it is needed: a file by the append that finds none, a flush
// by the next write.
void RocksDatabase::Impl::keep() {
  for (;;) {
    {
      std::unique_lock guard(keeper_mutex);
      keeper_wakes.wait(guard, [this] { return keeper_wanted || keeper_stops; });
      if (keeper_stops) return;
      keeper_wanted = false;
    }
    if (journal->unreleased_bytes() > options.journal_bytes_max && !checkpoint()) continue;
    if (!journal->make_spare()) continue;
  }
}

}  // namespace tokend::store
