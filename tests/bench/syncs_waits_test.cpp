#include "bench/syncs/waits.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace {

using tokend::syncs::waits_us;

// Of a disk that takes `write_us` for each.
std::vector<double> ends_of(std::size_t writes, double write_us) {
  std::vector<double> ends;
  for (std::size_t i = 0; i < writes; ++i) ends.push_back(static_cast<double>(i) * write_us);
  return ends;
}

double share_above(const std::vector<double>& waits, double bound_us) {
  double count = 0;
  for (const double wait : waits) count += wait > bound_us ? 1 : 0;
  return count / static_cast<double>(waits.size());
}

TEST(SyncsWaits, AreForTheRestOfTheWriteUnderWayAndForTheNext) {
  const std::vector<double> waits = waits_us(ends_of(1001, 100), 1);
  ASSERT_EQ(waits.size(), 99'900U);
  EXPECT_DOUBLE_EQ(waits.front(), 101);
  EXPECT_DOUBLE_EQ(waits.back(), 200);
  EXPECT_NEAR(waits[waits.size() / 2], 150, 1);
}

// One write of a thousand, but a tenth of the time, and of the requests.
TEST(SyncsWaits, AWriteThatTakesLongCountsByTheRequestsThatComeMeanwhile) {
  std::vector<double> ends = ends_of(1000, 100);
  const double stalled_us = ends.back() + 11'100;
  for (int i = 0; i < 3; ++i) ends.push_back(stalled_us + i * 100);
  const std::vector<double> waits = waits_us(ends, 10);
  EXPECT_NEAR(share_above(waits, 200), 11'100.0 / 111'000, 0.002);
  // Those who came just before the write that stalled are in it; the rest wait for the next one.
  EXPECT_DOUBLE_EQ(waits.back(), 11'200);
}

TEST(SyncsWaits, RequestsMayComeSeldomerThanWritesEnd) {
  const std::vector<double> waits = waits_us(ends_of(1001, 100), 950);
  EXPECT_EQ(waits.size(), 106U);
  EXPECT_GT(waits.front(), 100);
  EXPECT_LE(waits.back(), 200);
}

TEST(SyncsWaits, OfTooFewWritesThereAreNone) {
  EXPECT_TRUE(waits_us({}, 1).empty());
  EXPECT_TRUE(waits_us(ends_of(2, 100), 1).empty());
}

}  // namespace
