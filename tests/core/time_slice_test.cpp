#include "core/time_slice.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <thread>

#include "tests/support/time_slice.h"

namespace tokend::core {
namespace {

TEST(TimeSlice, IsOfTheThreadThatAsksAndOfNoOther) {
  const std::uint64_t own_ns = tests::time_slice_ns();
  if (own_ns == 0) GTEST_SKIP() << "this thread has no slice that can be read";
  ASSERT_NE(own_ns, 300'000U);
  std::thread([] {
    set_time_slice(std::chrono::microseconds(300));
    EXPECT_EQ(tests::time_slice_ns(), 300'000U);
  }).join();
  EXPECT_EQ(tests::time_slice_ns(), own_ns);
}

}  // namespace
}  // namespace tokend::core
