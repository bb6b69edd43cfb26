#include "core/timers.h"

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace tokend::core {
namespace {

constexpr std::uint64_t tick_before(std::int64_t ns) noexcept {
  return static_cast<std::uint64_t>(ns / TimerWheel::kTickNs);
}

// Rounded up, so that nothing fires early.
constexpr std::uint64_t tick_after(std::int64_t ns) noexcept {
  return tick_before(ns) + (ns % TimerWheel::kTickNs != 0 ? 1 : 0);
}

}  // namespace

TimerWheel::TimerWheel(std::int64_t now_ns) noexcept
    : elapsed_(tick_before(std::max<std::int64_t>(now_ns, 0))),
      now_tick_(elapsed_) {
  for (auto& level : slots_) {
    for (Slot& slot : level) slot.next_ = slot.previous_ = &slot;
  }
}

TimerWheel::Place TimerWheel::place_of(std::uint64_t tick) const noexcept {
  // The highest bit in which the tick differs from the present names the level: everything on a
  // level lies within the present turn of that level and ahead of the present slot.
  const std::uint64_t differing = (elapsed_ ^ tick) | (kSlots - 1);
  const unsigned level = static_cast<unsigned>(std::bit_width(differing) - 1) / kSlotBits;
  return {level, static_cast<unsigned>(tick >> (level * kSlotBits)) & (kSlots - 1)};
}

void TimerWheel::insert(TimerEntry& entry) noexcept {
  const Place place = place_of(entry.tick_);
  Slot& head = slots_[place.level][place.slot];
  entry.next_ = &head;
  entry.previous_ = head.previous_;
  head.previous_->next_ = &entry;
  head.previous_ = &entry;
  occupied_[place.level] |= std::uint64_t{1} << place.slot;
}

void TimerWheel::unlink(TimerEntry& entry) noexcept {
  entry.next_->previous_ = entry.previous_;
  entry.previous_->next_ = entry.next_;
  entry.next_ = entry.previous_ = nullptr;
}

void TimerWheel::arm(TimerEntry& entry, std::int64_t deadline_ns) noexcept {
  if (entry.armed()) unlink(entry);
  // Never at or before now_tick_: an entry that arms itself again for the past while it fires
  // waits for the next advance_to instead of firing for ever.
  entry.tick_ = std::max(tick_after(std::max<std::int64_t>(deadline_ns, 0)), now_tick_ + 1);
  insert(entry);
}

void TimerWheel::disarm(TimerEntry& entry) noexcept {
  // The slot's bit may stay set over an empty list; find_next's user clears it then.
  if (entry.armed()) unlink(entry);
}

TimerWheel::Next TimerWheel::find_next() const noexcept {
  // Whatever is on a lower level is due before anything on a higher one.
  for (unsigned level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const unsigned shift = level * kSlotBits;
    const unsigned slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
    const std::uint64_t turn_start = elapsed_ >> (shift + kSlotBits) << (shift + kSlotBits);
    return {true, {level, slot}, turn_start | (std::uint64_t{slot} << shift)};
  }
  return {};
}

std::size_t TimerWheel::advance_to(std::int64_t now_ns) noexcept {
  now_tick_ = std::max(now_tick_, tick_before(std::max<std::int64_t>(now_ns, 0)));
  std::size_t fired = 0;
  for (Next next = find_next(); next.any && next.tick <= now_tick_; next = find_next()) {
    CHECK(next.tick >= elapsed_);
    elapsed_ = next.tick;
    Slot& head = slots_[next.place.level][next.place.slot];
    occupied_[next.place.level] &= ~(std::uint64_t{1} << next.place.slot);
    // The slot's list is emptied one by one, because firing may disarm any entry of it. Nothing is
    // added to it meanwhile: from the new present on, its ticks belong to lower levels, and arm()
    // gives out none that is due.
    while (head.next_ != &head) {
      TimerEntry& entry = *head.next_;
      unlink(entry);
      if (entry.tick_ > elapsed_) {
        insert(entry);
      } else {
        ++fired;
        entry.fire_(entry);
      }
    }
  }
  elapsed_ = now_tick_;
  return fired;
}

std::int64_t TimerWheel::next_deadline() const noexcept {
  const Next next = find_next();
  constexpr std::uint64_t kTickMax = kNothingArmed / kTickNs;
  if (!next.any || next.tick > kTickMax) return kNothingArmed;
  return static_cast<std::int64_t>(next.tick) * kTickNs;
}

}  // namespace tokend::core
