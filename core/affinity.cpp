#include "core/affinity.h"

#include <pthread.h>

#include <cerrno>

namespace tokend::core {

std::vector<int> allowed_cpus() {
  std::vector<int> cpus;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
  }
  return cpus;
}

int pin_to(int cpu) noexcept {
  if (cpu < 0 || cpu >= CPU_SETSIZE) return EINVAL;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  return pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

OnCpu::OnCpu(int cpu) noexcept {
  CPU_ZERO(&before_);
  moved_ = sched_getaffinity(0, sizeof(before_), &before_) == 0 && pin_to(cpu) == 0;
}

OnCpu::~OnCpu() {
  if (moved_) sched_setaffinity(0, sizeof(before_), &before_);
}

}  // namespace tokend::core
