#include "http/api/rate_limit.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace tokend::api {
namespace {

using Address = std::array<std::uint8_t, 16>;

Address address(std::uint32_t number) {
  Address bytes{};
  for (std::size_t index = 0; index < 4; ++index) {
    bytes[index] = static_cast<std::uint8_t>(number >> (8 * index));
  }
  return bytes;
}

// A limiter and the limit that all calls of a test name.
struct Limited : RateLimiter {
  explicit Limited(const Limit& its_limit = {}, std::size_t entries_max = 1U << 16)
      : RateLimiter({.entries_max = entries_max}),
        limit(its_limit) {}
  Verdict count(std::uint64_t route, const Address& client, std::int64_t monotonic_ms) noexcept {
    return RateLimiter::count(route, client, monotonic_ms, limit);
  }
  Limit limit;
};

TEST(RateLimiter, TheEleventhCallOfAWindowIsRefused) {
  Limited limiter;
  for (std::uint32_t call = 1; call <= 10; ++call) {
    const auto verdict = limiter.count(1, address(1), 1'000 + call);
    EXPECT_TRUE(verdict.allowed);
    EXPECT_EQ(verdict.limit, 10U);
    EXPECT_EQ(verdict.remaining, 10 - call);
    EXPECT_EQ(verdict.reset_in_ms, 60'000 - (call - 1));
  }
  const auto verdict = limiter.count(1, address(1), 2'000);
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.remaining, 0U);
  EXPECT_EQ(verdict.reset_in_ms, 60'000 - 999);
}

TEST(RateLimiter, TheWindowStartsWithItsFirstCallAndIsFixed) {
  Limited limiter;
  for (int call = 0; call < 10; ++call) EXPECT_TRUE(limiter.count(1, address(1), 5'000).allowed);
  EXPECT_FALSE(limiter.count(1, address(1), 64'999).allowed);
  EXPECT_EQ(limiter.count(1, address(1), 64'999).reset_in_ms, 1);
  const auto fresh = limiter.count(1, address(1), 65'000);
  EXPECT_TRUE(fresh.allowed);
  EXPECT_EQ(fresh.remaining, 9U);
  EXPECT_EQ(fresh.reset_in_ms, 60'000);
}

TEST(RateLimiter, RoutesAndWholeAddressesHaveWindowsOfTheirOwn) {
  Limited limiter({.calls_max = 1});
  Address first{};
  Address other{};
  other[15] = 1;
  EXPECT_TRUE(limiter.count(1, first, 0).allowed);
  EXPECT_TRUE(limiter.count(2, first, 0).allowed);
  EXPECT_TRUE(limiter.count(1, other, 0).allowed);
  EXPECT_FALSE(limiter.count(1, first, 0).allowed);
  EXPECT_FALSE(limiter.count(2, first, 0).allowed);
  EXPECT_FALSE(limiter.count(1, other, 0).allowed);
}

TEST(RateLimiter, AnotherLimitCountsFromTheNextCallOn) {
  Limited limiter({.calls_max = 2});
  EXPECT_TRUE(limiter.count(1, address(1), 1'000).allowed);
  EXPECT_TRUE(limiter.count(1, address(1), 1'000).allowed);
  EXPECT_FALSE(limiter.count(1, address(1), 1'000).allowed);
  limiter.limit.calls_max = 3;
  const auto more = limiter.count(1, address(1), 1'000);
  EXPECT_TRUE(more.allowed);
  EXPECT_EQ(more.limit, 3U);
  EXPECT_EQ(more.remaining, 0U);
  limiter.limit.calls_max = 1;
  EXPECT_FALSE(limiter.count(1, address(1), 1'000).allowed);
  EXPECT_TRUE(limiter.is_spent(1, address(1), 1'000, limiter.limit));
  limiter.limit.window_ms = 10;
  EXPECT_FALSE(limiter.is_spent(1, address(1), 1'010, limiter.limit));
  EXPECT_TRUE(limiter.count(1, address(1), 1'010).allowed);
}

TEST(RateLimiter, ALimitBeyondWhatAnEntryCountsIsTheGreatestThatItCounts) {
  Limited limiter({.calls_max = UINT32_MAX});
  const auto verdict = limiter.count(1, address(1), 1'000);
  EXPECT_TRUE(verdict.allowed);
  EXPECT_EQ(verdict.remaining, verdict.limit - 1);
  EXPECT_EQ(verdict.limit, (1U << 24) - 1);
}

TEST(RateLimiter, ACoreWhoseTurnBeganEarlierSharesTheWindow) {
  Limited limiter({.calls_max = 2});
  EXPECT_TRUE(limiter.count(1, address(1), 10'000).allowed);
  const auto verdict = limiter.count(1, address(1), 9'990);
  EXPECT_TRUE(verdict.allowed);
  EXPECT_EQ(verdict.reset_in_ms, 60'000);
  EXPECT_FALSE(limiter.count(1, address(1), 9'990).allowed);
}

TEST(RateLimiter, AWindowEndsAtOneMomentOfTheWallClockUntilThatIsStepped) {
  Limited limiter;
  constexpr std::int64_t kNs = core::kNanosecondsPerMillisecond;
  const auto told = [&limiter](std::int64_t monotonic_ns, std::int64_t wall_ms) {
    const auto verdict = limiter.count(1, address(1), monotonic_ns / kNs);
    return limiter.wall_end_ms(verdict, {.monotonic_ns = monotonic_ns, .wall_ms = wall_ms});
  };
  // The wall clock's millisecond begins when 0.4 of the monotonic clock's have passed.
  EXPECT_EQ(told(5'000 * kNs, 900'000), 960'000);
  EXPECT_EQ(told(5'000 * kNs + 500'000, 900'001), 960'000);
  EXPECT_EQ(told(5'020 * kNs + 300'000, 900'020), 960'000);
  // Another core, whose turn began earlier.
  EXPECT_EQ(told(4'999 * kNs + 900'000, 900'000), 960'000);
  EXPECT_EQ(told(6'000 * kNs, 1'901'000), 1'960'000);
}

TEST(RateLimiter, MoreClientsThanEntriesForgetOldWindowsButRefuseNobody) {
  Limited limiter({.calls_max = 1}, 16);
  for (std::uint32_t client = 0; client < 10'000; ++client) {
    ASSERT_TRUE(limiter.count(1, address(client), client).allowed);
  }
  // The youngest is remembered.
  EXPECT_FALSE(limiter.count(1, address(9'999), 10'000).allowed);
}

TEST(RateLimiter, ExactlyTheLimitIsAllowedOverManyThreads) {
  constexpr std::uint32_t kCallsMax = 1'000;
  constexpr std::uint32_t kClients = 64;
  constexpr std::uint32_t kThreads = 4;
  constexpr std::uint32_t kRounds = 500;  // of each thread: twice the limit in total
  // Room for all: what is counted here is exactness and not eviction.
  Limited limiter({.calls_max = kCallsMax}, 1U << 14);
  std::array<std::atomic<std::uint32_t>, kClients> allowed{};
  std::array<std::atomic<std::uint64_t>, kClients> remaining_sum{};
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (std::uint32_t round = 0; round < kRounds; ++round) {
        for (std::uint32_t client = 0; client < kClients; ++client) {
          const auto verdict = limiter.count(client % 4, address(client / 4), round);
          if (verdict.allowed) {
            allowed[client].fetch_add(1);
            remaining_sum[client].fetch_add(verdict.remaining);
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::uint32_t client = 0; client < kClients; ++client) {
    EXPECT_EQ(allowed[client].load(), kCallsMax) << client;
    // Every number of remaining calls was told exactly once.
    EXPECT_EQ(remaining_sum[client].load(), std::uint64_t{kCallsMax} * (kCallsMax - 1) / 2);
  }
}

// A new client's first calls, on two threads at the same moment: both see an empty set, and only
// one entry may come of it.
TEST(RateLimiter, TheFirstCallsOfAClientShareOneEntryOverThreads) {
  constexpr int kRounds = 20'000;
  std::vector<std::unique_ptr<Limited>> limiters;
  for (int round = 0; round < kRounds; ++round) {
    limiters.push_back(std::make_unique<Limited>(RateLimiter::Limit{.calls_max = 1}, 4));
  }
  std::atomic<int> arrived{0};
  std::atomic<int> allowed{0};
  const auto call = [&] {
    for (int round = 0; round < kRounds; ++round) {
      arrived.fetch_add(1);
      while (arrived.load() < 2 * (round + 1)) {
      }
      allowed += limiters[static_cast<std::size_t>(round)]->count(1, address(1), 1'000).allowed;
    }
  };
  std::thread other(call);
  call();
  other.join();
  EXPECT_EQ(allowed.load(), kRounds);
}

}  // namespace
}  // namespace tokend::api
