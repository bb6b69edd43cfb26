#include "core/affinity.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cerrno>
#include <vector>

namespace tokend::core {
namespace {

TEST(AffinityTest, WorkRunsOnItsCpuAndTheCallerStaysWhereItMayBe) {
  const std::vector<int> before = allowed_cpus();
  ASSERT_FALSE(before.empty());
  for (const int cpu : before) {
    std::vector<int> allowed;
    int ran_on = -1;
    run_on_cpu(cpu, [&] {
      allowed = allowed_cpus();
      ran_on = sched_getcpu();
    });
    EXPECT_EQ(allowed, std::vector{cpu});
    EXPECT_EQ(ran_on, cpu);
    EXPECT_EQ(allowed_cpus(), before);
  }
}

TEST(AffinityTest, WithoutSuchACpuItRunsAllTheSame) {
  std::vector<int> allowed;
  run_on_cpu(-1, [&] { allowed = allowed_cpus(); });
  EXPECT_EQ(allowed, allowed_cpus());
  EXPECT_EQ(pin_to(CPU_SETSIZE), EINVAL);
}

}  // namespace
}  // namespace tokend::core
