#include "http/api/rate_limit.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "core/cache_line.h"
#include "core/error.h"

namespace tokend::api {
namespace {

// Two words that are swapped as one (cmpxchg16b), and read one after the other (load()).
__extension__ using Wide = unsigned __int128;
using Half [[gnu::may_alias]] = std::uint64_t;

constexpr int kCountBits = 24;
constexpr std::uint32_t kCountMax = (1U << kCountBits) - 1;

struct Entry {
  std::uint64_t key = 0;    // 0: never used
  std::uint64_t state = 0;  // start of the window in milliseconds, then kCountBits of count

  [[nodiscard]] std::int64_t start_ms() const noexcept {
    return static_cast<std::int64_t>(state >> kCountBits);
  }
  [[nodiscard]] std::uint32_t count() const noexcept {
    return static_cast<std::uint32_t>(state) & kCountMax;
  }
};
static_assert(sizeof(Entry) == sizeof(Wide));

Entry make_entry(std::uint64_t key, std::int64_t start_ms, std::uint32_t count) noexcept {
  return {key, static_cast<std::uint64_t>(start_ms) << kCountBits | count};
}

// Never the key of one entry with the state of another. The swap compares both and would refuse
// such a pair, but who looks for the entry to displace would take it for a young one and displace
// another, and a client would have two entries. Ends because a key only changes when a client is
// new.
Entry load(const Wide& wide) noexcept {
  const auto* halves = reinterpret_cast<const Half*>(&wide);
  for (;;) {
    const std::uint64_t key = __atomic_load_n(halves, __ATOMIC_ACQUIRE);
    const std::uint64_t state = __atomic_load_n(halves + 1, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(halves, __ATOMIC_RELAXED) == key) [[likely]]
      return {key, state};
  }
}

bool swap(Wide& wide, const Entry& expected, const Entry& desired) noexcept {
  return __sync_bool_compare_and_swap(&wide, std::bit_cast<Wide>(expected),
                                      std::bit_cast<Wide>(desired));
}

std::uint64_t mix(std::uint64_t left, std::uint64_t right) noexcept {
  const Wide product = static_cast<Wide>(left) * right;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

struct alignas(core::kCacheLineBytes) RateLimiter::Set {
  Wide ways[kWays] = {};
};

RateLimiter::RateLimiter(const RateLimitOptions& options) : options_(options) {
  static_assert(sizeof(Set) == core::kCacheLineBytes);
  CHECK(getrandom(seed_.data(), sizeof(seed_), 0) == sizeof(seed_));
  for (std::uint64_t& word : seed_) word |= 1;  // a factor of zero would swallow its operand
  const std::size_t sets = std::bit_ceil(std::max(options.entries_max, kWays) / kWays);
  set_mask_ = sets - 1;
  sets_ = std::make_unique<Set[]>(sets);
}

RateLimiter::~RateLimiter() = default;

std::uint64_t RateLimiter::key_of(std::uint64_t route,
                                  std::span<const std::uint8_t, 16> address) const noexcept {
  std::uint64_t words[2];
  std::memcpy(words, address.data(), sizeof(words));
  const std::uint64_t hash =
      mix(mix(words[0] ^ seed_[0], words[1] ^ seed_[1]) ^ route, seed_[2] ^ 0x9E3779B97F4A7C15U);
  return hash == 0 ? 1 : hash;
}

// The set is chosen by bits that the key's other uses do not depend on.
RateLimiter::Set& RateLimiter::set_of(std::uint64_t key) const noexcept {
  return sets_[mix(key, seed_[0]) & set_mask_];
}

bool RateLimiter::is_spent(std::uint64_t route, std::span<const std::uint8_t, 16> address,
                           std::int64_t monotonic_ms, const Limit& limit) const noexcept {
  const std::uint64_t key = key_of(route, address);
  const std::uint32_t calls_max = std::min(limit.calls_max, kCountMax);
  for (const Wide& way : set_of(key).ways) {
    const Entry seen = load(way);
    if (seen.key != key || seen.count() < calls_max) continue;
    return monotonic_ms + 1 - seen.start_ms() < limit.window_ms;
  }
  return false;
}

void RateLimiter::forget(std::uint64_t route, std::span<const std::uint8_t, 16> address,
                         std::int64_t monotonic_ms) noexcept {
  const std::uint64_t key = key_of(route, address);
  for (Wide& way : set_of(key).ways) {
    // A swap that fails means that a call was counted or the entry has gone: with the first, this
    // one comes before it as well as behind it.
    const Entry seen = load(way);
    if (seen.key != key) continue;
    static_cast<void>(
        swap(way, seen, make_entry(key, std::max(seen.start_ms(), monotonic_ms + 1), 0)));
  }
}

RateLimiter::Verdict RateLimiter::count(std::uint64_t route,
                                        std::span<const std::uint8_t, 16> address,
                                        std::int64_t monotonic_ms, const Limit& limit) noexcept {
  const std::uint64_t key = key_of(route, address);
  Set& set = set_of(key);
  const std::int64_t now_ms = monotonic_ms + 1;  // a start of 0 is an unused entry's
  const std::uint32_t calls_max = std::min(limit.calls_max, kCountMax);
  const std::int64_t window_ms = limit.window_ms;

  // Exactness: every outcome, a refusal too, is a successful swap of the entry it was decided on.
  // Two threads that both miss a new key choose the same victim, because the entries of a set only
  // ever get younger: one swap wins and the other thread looks again and finds the entry. The loop
  // ends because a swap fails only when another thread's call was counted, and that happens at
  // most `calls_max` times in a window before all of them are refused without a change.
  for (;;) {
    Wide* place = &set.ways[0];
    Entry seen = load(*place);
    for (std::size_t way = 1; way < kWays && seen.key != key; ++way) {
      const Entry other = load(set.ways[way]);
      if (other.key == key || other.start_ms() < seen.start_ms()) {
        place = &set.ways[way];
        seen = other;
      }
    }
    // Another core's turn may have begun later than ours: its windows are as old as now.
    const std::int64_t ends_ms = seen.start_ms() - 1 + window_ms;
    const std::int64_t age_ms = std::max<std::int64_t>(0, now_ms - seen.start_ms());
    if (seen.key != key || age_ms >= window_ms) {
      if (swap(*place, seen, make_entry(key, now_ms, 1))) {
        return {true, calls_max, calls_max - 1, window_ms, monotonic_ms + window_ms};
      }
    } else if (seen.count() < calls_max) {
      const bool restarts = options_.restarts_when_spent && seen.count() + 1 == calls_max;
      const std::int64_t start_ms = restarts ? std::max(now_ms, seen.start_ms()) : seen.start_ms();
      if (swap(*place, seen, make_entry(key, start_ms, seen.count() + 1))) {
        return {true, calls_max, calls_max - seen.count() - 1, window_ms - age_ms, ends_ms};
      }
    } else if (swap(*place, seen, seen)) {
      return {false, calls_max, 0, window_ms - age_ms, ends_ms};
    }
  }
}

std::int64_t RateLimiter::wall_end_ms(const Verdict& verdict,
                                      const core::TurnClock& clock) noexcept {
  constexpr std::int64_t kRoundingMs = 2;
  const std::int64_t ahead_ms =
      clock.wall_ms - clock.monotonic_ns / core::kNanosecondsPerMillisecond;
  std::int64_t known_ms = wall_ahead_ms_.load(std::memory_order_relaxed);
  if (std::abs(ahead_ms - known_ms) > kRoundingMs) {
    // The first call, or the operator stepped the clock.
    wall_ahead_ms_.store(ahead_ms, std::memory_order_relaxed);
    known_ms = ahead_ms;
  }
  return verdict.ends_ms + known_ms;
}

}  // namespace tokend::api
