#pragma once
// While it lives the thread that made it runs on this CPU.

#include <gtest/gtest.h>
#include <sched.h>

#include "core/affinity.h"

namespace tokend::tests {

class OnCpu {
 public:
  explicit OnCpu(int cpu) {
    CPU_ZERO(&before_);
    EXPECT_EQ(sched_getaffinity(0, sizeof(before_), &before_), 0);
    EXPECT_EQ(core::pin_to(cpu), 0);
  }
  ~OnCpu() { sched_setaffinity(0, sizeof(before_), &before_); }
  OnCpu(const OnCpu&) = delete;
  OnCpu& operator=(const OnCpu&) = delete;

 private:
  cpu_set_t before_;
};

}  // namespace tokend::tests
