#include "core/clock.h"

#include <time.h>

namespace tokend::core {
namespace {

std::int64_t read_ns(clockid_t id) noexcept {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

std::int64_t SystemClock::monotonic_ns() const noexcept { return read_ns(CLOCK_MONOTONIC); }

std::int64_t SystemClock::wall_ms() const noexcept {
  return read_ns(CLOCK_REALTIME) / kNanosecondsPerMillisecond;
}

}  // namespace tokend::core
