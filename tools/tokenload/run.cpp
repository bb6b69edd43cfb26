#include "tools/tokenload/run.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "tools/tokenload/loop.h"

namespace tokend::load {

using core::Errc;
using core::fail;
using core::Result;

namespace {

constexpr std::int64_t kNotYet = 0;
constexpr std::int64_t kNever = -1;
// Between "all are connected" and the first request, so that all threads are awake by then.
constexpr std::int64_t kStartDelayNs = 20'000'000;

struct Shared {
  explicit Shared(std::size_t threads)
      : connected(static_cast<std::ptrdiff_t>(threads)),
        through(static_cast<std::ptrdiff_t>(threads)) {}
  std::latch connected;
  std::latch through;
  std::atomic<std::size_t> failures{0};
  std::atomic<std::int64_t> start_ns{kNotYet};
};

bool pin(int cpu) noexcept {
  if (cpu >= CPU_SETSIZE) return false;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

void work(const Plan& plan, std::size_t index, Shared& shared, ThreadResult& result) {
  // An open loop sleeps until the next request is due; the default slack of 50 us is too coarse.
  prctl(PR_SET_TIMERSLACK, 1);
  std::string failure;
  if (!plan.cpus.empty()) {
    const int cpu = plan.cpus[index % plan.cpus.size()];
    if (!pin(cpu)) failure = "--cpus: this process may not run on CPU " + std::to_string(cpu);
  }
  const auto loop = std::make_unique<LoadLoop>(plan, index);
  if (failure.empty()) {
    if (auto connected = loop->connect_all(); !connected) failure = connected.error().message;
  }
  if (!failure.empty()) ++shared.failures;
  shared.connected.count_down();
  shared.start_ns.wait(kNotYet);
  // One thread's failure calls the whole run off.
  if (const std::int64_t start_ns = shared.start_ns.load(); start_ns != kNever) {
    loop->run(start_ns);
  }
  shared.through.count_down();
  result = std::move(loop->result());
  result.failure = std::move(failure);
}

void sleep_until(std::int64_t monotonic_ns) {
  const std::int64_t left_ns = monotonic_ns - core::SystemClock().monotonic_ns();
  if (left_ns > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(left_ns));
}

// The server's use over the measured time, read while the threads load it.
Result<ServerUse> watch_server(const Plan& plan, pid_t server_pid, std::int64_t start_ns,
                               const Shared& shared) {
  const core::SystemClock clock;
  sleep_until(start_ns + plan.warmup_ns);
  const std::int64_t begin_ns = clock.monotonic_ns();
  const auto before = use_of(server_pid);
  const auto busy_before = machine_busy_ns();
  if (!before) return std::unexpected(before.error());
  if (plan.rounds > 0) {
    shared.through.wait();
  } else {
    sleep_until(start_ns + plan.warmup_ns + plan.duration_ns);
  }
  const std::int64_t end_ns = clock.monotonic_ns();
  const auto after = use_of(server_pid);
  const auto busy_after = machine_busy_ns();
  if (!after) return fail(Errc::not_found, "the server ended during the run");
  ServerUse use = between(*before, *after, end_ns - begin_ns);
  if (busy_before && busy_after) {
    // The load's own share is taken off when its threads have told it.
    use.foreign_cpus =
        static_cast<double>(*busy_after - *busy_before) / static_cast<double>(end_ns - begin_ns) -
        use.run_ns_per_second / 1e9;
  }
  return use;
}

}  // namespace

Result<RunResult> run(const Plan& plan, std::optional<pid_t> server_pid) {
  if (server_pid) {
    if (auto use = use_of(*server_pid); !use) return std::unexpected(use.error());
  }
  Shared shared(plan.threads);
  std::vector<ThreadResult> results(plan.threads);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < plan.threads; ++i) {
    threads.emplace_back(work, std::cref(plan), i, std::ref(shared), std::ref(results[i]));
  }
  shared.connected.wait();
  const std::int64_t start_ns = core::SystemClock().monotonic_ns() + kStartDelayNs;
  const bool any_failed = shared.failures.load() > 0;
  shared.start_ns.store(any_failed ? kNever : start_ns);
  shared.start_ns.notify_all();

  std::optional<Result<ServerUse>> server;
  if (server_pid && !any_failed) server = watch_server(plan, *server_pid, start_ns, shared);
  for (std::thread& thread : threads) thread.join();
  for (ThreadResult& result : results) {
    if (!result.failure.empty()) return fail(Errc::io, std::move(result.failure));
  }
  if (server && !*server) return std::unexpected(server->error());

  RunResult all = summarize(results);
  if (server) {
    all.server = **server;
    if (all.server->foreign_cpus) {
      const double load_cpus = all.client_cpu_ns_per_request * all.requests_per_second / 1e9;
      all.server->foreign_cpus = std::max(0.0, *all.server->foreign_cpus - load_cpus);
    }
    if (all.requests_per_second > 0) {
      all.server_cpu_ns_per_request = all.server->run_ns_per_second / all.requests_per_second;
    }
    if (all.tokens_per_second > 0) {
      all.server_cpu_ns_per_token = all.server->run_ns_per_second / all.tokens_per_second;
    }
  }
  all.client_bound = is_client_bound(all.client_demand, all.server);
  return all;
}

}  // namespace tokend::load
