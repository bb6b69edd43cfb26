#pragma once
// A set-associative table of bounded size: eight ways, no chains, no tombstones. What does not find
// room displaces the way of its set that was not used for longest, by the clock rule. The memory is
// one mapping whose pages are touched only when their sets first are.
//
// Concurrency: one core's. Slot is trivial; a slot's content means something only while its way is
// occupied, and what it refers to is the caller's to free.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/cache_line.h"
#include "core/mapping.h"

namespace tokend::store {

template <class Slot>
class SetTable {
  static_assert(std::is_trivially_copyable_v<Slot>);

 public:
  static constexpr std::size_t kWays = 8;

  // Rounded up to a power of two, and to one set.
  explicit SetTable(std::size_t slots)
      : sets_count_(std::bit_ceil((slots + kWays - 1) / kWays + (slots == 0))),
        mapping_(sets_count_ * sizeof(Set)),
        sets_(reinterpret_cast<Set*>(mapping_.data())) {}
  SetTable(const SetTable&) = delete;
  SetTable& operator=(const SetTable&) = delete;

  [[nodiscard]] std::size_t capacity() const noexcept { return sets_count_ * kWays; }

  // The slot of `hash` for which `matches(slot)` holds, or nullptr. Marks it as used.
  template <class Matches>
  [[nodiscard]] Slot* find(std::uint64_t hash, Matches&& matches) noexcept {
    Set& set = set_of(hash);
    const std::uint16_t tag = tag_of(hash);
    for (std::size_t way = 0; way < kWays; ++way) {
      if (set.tags[way] == tag && matches(set.slots[way])) {
        set.used = static_cast<std::uint8_t>(set.used | (1U << way));
        return &set.slots[way];
      }
    }
    return nullptr;
  }

  // A slot for a new entry of `hash`, which is not in the table. `displace(slot)` is called first
  // if another entry has to go.
  template <class Displace>
  [[nodiscard]] Slot& claim(std::uint64_t hash, Displace&& displace) noexcept {
    Set& set = set_of(hash);
    std::size_t way = 0;
    while (way < kWays && set.tags[way] != kFree) ++way;
    if (way == kWays) {
      // The hand passes those that were used since it last came by, once.
      while (set.used & (1U << set.hand)) {
        set.used = static_cast<std::uint8_t>(set.used & ~(1U << set.hand));
        set.hand = static_cast<std::uint8_t>((set.hand + 1) % kWays);
      }
      way = set.hand;
      set.hand = static_cast<std::uint8_t>((set.hand + 1) % kWays);
      displace(set.slots[way]);
    }
    // Not yet used: what is asked for only once goes before what is asked for again.
    set.tags[way] = tag_of(hash);
    set.used = static_cast<std::uint8_t>(set.used & ~(1U << way));
    return set.slots[way];
  }

  // For whoever knows a little earlier that it will claim(hash): prefetch() has the set's head
  // fetched into the cache, and after that prefetch_claim() the slot that will be claimed.
  void prefetch(std::uint64_t hash) const noexcept { __builtin_prefetch(&set_of(hash)); }
  void prefetch_claim(std::uint64_t hash) const noexcept {
    const Set& set = set_of(hash);
    std::size_t way = 0;
    while (way < kWays && set.tags[way] != kFree) ++way;
    prefetch_slot(set.slots[way < kWays ? way : set.hand]);
  }

  // For whoever will find(hash), and has called prefetch() before: has the slot that is likely the
  // one fetched, and what `target(slot)` says it leads to, if anything.
  template <class Target>
  void prefetch_find(std::uint64_t hash, Target&& target) const noexcept {
    const Set& set = set_of(hash);
    const std::uint16_t tag = tag_of(hash);
    for (std::size_t way = 0; way < kWays; ++way) {
      if (set.tags[way] != tag) continue;
      prefetch_slot(set.slots[way]);
      target(set.slots[way]);
      return;
    }
  }

  // Frees the entry, after `displace(slot)`. False when there is none.
  template <class Matches, class Displace>
  bool remove(std::uint64_t hash, Matches&& matches, Displace&& displace) noexcept {
    Set& set = set_of(hash);
    const std::uint16_t tag = tag_of(hash);
    for (std::size_t way = 0; way < kWays; ++way) {
      if (set.tags[way] == tag && matches(set.slots[way])) {
        displace(set.slots[way]);
        set.tags[way] = kFree;
        set.used = static_cast<std::uint8_t>(set.used & ~(1U << way));
        return true;
      }
    }
    return false;
  }

  [[nodiscard]] std::size_t sets() const noexcept { return sets_count_; }
  // Frees the entries of the sets [from, from + count) for which `drops(slot)` holds.
  template <class Drops>
  void sweep(std::size_t from, std::size_t count, Drops&& drops) noexcept {
    for (std::size_t i = from; i < from + count; ++i) {
      Set& set = sets_[i];
      for (std::size_t way = 0; way < kWays; ++way) {
        if (set.tags[way] == kFree || !drops(set.slots[way])) continue;
        set.tags[way] = kFree;
        set.used = static_cast<std::uint8_t>(set.used & ~(1U << way));
      }
    }
  }

  // Every occupied slot. Touches the whole mapping.
  template <class Visit>
  void each(Visit&& visit) noexcept {
    for (std::size_t i = 0; i < sets_count_; ++i) {
      for (std::size_t way = 0; way < kWays; ++way) {
        if (sets_[i].tags[way] != kFree) visit(sets_[i].slots[way]);
      }
    }
  }

 private:
  static constexpr std::uint16_t kFree = 0;  // what an untouched page says
  struct Set {
    std::uint16_t tags[kWays];
    std::uint8_t used;  // a bit for each way
    std::uint8_t hand;
    Slot slots[kWays];
  };

  static constexpr std::size_t kSlotBytes = sizeof(Set::slots) / kWays;

  static void prefetch_slot(const Slot& slot) noexcept {
    for (std::size_t byte = 0; byte < kSlotBytes; byte += core::kCacheLineBytes) {
      __builtin_prefetch(reinterpret_cast<const char*>(&slot) + byte, 1);
    }
  }
  Set& set_of(std::uint64_t hash) const noexcept { return sets_[hash & (sets_count_ - 1)]; }
  // The set is chosen by the low bits, the tag by the high ones.
  static std::uint16_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint16_t>((hash >> 48) | 1U);
  }

  const std::size_t sets_count_;
  const core::Mapping mapping_;
  Set* const sets_;  // in the mapping, whose zeros say that every way is free
};

}  // namespace tokend::store
