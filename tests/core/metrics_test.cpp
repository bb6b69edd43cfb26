#include "core/metrics.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace tokend::core {
namespace {

TEST(MetricsTest, EveryCounterHasANameOfItsOwn) {
  std::set<std::string> names;
  for (std::size_t index = 0; index < CoreMetrics::kCount; ++index) {
    const std::string name(name_of(static_cast<CoreCounter>(index)));
    EXPECT_NE(name, "unknown");
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(help_of(static_cast<CoreCounter>(index)).ends_with('.')) << name;
  }
}

TEST(MetricsTest, CountersAreIndependent) {
  CoreMetrics metrics;
  metrics.add(CoreCounter::turns);
  metrics.add(CoreCounter::turns, 4);
  metrics.set(CoreCounter::connections_open, 7);
  EXPECT_EQ(metrics.get(CoreCounter::turns), 5U);
  EXPECT_EQ(metrics.get(CoreCounter::connections_open), 7U);
  EXPECT_EQ(metrics.get(CoreCounter::wakeups), 0U);
}

TEST(MetricsTest, ADurationIsCountedAtTheLeastBoundThatIsNotBelowIt) {
  const auto bound_of = [](std::int64_t ns) {
    DurationHistogram histogram;
    histogram.add(ns);
    std::size_t found = SIZE_MAX;
    for (std::size_t bound = 0; bound <= DurationHistogram::kBounds; ++bound) {
      if (histogram.count(bound) == 0) continue;
      EXPECT_EQ(histogram.count(bound), 1U);
      EXPECT_EQ(found, SIZE_MAX) << "counted twice";
      found = bound;
    }
    return found;
  };
  EXPECT_EQ(bound_of(0), 0U);
  for (std::size_t bound = 0; bound < DurationHistogram::kBounds; ++bound) {
    EXPECT_EQ(bound_of(DurationHistogram::bound_ns(bound)), bound);
    EXPECT_EQ(bound_of(DurationHistogram::bound_ns(bound) + 1), bound + 1);
  }
  EXPECT_EQ(bound_of(INT64_MAX), DurationHistogram::kBounds);
  // A clock that does not go on is no reason to end.
  EXPECT_EQ(bound_of(-1), 0U);
}

TEST(MetricsTest, DurationsAreSummedUp) {
  DurationHistogram histogram;
  histogram.add(5);
  histogram.add(1'000'000'000);
  EXPECT_EQ(histogram.sum_ns(), 1'000'000'005U);
}

}  // namespace
}  // namespace tokend::core
