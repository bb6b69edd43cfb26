#include "tools/tokenload/cpu_use.h"

#include <dirent.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace tokend::load {
namespace {

std::optional<ThreadTimes> read_schedstat(const std::string& path) noexcept {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (!file) return std::nullopt;
  ThreadTimes times;
  const int fields = std::fscanf(file, "%" SCNd64 " %" SCNd64, &times.run_ns, &times.wait_ns);
  std::fclose(file);
  if (fields != 2) return std::nullopt;
  return times;
}

std::int64_t nanoseconds(const timeval& time) noexcept {
  return (static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_usec) * 1'000;
}

}  // namespace

OwnUse own_use() noexcept {
  OwnUse use;
  rusage usage{};
  if (getrusage(RUSAGE_THREAD, &usage) == 0) {
    use.user_ns = nanoseconds(usage.ru_utime);
    use.system_ns = nanoseconds(usage.ru_stime);
  }
  // A kernel without scheduler statistics still gives the run time above.
  use.times.run_ns = use.user_ns + use.system_ns;
  if (const auto times = read_schedstat("/proc/thread-self/schedstat")) use.times = *times;
  return use;
}

OwnUse operator-(const OwnUse& later, const OwnUse& earlier) noexcept {
  return {.times = {.run_ns = later.times.run_ns - earlier.times.run_ns,
                    .wait_ns = later.times.wait_ns - earlier.times.wait_ns},
          .user_ns = later.user_ns - earlier.user_ns,
          .system_ns = later.system_ns - earlier.system_ns};
}

core::Result<ProcessUse> use_of(pid_t process) {
  const std::string folder = "/proc/" + std::to_string(process) + "/task";
  DIR* directory = opendir(folder.c_str());
  if (!directory) {
    return core::fail(core::Errc::not_found, "no process " + std::to_string(process));
  }
  ProcessUse use;
  cpu_set_t allowed_by_any;
  CPU_ZERO(&allowed_by_any);
  while (const dirent* entry = readdir(directory)) {
    const pid_t thread = std::atoi(entry->d_name);
    if (thread <= 0) continue;
    const auto times = read_schedstat(folder + '/' + entry->d_name + "/schedstat");
    if (!times) continue;  // it ended just now
    use.threads[thread] = *times;
    cpu_set_t allowed;
    if (sched_getaffinity(thread, sizeof(allowed), &allowed) == 0) {
      CPU_OR(&allowed_by_any, &allowed_by_any, &allowed);
    }
  }
  closedir(directory);
  if (use.threads.empty()) {
    return core::fail(core::Errc::not_found, "process " + std::to_string(process) +
                                                 " has no readable threads (schedstat)");
  }
  use.cpus_allowed = static_cast<std::size_t>(CPU_COUNT(&allowed_by_any));
  return use;
}

ServerUse between(const ProcessUse& before, const ProcessUse& after,
                  std::int64_t interval_ns) noexcept {
  ServerUse use{.threads = after.threads.size(), .cpus = after.cpus_allowed};
  const auto interval = static_cast<double>(interval_ns);
  std::int64_t total_run_ns = 0;
  for (const auto& [thread, end] : after.threads) {
    const auto found = before.threads.find(thread);
    const ThreadTimes begin = found == before.threads.end() ? ThreadTimes{} : found->second;
    const std::int64_t run_ns = end.run_ns - begin.run_ns;
    const std::int64_t wait_ns = end.wait_ns - begin.wait_ns;
    total_run_ns += run_ns;
    use.busiest_demand =
        std::max(use.busiest_demand, static_cast<double>(run_ns + wait_ns) / interval);
  }
  use.run_ns_per_second = static_cast<double>(total_run_ns) * 1e9 / interval;
  if (use.cpus > 0) {
    use.cpu_share = static_cast<double>(total_run_ns) / (interval * static_cast<double>(use.cpus));
  }
  return use;
}

std::optional<std::int64_t> machine_busy_ns() noexcept {
  std::FILE* file = std::fopen("/proc/stat", "re");
  if (!file) return std::nullopt;
  // user, nice, system, idle, iowait, irq, softirq, steal, in clock ticks.
  std::int64_t ticks[8]{};
  const int fields = std::fscanf(file,
                                 "cpu %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
                                 " %" SCNd64 " %" SCNd64 " %" SCNd64,
                                 &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4], &ticks[5],
                                 &ticks[6], &ticks[7]);
  std::fclose(file);
  if (fields != 8) return std::nullopt;
  const std::int64_t busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7];
  return busy * (1'000'000'000 / sysconf(_SC_CLK_TCK));
}

bool is_client_bound(double client_demand, const std::optional<ServerUse>& server) {
  if (client_demand <= kClientBusyMax) return false;
  if (!server) return true;
  return std::max(server->busiest_demand, server->cpu_share) < 1.0 - kServerIdleMin;
}

}  // namespace tokend::load
