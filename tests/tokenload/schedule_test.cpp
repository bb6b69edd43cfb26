#include "tools/tokenload/schedule.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace tokend::load {
namespace {

TEST(RateSchedule, SpacesRequestsEvenly) {
  const RateSchedule schedule(1'000, 1'000'000, 0, 1);
  EXPECT_EQ(schedule.intended_ns(0), 1'000);
  EXPECT_EQ(schedule.intended_ns(1), 2'000);
  EXPECT_EQ(schedule.intended_ns(500), 501'000);
}

TEST(RateSchedule, DoesNotDriftOverAnHour) {
  constexpr double kRate = 300'000.0 / 7;  // its interval is no whole number of nanoseconds
  constexpr std::int64_t kHourNs = 3'600'000'000'000;
  const RateSchedule schedule(0, kRate, 0, 1);
  const auto requests = static_cast<std::uint64_t>(kRate * 3600);
  EXPECT_NEAR(static_cast<double>(schedule.intended_ns(requests)), static_cast<double>(kHourNs),
              1e9 / kRate);
}

TEST(RateSchedule, ThreadsTogetherSendTheWholeRate) {
  constexpr std::uint64_t kThreads = 3;
  const RateSchedule whole(0, 1'000, 0, 1);
  for (std::uint64_t request = 0; request < 30; ++request) {
    const RateSchedule mine(0, 1'000, request % kThreads, kThreads);
    EXPECT_EQ(mine.intended_ns(request / kThreads), whole.intended_ns(request));
  }
}

}  // namespace
}  // namespace tokend::load
