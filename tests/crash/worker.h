#pragma once
// One client under whose load the server is killed. It issues in pipelined batches, logs out,
// deactivates and deletes, each user its own and no one else's, and writes down what it asked
// before asking and what was answered after. It ends when the connection does.

#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/crash/oracle.h"

namespace tokend::tests {

class Worker {
 public:
  Worker(ServerProcess& server, Credentials admin, std::string name, std::uint64_t seed);

  // On a thread of its own; returns when the server is gone or `stop` is set.
  void run(int cycle, const std::atomic<bool>& stop);

  [[nodiscard]] Facts& facts() { return facts_; }
  // Answers that no living server may give.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }

 private:
  // Each is one request (or batch); false when it was not answered.
  bool create_user(HttpClient& client, bool overfull);
  bool issue(HttpClient& client, UserFact& user);
  bool log_out(HttpClient& client, UserFact& user);
  bool remove_others(HttpClient& client, UserFact& user);
  bool log_out_everywhere(HttpClient& client, UserFact& user);
  bool set_active(HttpClient& client, UserFact& user, bool active);
  bool remove(HttpClient& client, UserFact& user);

  bool step(HttpClient& client);
  UserFact* some_user();
  // Sends a POST and requires 200; false when no answer came.
  bool post(HttpClient& client, const std::string& path, const Credentials& caller,
            const std::string& body, Response& response);
  std::size_t below(std::size_t limit) { return random_() % limit; }

  ServerProcess& server_;
  const Credentials admin_;
  const std::string name_;
  std::mt19937_64 random_;
  Facts facts_;
  std::vector<std::string> problems_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t users_made_ = 0;
  int cycle_ = 0;
};

}  // namespace tokend::tests
