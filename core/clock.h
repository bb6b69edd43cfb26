#pragma once
// Time behind one interface, so that tests own it. A core does not ask the system for the time at
// every step: its reactor reads the clock once a turn into a TurnClock, and all work of that turn
// sees that one moment.

#include <cstdint>

namespace tokend::core {

inline constexpr std::int64_t kNanosecondsPerMillisecond = 1'000'000;
inline constexpr std::int64_t kMillisecondsPerSecond = 1'000;

class Clock {
 public:
  virtual ~Clock() = default;
  // Nanoseconds since an arbitrary moment; never goes back.
  [[nodiscard]] virtual std::int64_t monotonic_ns() const noexcept = 0;
  // Milliseconds since the Unix epoch; may be stepped by the operator in either direction.
  [[nodiscard]] virtual std::int64_t wall_ms() const noexcept = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t monotonic_ns() const noexcept override;
  [[nodiscard]] std::int64_t wall_ms() const noexcept override;
};

// One core's moment. Written by the core's reactor at the start of each turn, read on that core.
struct TurnClock {
  std::int64_t monotonic_ns = 0;
  std::int64_t wall_ms = 0;
};

}  // namespace tokend::core
