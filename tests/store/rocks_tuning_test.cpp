#include "store/rocks_tuning.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace tokend::store {
namespace {

TEST(FirstLevelOfTokens, GrowsUpwardsWithTheLastOne) {
  constexpr std::uint64_t kGiB = 1U << 30;
  const RocksOptions options;  // segments of 64 MiB
  EXPECT_EQ(first_level_of_tokens(options, 0), 6);
  EXPECT_EQ(first_level_of_tokens(options, kGiB), 6);
  EXPECT_EQ(first_level_of_tokens(options, kGiB + 1), 5);
  EXPECT_EQ(first_level_of_tokens(options, 4 * kGiB), 5);
  EXPECT_EQ(first_level_of_tokens(options, 5 * kGiB), 4);
  EXPECT_EQ(first_level_of_tokens(options, UINT64_MAX), 1);
}

}  // namespace
}  // namespace tokend::store
