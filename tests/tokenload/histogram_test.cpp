#include "tools/tokenload/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace tokend::load {
namespace {

TEST(Histogram, EmptyOneIsAllZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.percentile(99), 0U);
  EXPECT_EQ(histogram.max(), 0U);
  EXPECT_EQ(histogram.mean(), 0.0);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.record(value);
  EXPECT_EQ(histogram.percentile(1), 1U);
  EXPECT_EQ(histogram.percentile(50), 50U);
  EXPECT_EQ(histogram.percentile(99), 99U);
  EXPECT_EQ(histogram.percentile(100), 100U);
  EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
}

TEST(Histogram, PercentilesAreWithinOnePercentOfTheExactOnes) {
  constexpr std::uint64_t kSeed = 20260101;
  std::mt19937_64 random(kSeed);
  std::lognormal_distribution<double> latency(11.0, 2.0);
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 100'000; ++i) {
    values.push_back(static_cast<std::uint64_t>(latency(random)));
    histogram.record(values.back());
  }
  std::ranges::sort(values);
  for (const double percent : {0.1, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
    const auto rank =
        static_cast<std::size_t>(std::ceil(percent / 100.0 * static_cast<double>(values.size())));
    const std::uint64_t exact = values[rank - 1];
    const std::uint64_t found = histogram.percentile(percent);
    EXPECT_GE(found, exact) << percent << " seed " << kSeed;
    EXPECT_LE(static_cast<double>(found), static_cast<double>(exact) * 1.008 + 1)
        << percent << " seed " << kSeed;
  }
}

TEST(Histogram, BucketBoundariesDoNotMisplaceValues) {
  for (unsigned bit = 7; bit < 44; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    for (const std::uint64_t value : {power - 1, power, power + 1}) {
      Histogram histogram;
      histogram.record(value);
      histogram.record(Histogram::kValueMax);  // so that max() does not hide the bucket's width
      EXPECT_GE(histogram.percentile(50), value);
      EXPECT_LE(histogram.percentile(50), value + value / 128 + 1);
    }
  }
}

TEST(Histogram, TooLongValueCountsAsTheLongest) {
  Histogram histogram;
  histogram.record(UINT64_MAX);
  EXPECT_EQ(histogram.max(), Histogram::kValueMax);
  EXPECT_EQ(histogram.percentile(50), Histogram::kValueMax);
}

TEST(Histogram, MergedOneEqualsTheOneThatSawEverything) {
  Histogram left;
  Histogram right;
  Histogram whole;
  for (std::uint64_t value = 1; value < 5'000'000; value += 977) {
    (value % 2 == 0 ? left : right).record(value);
    whole.record(value);
  }
  left.merge(right);
  EXPECT_EQ(left.count(), whole.count());
  EXPECT_EQ(left.max(), whole.max());
  EXPECT_DOUBLE_EQ(left.mean(), whole.mean());
  for (const double percent : {1.0, 50.0, 99.0}) {
    EXPECT_EQ(left.percentile(percent), whole.percentile(percent));
  }
}

}  // namespace
}  // namespace tokend::load
