#include "core/affinity.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace tokend::core {
namespace {

TEST(AffinityTest, WhatIsOnACpuIsThereAndBackAgain) {
  const std::vector<int> before = allowed_cpus();
  ASSERT_FALSE(before.empty());
  for (const int cpu : before) {
    {
      const OnCpu on_it(cpu);
      EXPECT_EQ(allowed_cpus(), std::vector{cpu});
      EXPECT_EQ(sched_getcpu(), cpu);
    }
    EXPECT_EQ(allowed_cpus(), before);
  }
}

TEST(AffinityTest, ACpuThatThereIsNotChangesNothing) {
  const std::vector<int> before = allowed_cpus();
  {
    const OnCpu nowhere(-1);
    EXPECT_EQ(allowed_cpus(), before);
  }
  EXPECT_EQ(allowed_cpus(), before);
  EXPECT_EQ(pin_to(CPU_SETSIZE), EINVAL);
}

}  // namespace
}  // namespace tokend::core
