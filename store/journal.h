#pragma once
// The log of what was committed: what makes a batch durable before RocksDB, which runs without a
// log of its own, has written it into a table.
//
// Operation: a batch becomes one frame, whose write is begun by append(). Several writes are under
// way at once; collect() reports them in the order of their sequence numbers, each only when it and
// all before it are on the disk. Frames go into files that were filled with zeros before (a write
// then need not wait for a file's new size), with O_DIRECT | O_DSYNC: one wait for the disk each.
// release() says up to where RocksDB holds everything by itself; files that hold nothing newer are
// written over.
//
// A frame: a header of 48 bytes, the payload, zeros up to a multiple of 4 KiB. The header, little-
// endian: u32 magic, u32 crc32c of all that follows up to the end of the payload, u64 id of the
// journal (kept by the database too, so that no file of another one is taken for ours and nobody
// can make a frame inside a payload), u64 sequence, u64 durable_through: the greatest sequence that
// was durable when this frame was made, u64 length of the payload, u64 format version.
//
// Recovery: sequence numbers are never used twice and a frame is known by its number, wherever it
// lies. What is behind the checkpoint is replayed in order up to the first number that is missing
// or damaged. That is where a crash tore the journal, if no frame says that the number was durable;
// else something was lost that somebody was told of, and the start is refused. Frames behind a tear
// were never acknowledged; they are forgotten by moving the checkpoint behind them.
// What is not noticed: damage to the very last frames, of which no later frame tells.
//
// Concurrency: one thread at a time, but interrupt(), release(), make_spare() and
// unreleased_bytes(), which are for any. Limits: JournalOptions; a frame is no longer than a file.
// A failed write is final: nothing is collected after it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.h"

namespace tokend::store {

inline constexpr std::size_t kJournalWritesMax = 12;

struct JournalOptions {
  std::string directory;
  std::size_t file_bytes = 16U << 20;  // a multiple of 4 KiB
  std::size_t writes_max = 4;          // under way at once; at most kJournalWritesMax
  bool accept_damage = false;          // go on with what lies before; see Journal::damage()
  const std::atomic<bool>* writes_fail = nullptr;  // tests inject failures here
};

// What the database remembers of its journal.
struct JournalMark {
  std::uint64_t id = 0;
  std::uint64_t checkpoint = 0;  // up to here everything is in the database's own files
};

class Journal {
 public:
  using Replay =
      std::function<core::Result<void>(std::uint64_t sequence, std::string_view payload)>;

  // `expected`: the database has committed to this journal before, so there must be one.
  // Hands everything behind the checkpoint to `replay`. Errc::corrupt: something that was durable
  // is missing or damaged, with the place; Errc::io: the files cannot be made, read or written;
  // Errc::unavailable: no io_uring.
  // Before the next append() the database must hold all that was replayed by itself, with a
  // checkpoint of last_sequence().
  [[nodiscard]] static core::Result<std::unique_ptr<Journal>> open(const JournalOptions& options,
                                                                   const JournalMark& mark,
                                                                   bool expected,
                                                                   const Replay& replay);
  ~Journal();  // waits for the writes under way
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // The damage that was accepted, for the operator; empty when there was none. What lay behind it
  // is forgotten once a checkpoint of last_sequence() is made and a frame was written.
  [[nodiscard]] const std::string& damage() const noexcept;

  // The number of the last frame that was begun, or seen at the start.
  [[nodiscard]] std::uint64_t last_sequence() const noexcept;
  [[nodiscard]] std::size_t under_way() const noexcept;

  // Begins to write a frame; the payload is copied. With fewer than writes_max under way. True: it
  // began a new file, so that there may be work for make_spare() and a checkpoint.
  [[nodiscard]] core::Result<bool> append(std::string_view payload);
  // True: the oldest one under way is durable, and is no longer under way.
  [[nodiscard]] core::Result<bool> collect();
  // Until a write has ended or interrupt() is called; also when it was called before.
  void wait() noexcept;
  void interrupt() noexcept;

  // The database holds everything up to `checkpoint` by itself, and says so after a crash.
  void release(std::uint64_t checkpoint);
  // Bytes of frames behind what was released.
  [[nodiscard]] std::size_t unreleased_bytes() const noexcept;
  // Has a filled file ready for when the present one is full; blocks for the writing of one:
  // quietly (store/journal_file.h) until the present one is half full, or `is_urgent` says so.
  // False: there was one.
  [[nodiscard]] core::Result<bool> make_spare(const std::function<bool()>& is_urgent = {});

 private:
  struct Impl;
  explicit Journal(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokend::store
