#pragma once
// Which processors a thread runs on.
//
// Concurrency: each call is about the thread that makes it.

#include <sched.h>

#include <vector>

namespace tokend::core {

// Ascending; empty where the system does not tell.
[[nodiscard]] std::vector<int> allowed_cpus();

// From now on. 0, or an errno: EINVAL where there is no such CPU or it is not allowed.
[[nodiscard]] int pin_to(int cpu) noexcept;

// While it lives the thread runs on this CPU, as far as it may, so that what is made meanwhile lies
// in the memory of that CPU's NUMA node: Linux puts a page where it is first touched. A thread
// that is started meanwhile would inherit that.
class OnCpu {
 public:
  explicit OnCpu(int cpu) noexcept;
  ~OnCpu();
  OnCpu(const OnCpu&) = delete;
  OnCpu& operator=(const OnCpu&) = delete;

 private:
  cpu_set_t before_;
  bool moved_ = false;
};

}  // namespace tokend::core
