#include "core/time_slice.h"

#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>

namespace tokend::core {
namespace {

// Of the calling thread, as sched_getattr(2) says.
std::uint64_t slice_ns() {
  std::array<char, 48> attributes{};
  if (syscall(SYS_sched_getattr, 0, attributes.data(), attributes.size(), 0) != 0) return 0;
  std::uint64_t runtime_ns = 0;
  std::memcpy(&runtime_ns, attributes.data() + 24, sizeof(runtime_ns));
  return runtime_ns;
}

TEST(TimeSlice, IsOfTheThreadThatAsksAndOfNoOther) {
  utsname kernel{};
  int major = 0;
  int minor = 0;
  ASSERT_EQ(uname(&kernel), 0);
  ASSERT_EQ(std::sscanf(kernel.release, "%d.%d", &major, &minor), 2);
  if (std::pair(major, minor) < std::pair(6, 12)) GTEST_SKIP() << "Linux has no slices before 6.12";
  // A sandbox may refuse it, and then nothing is promised.
  if (slice_ns() == 0) GTEST_SKIP() << "this thread has no slice that can be read";
  const std::uint64_t own_ns = slice_ns();
  ASSERT_NE(own_ns, 300'000U);
  std::thread([] {
    set_time_slice(std::chrono::microseconds(300));
    EXPECT_EQ(slice_ns(), 300'000U);
  }).join();
  EXPECT_EQ(slice_ns(), own_ns);
}

}  // namespace
}  // namespace tokend::core
