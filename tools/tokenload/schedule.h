#pragma once
// When each request of an open loop is meant to be sent, whatever the server does. A latency that
// counts from this moment holds the time that a request had to wait because earlier ones were
// slow, which a closed loop silently leaves out (coordinated omission). Immutable; any thread.

#include <cstdint>

namespace tokend::load {

class RateSchedule {
 public:
  // Of `stride` threads that share `per_second`, the one with number `offset`: its request k is the
  // whole schedule's request k * stride + offset, so together they send evenly.
  RateSchedule(std::int64_t start_ns, double per_second, std::uint64_t offset,
               std::uint64_t stride) noexcept
      : start_ns_(start_ns),
        interval_ns_(1e9 / per_second),
        offset_(offset),
        stride_(stride) {}

  // Computed from the start each time, so rounding does not add up.
  [[nodiscard]] std::int64_t intended_ns(std::uint64_t request) const noexcept {
    const auto number = static_cast<long double>(request * stride_ + offset_);
    return start_ns_ + static_cast<std::int64_t>(number * interval_ns_);
  }

 private:
  std::int64_t start_ns_;
  long double interval_ns_;
  std::uint64_t offset_;
  std::uint64_t stride_;
};

}  // namespace tokend::load
