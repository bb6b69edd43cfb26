#pragma once
// Which processors a thread runs on.
//
// Concurrency: allowed_cpus() and pin_to() are about the thread that calls.

#include <functional>
#include <vector>

namespace tokend::core {

// Ascending; empty where the system does not tell.
[[nodiscard]] std::vector<int> allowed_cpus();

// From now on. 0, or an errno: EINVAL where there is no such CPU or it is not allowed.
[[nodiscard]] int pin_to(int cpu) noexcept;

// Runs `work` on a thread of its own on this CPU and waits for it, so that what is made meanwhile
// lies in the memory of that CPU's NUMA node: Linux puts a page where it is first touched. Where
// there is no such CPU, or no thread, it runs wherever it may. The caller's thread is not moved:
// what it may run on would be fixed from then on, and inherited by all threads that it starts.
void run_on_cpu(int cpu, const std::function<void()>& work);

}  // namespace tokend::core
