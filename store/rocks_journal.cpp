#include <rocksdb/experimental.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <chrono>
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

constexpr std::chrono::hours kKeeperPeriod{1};
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
  raises_format = status.IsNotFound() || bytes == encode_format(kFormatVersionUnjournaled) ||
                  bytes == encode_format(kFormatVersionWithoutTail);
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
  auto opened = Journal::open(
      {.directory = options.directory + std::string("/") + kJournalFolder,
       .file_bytes = options.journal_file_bytes,
       .writes_max = options.journal_writes_max,
       .accept_damage = options.accept_log_damage,
       .writes_fail = options.journal_writes_fail},
      mark, expected, [this](std::uint64_t, std::string_view payload) { return replay(payload); });
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
    if (applied != mark.checkpoint || raises_format || !warning.empty()) {
      if (auto kept = checkpoint(); !kept) return kept;
    }
    // So that not all that is left of the journal lies before the damage.
    return warning.empty() ? Result<void>() : write_empty_frame();
  }
  // There has to be a frame when the database begins to ask for one.
  if (auto written = write_empty_frame(); !written) return written;
  return checkpoint();
}

Result<void> RocksDatabase::Impl::replay(std::string_view payload) {
  RocksBatch batch(families);
  if (!batch.read(payload)) return fail(Errc::corrupt, "a batch of the journal does not decode");
  batch.place_behind(last_token_key);
  static_cast<void>(batch.seal());
  if (auto applied_batch = apply(batch); !applied_batch) return applied_batch;
  // Of the tail's as well: the table of a former life may hold the token already.
  if (auto removed = remove_from_tables(batch.removed()); !removed) return removed;
  return hand_over();
}

Result<void> RocksDatabase::Impl::write_empty_frame() {
  RocksBatch nothing(families);
  if (auto begun = journal->append(nothing.seal()); !begun) {
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
  seal();
  if (auto handed_over = hand_over(); !handed_over) return handed_over;
  // Not held up by tables of level 0 that wait to be merged: commits wait for this.
  rocksdb::FlushOptions at_once;
  at_once.allow_write_stall = true;
  if (const auto status = database->Flush(at_once, families); !status.ok()) {
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
  if (status.ok()) status = database->Flush(at_once, handle(Family::meta));
  if (!status.ok()) return std::unexpected(translated(status));
  raises_format = false;
  journal->release(reached);
  return {};
}

// The journal's own files come first: without a spare one the next append makes it itself.
core::Result<void> RocksDatabase::Impl::start_threads() {
  auto started = spare_maker.start("spare maker", [this] {
    // What fails here fails again in the append that finds no file, which says so.
    if (!journal->make_spare([this] { return spare_maker.is_stopping(); })) return;
  });
  // Also where nothing is written any more, because files grow old all the same.
  constexpr std::int64_t kLooksPerRewrite = 24;
  const std::chrono::seconds period(
      std::clamp<std::int64_t>(options.idempotency_rewrite_after_s / kLooksPerRewrite, 1,
                               std::chrono::seconds(kKeeperPeriod).count()));
  return started ? keeper.start("keeper", [this] { keep(); }, period) : started;
}

// A table that cannot be written ends all commits, by closing the tail; a checkpoint that fails
// otherwise claims nothing and is tried again when the next file of the journal is full.
void RocksDatabase::Impl::keep() {
  rewrite_old_files();
  leave_former_levels();
  const bool is_long = journal->unreleased_bytes() > options.journal_bytes_max;
  if (!(is_long ? checkpoint() : hand_over())) return;
  // What fails here is tried again in an hour; until then the audit is longer than it need be.
  const std::int64_t now_ns = clock.monotonic_ns();
  // Not at the start: somebody may still set the clock right.
  if (!audit_cut_ns) audit_cut_ns = now_ns;
  if (now_ns - *audit_cut_ns < std::chrono::nanoseconds(kKeeperPeriod).count()) return;
  audit_cut_ns = now_ns;
  if (!forget_old_audit()) return;
}

// RocksDB looks for files that have become old only when their family gets another file. To suggest
// a range that has no key makes it look as well; the rewriting is then its own threads'.
void RocksDatabase::Impl::rewrite_old_files() {
  const rocksdb::Slice nothing;
  // What fails is suggested again the next time.
  static_cast<void>(rocksdb::experimental::SuggestCompactRange(
      database.get(), handle(Family::idempotency), &nothing, &nothing));
}

// A former version's removals lie in levels that RocksDB now counts as needed, and would fill
// before it merges them with what they remove. Where that is suggested its threads bring them
// further, one level or more; then what is left is suggested.
void RocksDatabase::Impl::leave_former_levels() {
  if (has_left_former_levels) return;
  rocksdb::ColumnFamilyMetaData tokens;
  database->GetColumnFamilyMetaData(handle(Family::tokens), &tokens);
  std::uint64_t largest = 0;
  int deepest = 0;
  for (const rocksdb::LevelMetaData& level : tokens.levels) {
    largest = std::max(largest, level.size);
    if (!level.files.empty()) deepest = level.level;
  }
  const int first = std::min(first_level_of_tokens(options, largest), deepest);
  const auto former = std::ranges::find_if(tokens.levels, [&](const auto& level) {
    return level.level > 0 && level.level < first && !level.files.empty();
  });
  has_left_former_levels = former == tokens.levels.end();
  if (has_left_former_levels || former->level == former_level) return;
  former_level = former->level;
  static_cast<void>(rocksdb::experimental::SuggestCompactRange(
      database.get(), handle(Family::tokens), nullptr, nullptr));
}

}  // namespace tokend::store
