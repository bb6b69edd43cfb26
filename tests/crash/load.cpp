#include "tests/crash/load.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <thread>

namespace tokend::tests {
namespace {

constexpr int kCyclesPerAudit = 10;            // it is read as a whole, and grows
constexpr std::size_t kOldUsersChecked = 200;  // of earlier cycles, after each
constexpr std::size_t kLinesJoined = 20;

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : fallback;
}

}  // namespace

std::uint64_t crash_seed() {
  const std::uint64_t seed = number_from("TOKEND_CRASH_SEED", std::random_device{}());
  std::cout << "TOKEND_CRASH_SEED=" << seed << '\n';
  return seed;
}

int crash_cycles(int fallback) {
  return static_cast<int>(number_from("TOKEND_CRASH_CYCLES", static_cast<std::uint64_t>(fallback)));
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (std::size_t index = 0; index < std::min(lines.size(), kLinesJoined); ++index) {
    text += lines[index] + "\n";
  }
  if (lines.size() > kLinesJoined) {
    text += "and " + std::to_string(lines.size() - kLinesJoined) + " more\n";
  }
  return text;
}

CrashLoad::CrashLoad(ServerProcess& server, std::mt19937_64& random)
    : server_(server),
      random_(random),
      admin_(ApiClient(server).login_admin()) {
  for (std::size_t index = 0; index < kWorkers; ++index) {
    workers_.emplace_back(server, admin_, "worker" + std::to_string(index), random());
  }
}

std::vector<std::string> CrashLoad::run(int cycle, const std::function<void()>& end) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (Worker& worker : workers_) {
    threads.emplace_back([&worker, &stop, cycle] { worker.run(cycle, stop); });
  }
  end();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  std::vector<std::string> problems;
  for (const Worker& worker : workers_) {
    problems.insert(problems.end(), worker.problems().begin(), worker.problems().end());
  }
  return problems;
}

std::vector<std::string> CrashLoad::contradictions(int cycle) {
  std::vector<UserFact*> asked;
  std::vector<UserFact*> older;
  for (Worker& worker : workers_) {
    for (UserFact& user : worker.facts()) {
      (cycle == kAll || user.cycle == cycle ? asked : older).push_back(&user);
    }
  }
  std::shuffle(older.begin(), older.end(), random_);
  if (older.size() > kOldUsersChecked) older.resize(kOldUsersChecked);
  asked.insert(asked.end(), older.begin(), older.end());
  std::vector<std::string> found = tests::contradictions(server_.port(), admin_, asked);
  if (found.empty() && (cycle % kCyclesPerAudit == 0 || cycle == kAll)) {
    found = contradictions_of_audit(server_.port(), admin_, asked);
  }
  return found;
}

std::uint64_t CrashLoad::acknowledged() const {
  std::uint64_t sum = 0;
  for (const Worker& worker : workers_) sum += worker.acknowledged();
  return sum;
}

}  // namespace tokend::tests
