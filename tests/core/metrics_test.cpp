#include "core/metrics.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tokend::core
