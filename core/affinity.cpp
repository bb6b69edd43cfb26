#include "core/affinity.h"

#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <system_error>
#include <thread>

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

void run_on_cpu(int cpu, const std::function<void()>& work) {
  std::thread there;
  try {
    there = std::thread([&] {
      static_cast<void>(pin_to(cpu));
      work();
    });
  } catch (const std::system_error&) {
    return work();
  }
  there.join();
}

}  // namespace tokend::core
