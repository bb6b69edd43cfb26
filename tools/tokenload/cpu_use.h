#pragma once
// How busy a thread was, and how much it wanted to be: the kernel's run time and run-queue wait of
// /proc/.../schedstat. A thread that waits for a CPU that something else holds is as much a
// bottleneck as one that runs, so both count as demand.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "core/error.h"

namespace tokend::load {

struct ThreadTimes {
  std::int64_t run_ns = 0;
  std::int64_t wait_ns = 0;  // runnable, but not running
};

// getrusage and schedstat of the calling thread.
struct OwnUse {
  ThreadTimes times;
  std::int64_t user_ns = 0;
  std::int64_t system_ns = 0;
};
[[nodiscard]] OwnUse own_use() noexcept;
[[nodiscard]] OwnUse operator-(const OwnUse& later, const OwnUse& earlier) noexcept;

// All threads of a process at one moment.
struct ProcessUse {
  std::map<pid_t, ThreadTimes> threads;
  std::size_t cpus_allowed = 0;  // by any of its threads
};
// not_found: there is no such process, or it can't be read.
[[nodiscard]] core::Result<ProcessUse> use_of(pid_t process);

struct ServerUse {
  double run_ns_per_second = 0;  // over all threads
  double busiest_demand = 0;     // of the busiest thread: (run + wait) / interval
  double cpu_share = 0;          // run of all threads / (interval * CPUs allowed)
  // CPUs' worth of work by neither the server nor the load: what disturbed both.
  std::optional<double> foreign_cpus = std::nullopt;
  std::size_t threads = 0;
  std::size_t cpus = 0;
};
// A thread that began in between counts from 0; one that ended in between is lost, which is why a
// server keeps its threads.
[[nodiscard]] ServerUse between(const ProcessUse& before, const ProcessUse& after,
                                std::int64_t interval_ns) noexcept;

// CPU time that the whole machine has spent at work since its start, the time that a hypervisor
// stole included. nullopt without /proc/stat.
[[nodiscard]] std::optional<std::int64_t> machine_busy_ns() noexcept;

// Was the load the bottleneck? Share of an interval above which a thread counts as saturated, and
// the idle share of the server that proves that it was waiting for the load.
inline constexpr double kClientBusyMax = 0.95;
inline constexpr double kServerIdleMin = 0.05;

// With the server's figures: the busiest load thread demanded more than kClientBusyMax of a CPU
// while both the server's busiest thread and its CPUs as a whole had more than kServerIdleMin to
// spare. Without: the busiest load thread alone decides.
[[nodiscard]] bool is_client_bound(double client_demand, const std::optional<ServerUse>& server);

}  // namespace tokend::load
