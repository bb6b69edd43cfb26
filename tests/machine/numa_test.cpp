// Where the cores' memory lies on a machine with several NUMA nodes (ARCHITECTURE, processors).
// Runs in tests/machine/boot's, which has two CPUs that are a node each.

#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/affinity.h"
#include "core/mapping.h"
#include "tests/support/api_client.h"
#include "tests/support/on_cpu.h"
#include "tests/support/server_process.h"

namespace tokend::tests {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kPagesOfMiB = kMiB / 4096;

// On which the page of this address lies.
int node_of(const void* address) {
  int node = -1;
  EXPECT_EQ(syscall(SYS_get_mempolicy, &node, nullptr, 0, address, MPOL_F_NODE | MPOL_F_ADDR), 0);
  return node;
}

TEST(Numa, WhatIsMadeForACpuLiesOnItsNode) {
  // Nothing is freed meanwhile: freed memory stays where it was when it is used again.
  std::vector<std::unique_ptr<core::Mapping>> mappings;
  std::vector<std::vector<char>> allocated;
  for (const int cpu : {0, 1, 0, 1}) {
    core::run_on_cpu(cpu, [&] {
      mappings.push_back(std::make_unique<core::Mapping>(4 * kMiB));
      std::fill_n(mappings.back()->data(), mappings.back()->bytes(), std::byte{1});
      // Less than what glibc maps apart.
      for (int count = 0; count < 20; ++count) allocated.emplace_back(kMiB / 16, 'x');
    });
    EXPECT_EQ(node_of(mappings.back()->data()), cpu);
    EXPECT_EQ(node_of(mappings.back()->data() + mappings.back()->bytes() - 1), cpu);
    EXPECT_EQ(node_of(allocated.back().data()), cpu);
    EXPECT_EQ(node_of(&allocated.back().back()), cpu);
  }
}

// Pages of a process's memory that is no file's, by the node that they lie on.
std::map<int, std::size_t> pages_by_node(pid_t process) {
  std::map<int, std::size_t> pages;
  std::ifstream maps("/proc/" + std::to_string(process) + "/numa_maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.contains(" file=")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      const auto equals = word.find('=');
      if (word[0] != 'N' || equals == std::string::npos) continue;
      pages[std::stoi(word.substr(1))] += std::stoul(word.substr(equals + 1));
    }
  }
  return pages;
}

// All threads but the core's are on one node here, and so is what they touch first. That of the
// core is on the other one: its buffers, its connections, its caches, as far as they are used.
TEST(Numa, ACoreWorksInMemoryOfItsNode) {
  ServerProcess server({.flags = {"--cores", "1", "--cpus", "1"}});
  {
    const OnCpu on_another(0);
    ASSERT_TRUE(server.start()) << server.report();
  }
  ApiClient client(server);
  const Credentials admin = client.login_admin();
  const Person person = client.create_user(admin, "somebody");
  for (int count = 0; count < 50; ++count) {
    ASSERT_TRUE(client.authenticates(client.issue(admin, person.id)));
  }
  auto pages = pages_by_node(server.pid());
  std::cout << pages[0] << " pages on the other threads' node, " << pages[1] << " on the core's\n";
  EXPECT_GT(pages[1], 8 * kPagesOfMiB);
  EXPECT_GT(pages[0], 8 * kPagesOfMiB);
  EXPECT_EQ(server.stop(), 0) << server.report();
}

}  // namespace
}  // namespace tokend::tests
