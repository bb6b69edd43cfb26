// Which core serves a connection where --steer-connections is on.

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/affinity.h"
#include "tests/contract/contract_suite.h"
#include "tests/support/on_cpu.h"

namespace tokend::tests {
namespace {

// How often the server's thread of a core went to sleep so far: once a request, where they come one
// by one.
std::size_t sleeps_of_core(pid_t server, std::size_t core) {
  const std::string tasks = "/proc/" + std::to_string(server) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm") >> std::ws, name);
    if (name != "core-" + std::to_string(core)) continue;
    std::ifstream status(task.path() / "status");
    constexpr std::string_view kField = "voluntary_ctxt_switches:";
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(kField)) return std::stoul(line.substr(kField.size()));
    }
  }
  return 0;
}

// On loopback the CPU that sends a packet works on its arrival as well.
TEST(Steering, ConnectionsAreSteeredToTheCoreOfTheirCpu) {
  const std::vector<int> cpus = core::allowed_cpus();
  if (cpus.size() < 2) GTEST_SKIP() << "there is only one CPU";
  ServerProcess server({.flags = {"--cores", "2", "--steer-connections"}});
  ASSERT_TRUE(server.start()) << server.report();
  constexpr int kConnections = 8;
  constexpr int kRequests = 25;  // of each
  for (std::size_t core = 0; core < 2; ++core) {
    const OnCpu on_it(cpus[core]);
    const std::size_t own = sleeps_of_core(server.pid(), core);
    const std::size_t others = sleeps_of_core(server.pid(), 1 - core);
    for (int i = 0; i < kConnections; ++i) {
      ApiClient client(server);
      for (int request = 0; request < kRequests; ++request) {
        ASSERT_EQ(client.get("/health").status, 200);
      }
    }
    EXPECT_GT(sleeps_of_core(server.pid(), core) - own, kConnections * kRequests / 4);
    EXPECT_LT(sleeps_of_core(server.pid(), 1 - core) - others, kConnections * kRequests / 8);
  }
}

}  // namespace
}  // namespace tokend::tests
