#pragma once
// How much whoever fills segments has to wait so that those who hand them over keep up: at each
// batch about as long as a batch's part of a segment takes, instead of for a whole segment when
// there is no room left. Time is passed in.
//
// Concurrency: TokenTail's lock; pause() and its debt are the appending thread's.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tokend::store {

class HandOverPace {
 public:
  using Duration = std::chrono::nanoseconds;

  // What is longer is not waited for at once: a batch of some megabytes at a slow disk. As much
  // again stays owed, the rest is forgiven.
  static constexpr Duration kPauseMax = std::chrono::milliseconds(20);
  // A shorter pause costs more than it is: it is owed until others have come together.
  static constexpr Duration kPauseMin = std::chrono::microseconds(200);

  // Segments of `segment_bytes`, of which one sealed one is in the order of things.
  explicit HandOverPace(std::size_t segment_bytes) noexcept : segment_bytes_(segment_bytes) {}

  void begin(Duration now, std::size_t bytes) noexcept {
    begun_ = now;
    bytes_ = bytes;
  }
  // Only a segment of some size tells what a byte costs. The very last one counts half.
  void finish(Duration now) noexcept {
    if (bytes_ >= segment_bytes_ / 2) {
      const double last = cost_of(now);
      ns_per_byte_ = ns_per_byte_ > 0 ? (ns_per_byte_ + last) / 2 : last;
    }
    bytes_ = 0;
  }

  // After `appended` bytes, with `sealed_bytes` that wait or are under way.
  [[nodiscard]] Duration pause(Duration now, std::size_t appended,
                               std::size_t sealed_bytes) noexcept {
    if (!is_behind(sealed_bytes)) {
      owed_ = {};
      return {};
    }
    // One that takes longer than those before it is noticed before it ends; the first one, too.
    const double cost = std::max(ns_per_byte_, cost_of(now));
    owed_ += Duration(static_cast<std::int64_t>(static_cast<double>(appended) * cost));
    if (owed_ < kPauseMin) return {};
    const Duration pause = std::min(owed_, kPauseMax);
    owed_ = std::min(owed_ - pause, kPauseMax);
    return pause;
  }
  // It had to wait for room, and so longer than for any pause.
  void waited() noexcept { owed_ = {}; }
  [[nodiscard]] bool is_behind(std::size_t sealed_bytes) const noexcept {
    return sealed_bytes > segment_bytes_ + segment_bytes_ / 2;
  }

 private:
  // Of the one under way, so far. Most of what a small one takes is not for its bytes.
  [[nodiscard]] double cost_of(Duration now) const noexcept {
    if (bytes_ == 0) return 0;
    return static_cast<double>((now - begun_).count()) /
           static_cast<double>(std::max(bytes_, segment_bytes_ / 2));
  }

  const std::size_t segment_bytes_;
  Duration begun_{};
  std::size_t bytes_ = 0;  // of the hand-over under way; 0: there is none
  double ns_per_byte_ = 0;
  Duration owed_{};
};

}  // namespace tokend::store
