#pragma once
// How many calls a client may make (contract 1.4 and 9.9): a fixed window for each pair of route
// and client address, shared by all cores, so that the limit holds whichever core a connection
// landed on.
//
// Operation: a table of 16-byte entries in sets of kWays, each set a cache line. An entry is only
// ever replaced as a whole by a compare-and-swap. A new pair takes the entry of its set whose
// window started first; under more clients than entries, old windows are forgotten (a client may
// then be allowed more than the limit, never less).
//
// Concurrency: any thread; no locks. Limit: RateLimitOptions::entries_max.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/clock.h"
#include "http/api/options.h"

namespace tokend::api {

class RateLimiter {
 public:
  struct Verdict {
    bool allowed = true;
    std::uint32_t limit = 0;
    std::uint32_t remaining = 0;
    std::int64_t reset_in_ms = 0;  // until the window ends; at least 1 when not allowed
    std::int64_t ends_ms = 0;      // the monotonic moment of that, the same for all of a window
  };

  // The window is fixed: it starts with a client's first call. The limit is said at every call and
  // may be another one then: a window is as long, and has as many calls, as the call says that
  // looks at it.
  struct Limit {
    std::uint32_t calls_max = 10;     // from 1; what an entry cannot count is as good as no limit
    std::int64_t window_ms = 60'000;  // from 1
  };

  explicit RateLimiter(const RateLimitOptions& options);
  ~RateLimiter();
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  // Counts one call. `route` is any number that is the same for the same route on all cores;
  // `monotonic_ms` comes from a core's TurnClock.
  [[nodiscard]] Verdict count(std::uint64_t route, std::span<const std::uint8_t, 16> address,
                              std::int64_t monotonic_ms, const Limit& limit) noexcept;

  // Whether count() would not allow a call now. Counts nothing.
  [[nodiscard]] bool is_spent(std::uint64_t route, std::span<const std::uint8_t, 16> address,
                              std::int64_t monotonic_ms, const Limit& limit) const noexcept;
  // The calls so far no longer count.
  void forget(std::uint64_t route, std::span<const std::uint8_t, 16> address,
              std::int64_t monotonic_ms) noexcept;

  // When the window ends on the wall clock. The same for every call of a window, although the two
  // clocks' milliseconds round differently: the distance between the clocks is remembered until it
  // has moved by more than that.
  [[nodiscard]] std::int64_t wall_end_ms(const Verdict& verdict,
                                         const core::TurnClock& clock) noexcept;

 private:
  static constexpr std::size_t kWays = 4;
  struct Set;

  [[nodiscard]] Set& set_of(std::uint64_t key) const noexcept;
  [[nodiscard]] std::uint64_t key_of(std::uint64_t route,
                                     std::span<const std::uint8_t, 16> address) const noexcept;

  const RateLimitOptions options_;
  // Unknown to clients, so that nobody can choose addresses that share another's set.
  std::array<std::uint64_t, 3> seed_;
  std::size_t set_mask_;
  std::atomic<std::int64_t> wall_ahead_ms_{0};  // of the monotonic clock
  std::unique_ptr<Set[]> sets_;
};

}  // namespace tokend::api
