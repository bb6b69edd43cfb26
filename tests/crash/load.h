#pragma once
// The load under which a server ends badly, and what is asked of it after its next start.
//
// TOKEND_CRASH_CYCLES: how many times. TOKEND_CRASH_SEED: repeats a run's choices.

#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/crash/oracle.h"
#include "tests/crash/worker.h"

namespace tokend::tests {

// Of the environment, or else random; it is told, for the next time.
[[nodiscard]] std::uint64_t crash_seed();
[[nodiscard]] int crash_cycles(int fallback);

// One line each, at most twenty.
[[nodiscard]] std::string joined(const std::vector<std::string>& lines);

class CrashLoad {
 public:
  static constexpr std::size_t kWorkers = 4;

  // The server runs. `random` outlives it.
  CrashLoad(ServerProcess& server, std::mt19937_64& random);

  // Workers issue and revoke until `end`, which is called meanwhile and ends the server. Returns
  // what no living server may answer.
  [[nodiscard]] std::vector<std::string> run(int cycle, const std::function<void()>& end);
  // Asks the server, which was started again, for everything of this cycle and some of what is
  // older, every tenth time for the audit as well; for all of it when `cycle` is kAll.
  static constexpr int kAll = -1;
  [[nodiscard]] std::vector<std::string> contradictions(int cycle);

  [[nodiscard]] const Credentials& admin() const { return admin_; }
  [[nodiscard]] std::uint64_t acknowledged() const;  // tokens

 private:
  ServerProcess& server_;
  std::mt19937_64& random_;
  Credentials admin_;
  std::deque<Worker> workers_;
};

}  // namespace tokend::tests
