#include "core/timers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace tokend::core {
namespace {

constexpr std::int64_t kTick = TimerWheel::kTickNs;
constexpr std::int64_t kStart = 1'000'000 * kTick + 17;

struct Probe final : TimerEntry {
  Probe() : TimerEntry([](TimerEntry& entry) noexcept { ++static_cast<Probe&>(entry).fired; }) {}
  int fired = 0;
};

TEST(TimerWheelTest, NothingFiresEarlyAndNothingMoreThanATickLate) {
  // Distances on every level of the wheel, around the borders between slots and levels.
  for (const std::int64_t ticks : {1, 2, 63, 64, 65, 4095, 4096, 4097, 262'144, 17'000'000}) {
    for (const std::int64_t offset_ns : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}}) {
      Probe probe;
      TimerWheel wheel(kStart);
      const std::int64_t deadline_ns = kStart + ticks * kTick + offset_ns;
      wheel.arm(probe, deadline_ns);
      wheel.advance_to(deadline_ns - 1);
      EXPECT_EQ(probe.fired, 0) << ticks << " ticks";
      wheel.advance_to(deadline_ns + kTick);
      EXPECT_EQ(probe.fired, 1) << ticks << " ticks";
      EXPECT_FALSE(probe.armed());
    }
  }
}

TEST(TimerWheelTest, AgreesWithASortedListOverARandomHistory) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::int64_t now_ns = kStart;
  TimerWheel wheel(now_ns);
  std::vector<std::unique_ptr<Probe>> probes;
  std::vector<std::int64_t> deadlines(64, -1);  // -1: not armed
  for (int index = 0; index < 64; ++index) probes.push_back(std::make_unique<Probe>());
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t index = random() % probes.size();
    const unsigned magnitude = static_cast<unsigned>(random() % 40);
    const auto distance_ns = static_cast<std::int64_t>(random() % (std::uint64_t{1} << magnitude));
    switch (random() % 4) {
      case 0:
      case 1:
        wheel.arm(*probes[index], now_ns + distance_ns);
        deadlines[index] = now_ns + distance_ns;
        break;
      case 2:
        wheel.disarm(*probes[index]);
        deadlines[index] = -1;
        break;
      default: {
        std::int64_t earliest_ns = TimerWheel::kNothingArmed;
        for (const std::int64_t deadline_ns : deadlines) {
          if (deadline_ns >= 0) earliest_ns = std::min(earliest_ns, deadline_ns);
        }
        if (earliest_ns != TimerWheel::kNothingArmed) {
          // A wheel that slept until next_deadline() is never late by more than a tick; one that
          // was armed for the past waits for the tick after the present.
          ASSERT_LT(wheel.next_deadline(), std::max(earliest_ns, now_ns) + kTick + 1);
        }
        now_ns += distance_ns / 16;
        wheel.advance_to(now_ns);
        for (std::size_t each = 0; each < probes.size(); ++each) {
          const bool fired = probes[each]->fired > 0;
          if (fired) {
            ASSERT_TRUE(deadlines[each] >= 0 && deadlines[each] <= now_ns);
          }
          if (deadlines[each] >= 0 && deadlines[each] + kTick < now_ns - distance_ns / 16) {
            ASSERT_TRUE(fired);
          }
          if (fired) {
            ASSERT_EQ(probes[each]->fired, 1);
            probes[each]->fired = 0;
            deadlines[each] = -1;
          }
        }
      }
    }
  }
  for (auto& probe : probes) wheel.disarm(*probe);
}

TEST(TimerWheelTest, NextDeadlineLeadsToTheEntryInFewSteps) {
  TimerWheel wheel(kStart);
  Probe probe;
  const std::int64_t deadline_ns = kStart + 75'000 * kNanosecondsPerMillisecond;
  wheel.arm(probe, deadline_ns);
  int steps = 0;
  while (probe.fired == 0) {
    ASSERT_LE(wheel.next_deadline(), deadline_ns + kTick);
    wheel.advance_to(wheel.next_deadline());
    ASSERT_LE(++steps, 8);
  }
  EXPECT_EQ(wheel.next_deadline(), TimerWheel::kNothingArmed);
}

TEST(TimerWheelTest, ADisarmedEntryDoesNotFire) {
  TimerWheel wheel(kStart);
  Probe probe;
  wheel.arm(probe, kStart + kTick);
  wheel.disarm(probe);
  wheel.disarm(probe);
  EXPECT_EQ(wheel.advance_to(kStart + 10 * kTick), 0U);
  EXPECT_EQ(probe.fired, 0);
}

TEST(TimerWheelTest, FiringMayDisarmAnEntryOfTheSameMoment) {
  struct Rival final : TimerEntry {
    explicit Rival(TimerWheel& the_wheel)
        : TimerEntry([](TimerEntry& entry) noexcept {
            auto& self = static_cast<Rival&>(entry);
            ++self.fired;
            self.wheel.disarm(*self.other);
          }),
          wheel(the_wheel) {}
    TimerWheel& wheel;
    Rival* other = nullptr;
    int fired = 0;
  };
  TimerWheel wheel(kStart);
  Rival first(wheel);
  Rival second(wheel);
  first.other = &second;
  second.other = &first;
  wheel.arm(first, kStart + kTick);
  wheel.arm(second, kStart + kTick);
  EXPECT_EQ(wheel.advance_to(kStart + 3 * kTick), 1U);
  EXPECT_EQ(first.fired + second.fired, 1);
}

TEST(TimerWheelTest, AnEntryThatArmsItselfForThePastWaitsForTheNextAdvance) {
  struct Insistent final : TimerEntry {
    explicit Insistent(TimerWheel& the_wheel)
        : TimerEntry([](TimerEntry& entry) noexcept {
            auto& self = static_cast<Insistent&>(entry);
            ++self.fired;
            self.wheel.arm(self, 0);
          }),
          wheel(the_wheel) {}
    TimerWheel& wheel;
    int fired = 0;
  };
  TimerWheel wheel(kStart);
  Insistent entry(wheel);
  wheel.arm(entry, kStart + kTick);
  // A long time at once, as after the machine was suspended.
  const std::int64_t later_ns = kStart + 1'000'000 * kTick;
  EXPECT_EQ(wheel.advance_to(later_ns), 1U);
  EXPECT_EQ(wheel.advance_to(later_ns), 0U);
  EXPECT_EQ(wheel.advance_to(later_ns + kTick), 1U);
  wheel.disarm(entry);
}

TEST(TimerWheelTest, TheFarthestDeadlineHasAPlace) {
  TimerWheel wheel(kStart);
  Probe probe;
  wheel.arm(probe, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(wheel.advance_to(kStart + 1'000'000'000 * kTick), 0U);
  EXPECT_GT(wheel.next_deadline(), kStart);
  EXPECT_EQ(probe.fired, 0);
  wheel.disarm(probe);
}

TEST(TimerWheelTest, TimeThatGoesBackIsIgnored) {
  TimerWheel wheel(kStart);
  Probe probe;
  wheel.arm(probe, kStart + 4 * kTick);
  wheel.advance_to(kStart + 2 * kTick);
  wheel.advance_to(kStart);
  EXPECT_EQ(probe.fired, 0);
  wheel.advance_to(kStart + 5 * kTick);
  EXPECT_EQ(probe.fired, 1);
}

}  // namespace
}  // namespace tokend::core
