#pragma once
// The newest tokens: those that are in the journal and in none of RocksDB's tables yet.
//
// Tokens are issued in the order of their keys, so they need no sorted structure to be inserted
// into: a batch's tokens are copied behind those of the batch before it. They lie in segments; a
// full one is sealed, and what it holds is written into a table of RocksDB (store/rocks_ingest.cpp)
// and then dropped here. Until then look-ups and removals find them here, and RocksDB is asked only
// for what is not here.
//
// Concurrency: append() and remove() from one thread, the committing one; seal(),
// begin_hand_over(), finish_hand_over() and close() from one at a time; the rest from any.
// Readers wait for nobody but the change from one segment to the next.
// Always true: keys ascend, within a segment and from one to the next. Limits: Limits.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "store/hand_over_pace.h"
#include "store/hand_over_queue.h"

namespace tokend::store {

class TokenTail {
 public:
  static constexpr std::size_t kKeyBytes = 12;  // of a Locator

  struct Limits {
    std::size_t segment_bytes;  // a batch may make one larger, if it does not fit in one otherwise
    std::size_t segments_max;   // at least 2; append() waits when it needs one more
  };

  // An entry is the key, u16 length of the value (little-endian), the value.
  static constexpr std::size_t kEntryHeadBytes = kKeyBytes + 2;
  static constexpr std::size_t kValueBytesMax = UINT16_MAX;
  // `key` has kKeyBytes, `value` at most kValueBytesMax.
  static void append_entry(std::string& entries, std::string_view key, std::string_view value);

  struct Entry {
    std::string_view key;
    std::string_view value;

    [[nodiscard]] std::size_t bytes() const noexcept { return kEntryHeadBytes + value.size(); }
    // The entry that `bytes` begin with; an empty key when there is no whole one.
    [[nodiscard]] static Entry read(std::string_view bytes) noexcept;
  };

  class Segment {
   public:
    explicit Segment(std::size_t bytes);

    [[nodiscard]] std::size_t count() const noexcept;
    [[nodiscard]] Entry at(std::size_t number) const noexcept;  // number < count()
    [[nodiscard]] bool removed(std::size_t number) const noexcept;
    // The first entry whose key is not less than `key`; count() when there is none.
    [[nodiscard]] std::size_t lower_bound(std::string_view key) const noexcept;

   private:
    friend class TokenTail;
    friend class HandOverQueue<Segment>;
    void append(std::string_view entries) noexcept;
    void remove(std::size_t number) noexcept;
    void clear() noexcept;
    [[nodiscard]] bool has_room_for(std::string_view entries) const noexcept;

    std::size_t capacity_;
    std::unique_ptr<char[]> bytes_;
    // Where each entry begins; the highest bit: it was removed.
    std::unique_ptr<std::uint32_t[]> places_;
    std::size_t used_ = 0;
    std::size_t count_ = 0;  // written after what it counts
  };

  explicit TokenTail(const Limits& limits);

  // Whole entries, in the order of their keys, behind all that were appended before. True: a
  // segment was sealed, so there is something to hand over. Errc::unavailable after close(), also
  // for none.
  [[nodiscard]] core::Result<bool> append(std::string_view entries);
  // After `bytes` were appended, by the same thread: where segments fill faster than they are
  // handed over it waits as store/hand_over_pace.h says, or until they have caught up.
  void keep_pace(std::size_t bytes);
  // Marks it as removed. False, and nothing done: a table may have it, so it has to be removed
  // there (store/token_removals.h); it is not here, or its table is being made already.
  [[nodiscard]] bool remove(std::string_view key);

  enum class Presence : std::uint8_t { absent, present, removed };
  [[nodiscard]] Presence get(std::string_view key, std::string& value) const;
  // What is here, oldest first.
  [[nodiscard]] std::vector<std::shared_ptr<const Segment>> segments() const {
    return queue_.all();
  }

  // So that all that is here can be handed over.
  void seal() noexcept { queue_.seal(); }
  [[nodiscard]] std::size_t sealed_segments() const { return queue_.count_sealed(); }
  // The oldest sealed segment; none: nullptr. Its entries that are not removed go into a table, and
  // only then finish_hand_over() may be called, which drops it, here and in `segment`.
  [[nodiscard]] std::shared_ptr<const Segment> begin_hand_over();
  void finish_hand_over(std::shared_ptr<const Segment>& segment);
  // Nothing is handed over any more: append() fails from now on.
  void close(const std::string& why) { queue_.close(why); }
  // Why it was closed; empty: it was not.
  [[nodiscard]] std::string closed() const;

 private:
  [[nodiscard]] std::size_t sealed_bytes() const noexcept;

  const Limits limits_;
  HandOverQueue<Segment> queue_;
  HandOverPace pace_;
};

}  // namespace tokend::store
