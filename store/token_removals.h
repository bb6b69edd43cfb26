#pragma once
// Tokens that were removed after they had come into a table of RocksDB, and whose removal is in the
// journal and in none of RocksDB's tables yet.
//
// They come in no order, one with almost every token that is issued where users hold as many as
// they may, so they need the cheapest structure that look-ups can ask: a hash set of a fixed size.
// A full one is sealed, its keys are sorted and written into a table of removals
// (store/rocks_ingest.cpp), and it is dropped. A key that was removed is never put again.
//
// Concurrency: add() from one thread, the committing one; begin_hand_over() and finish_hand_over()
// from one at a time; the rest from any.
// Limits: Limits.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/mapping.h"
#include "store/hand_over_queue.h"
#include "store/token.h"

namespace tokend::store {

class TokenRemovals {
 public:
  struct Limits {
    std::size_t set_keys;  // a batch may make one larger, if it does not fit in one otherwise
    std::size_t sets_max;  // at least 2; add() waits when it needs one more
  };

  class Set {
   public:
    explicit Set(std::size_t keys_max);

    [[nodiscard]] bool contains(std::string_view key) const noexcept;
    // Of a sealed one; instead of what `keys` had.
    void sorted(std::vector<Locator>& keys) const;

   private:
    friend class TokenRemovals;
    friend class HandOverQueue<Set>;
    struct Slot {
      Locator token;
      std::uint32_t taken;  // written after what it says; 0: it is free
    };
    static_assert(sizeof(Slot) == 16);
    [[nodiscard]] std::size_t home_of(const Locator& token) const noexcept;
    [[nodiscard]] bool has_room_for(std::size_t keys) const noexcept;
    void insert(std::string_view keys) noexcept;
    void clear() noexcept;

    const std::size_t keys_max_;
    const core::Mapping memory_;
    const std::span<Slot> slots_;  // a power of two, at least twice as many as keys
    std::size_t count_ = 0;
  };

  explicit TokenRemovals(const Limits& limits);

  static constexpr std::size_t kKeyBytes = sizeof(Locator);

  // Keys of kKeyBytes, one behind the other; what a set has already it passes over. True: a set was
  // sealed, so there is something to hand over. Errc::unavailable after close().
  [[nodiscard]] core::Result<bool> add(std::string_view keys);
  [[nodiscard]] bool contains(std::string_view key) const;
  [[nodiscard]] std::vector<std::shared_ptr<const Set>> sets() const { return queue_.all(); }

  // So that all that is here can be handed over.
  void seal() noexcept { queue_.seal(); }
  [[nodiscard]] std::size_t sealed_sets() const { return queue_.count_sealed(); }
  // The oldest sealed set; none: nullptr. Its keys go into a table, and only then
  // finish_hand_over() may be called, which drops it, here and in `set`.
  [[nodiscard]] std::shared_ptr<const Set> begin_hand_over();
  void finish_hand_over(std::shared_ptr<const Set>& set) { queue_.finish(set); }
  // Nothing is handed over any more: add() fails from now on.
  void close(const std::string& why) { queue_.close(why); }

 private:
  const Limits limits_;
  HandOverQueue<Set> queue_;
};

}  // namespace tokend::store
