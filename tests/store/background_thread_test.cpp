#include "store/background_thread.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "tests/support/time_slice.h"

namespace tokend::store {
namespace {

template <class Condition>
bool eventually(Condition&& condition) {
  for (int waited = 0; waited < 5'000; ++waited) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

TEST(BackgroundThread, WorksWhenItIsWokenAndOnceMoreForAWakeMeanwhile) {
  std::atomic<int> begun = 0;
  std::atomic<bool> goes_on = false;
  BackgroundThread thread;
  ASSERT_TRUE(thread.start("test", [&] {
    ++begun;
    while (!goes_on) std::this_thread::yield();
  }));
  thread.wake();
  ASSERT_TRUE(eventually([&] { return begun == 1; }));
  thread.wake();
  thread.wake();
  goes_on = true;
  EXPECT_TRUE(eventually([&] { return begun == 2; }));
  thread.stop();
  EXPECT_EQ(begun, 2);
}

TEST(BackgroundThread, LeavesTheProcessorToThoseThatServe) {
  std::atomic<int> niceness = 0;
  std::atomic<std::uint64_t> slice_ns = 0;
  std::atomic<bool> told = false;
  BackgroundThread thread;
  ASSERT_TRUE(thread.start("test", [&] {
    niceness = getpriority(PRIO_PROCESS, 0);
    slice_ns = tests::time_slice_ns();
    told = true;
  }));
  thread.wake();
  ASSERT_TRUE(eventually([&] { return told.load(); }));
  constexpr int kNicest = 19;
  const int own = getpriority(PRIO_PROCESS, 0);
  EXPECT_EQ(niceness, std::min(own + BackgroundThread::kNiceness, kNicest));
  if (tests::time_slice_ns() == 0) GTEST_SKIP() << "no slice can be read";
  EXPECT_EQ(std::chrono::nanoseconds(slice_ns), BackgroundThread::kTimeSlice);
}

TEST(BackgroundThread, WithAPeriodItWorksAtTheStart) {
  std::atomic<int> begun = 0;
  BackgroundThread thread;
  ASSERT_TRUE(thread.start("test", [&] { ++begun; }, std::chrono::seconds(3'600)));
  EXPECT_TRUE(eventually([&] { return begun == 1; }));
}

}  // namespace
}  // namespace tokend::store
