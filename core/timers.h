#pragma once
// Deadlines in a hierarchical wheel. Passive: it never asks for the time and never sleeps; its
// owner calls advance_to(now) and may sleep until next_deadline(). Entries are intrusive, so arming
// allocates nothing, and arming, disarming and firing cost O(1).
//
// An entry never fires early and fires at most one tick late, counted from the advance_to that is
// told a time past its deadline. Firing may arm or disarm any entry. Concurrency: one thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/clock.h"

namespace tokend::core {

// Something that happens once, when its deadline has passed. Must be disarmed before it dies.
class TimerEntry {
 public:
  using Fire = void (*)(TimerEntry&) noexcept;
  explicit TimerEntry(Fire fire) noexcept : fire_(fire) {}
  TimerEntry(const TimerEntry&) = delete;
  TimerEntry& operator=(const TimerEntry&) = delete;

  [[nodiscard]] bool armed() const noexcept { return next_ != nullptr; }

 private:
  friend class TimerWheel;
  TimerEntry* next_ = nullptr;
  TimerEntry* previous_ = nullptr;
  std::uint64_t tick_ = 0;
  Fire fire_;
};

class TimerWheel {
 public:
  static constexpr std::int64_t kTickNs = 4 * kNanosecondsPerMillisecond;
  static constexpr std::int64_t kNothingArmed = std::numeric_limits<std::int64_t>::max();

  explicit TimerWheel(std::int64_t now_ns) noexcept;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // (Re-)arms. A deadline that has passed fires at the next advance_to beyond this tick.
  void arm(TimerEntry& entry, std::int64_t deadline_ns) noexcept;
  void disarm(TimerEntry& entry) noexcept;

  // Fires everything whose deadline is not after `now_ns`; returns how many.
  std::size_t advance_to(std::int64_t now_ns) noexcept;
  // When advance_to has something to do, or kNothingArmed. Not later than the earliest deadline's
  // tick; it may be earlier, when entries are to move to a finer level.
  [[nodiscard]] std::int64_t next_deadline() const noexcept;

 private:
  // 64 slots a level: each level's slot spans a whole turn of the level below.
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kSlots = 1U << kSlotBits;
  static constexpr unsigned kLevels = 7;
  static_assert(std::numeric_limits<std::int64_t>::max() / kTickNs >> (kLevels * kSlotBits) == 0,
                "every deadline has a place in the wheel");

  struct Place {
    unsigned level;
    unsigned slot;
  };
  // The head of a circular list; only the links are used.
  struct Slot : TimerEntry {
    Slot() noexcept : TimerEntry(nullptr) {}
  };
  struct Next {
    bool any = false;
    Place place{};
    std::uint64_t tick = 0;
  };

  [[nodiscard]] Place place_of(std::uint64_t tick) const noexcept;
  [[nodiscard]] Next find_next() const noexcept;
  void insert(TimerEntry& entry) noexcept;
  static void unlink(TimerEntry& entry) noexcept;

  std::uint64_t elapsed_;   // the tick up to which everything has fired
  std::uint64_t now_tick_;  // the latest advance_to's; elapsed_ trails it while entries fire
  std::array<std::uint64_t, kLevels> occupied_{};  // a bit for each slot that may hold entries
  std::array<std::array<Slot, kSlots>, kLevels> slots_;
};

}  // namespace tokend::core
