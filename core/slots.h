#pragma once
// The places of a core's connections. A slot's generation moves on whenever it is taken, so a tag
// (core/ring.h) names one connection and not the next one in the same place.
//
// Concurrency: one core. Limit: the count given at construction.

#include <cstddef>
#include <cstdint>
#include <new>

#include "core/connection.h"
#include "core/error.h"
#include "core/mapping.h"
#include "core/ring.h"

namespace tokend::core {

// A place for a connection. What is outside the connection survives it.
struct Slot {
  std::uint32_t generation = 0;
  std::uint32_t next_free = 0;
  bool used = false;
  SessionFactory* factory = nullptr;  // of the connection's session
  alignas(Connection) std::byte memory[sizeof(Connection)];

  [[nodiscard]] Connection& connection() noexcept {
    return *std::launder(reinterpret_cast<Connection*>(memory));
  }
};

// The slots stand in zeroed memory that is touched when a connection first takes one.
class Slots {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  explicit Slots(std::size_t count) : memory_(count * sizeof(Slot)), count_(count) {
    CHECK(count > 0 && count < kNone);
  }
  [[nodiscard]] Slot& operator[](std::uint32_t index) noexcept {
    return reinterpret_cast<Slot*>(memory_.data())[index];
  }
  // kNone at the limit. The slot used last comes first: its lines are still in the cache.
  [[nodiscard]] std::uint32_t take() noexcept {
    std::uint32_t index = free_;
    if (index != kNone) {
      free_ = (*this)[index].next_free;
    } else if (touched_ < count_) {
      index = touched_++;
    } else {
      return kNone;
    }
    Slot& slot = (*this)[index];
    slot.used = true;
    slot.generation = (slot.generation + 1) & Tag::kGenerationMask;
    ++used_;
    return index;
  }
  void give(std::uint32_t index) noexcept {
    Slot& slot = (*this)[index];
    slot.used = false;
    slot.next_free = free_;
    free_ = index;
    --used_;
  }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint32_t touched() const noexcept { return touched_; }

 private:
  Mapping memory_;
  std::size_t count_;
  std::size_t used_ = 0;
  std::uint32_t touched_ = 0;
  std::uint32_t free_ = kNone;
};

}  // namespace tokend::core
