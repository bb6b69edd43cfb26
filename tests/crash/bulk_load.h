#pragma once
// Issues by the thousand, so that tables are written and the journal is used again and again.
//
// Concurrency: run() on any thread, answers() from any; the rest while nothing runs.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "tests/crash/oracle.h"
#include "tests/support/api_client.h"

namespace tokend::tests {

class BulkLoad {
 public:
  static constexpr std::size_t kUsers = 400;
  static constexpr std::size_t kTokensOfEach = 5;
  // Whose tokens live, whether or not one more request, which was not answered, was done; those of
  // one answer less may live, and all older ones are beyond the limit of a user.
  static constexpr std::size_t kLivingAnswers = kTokensOfAUserMax / kTokensOfEach - 1;

  // Makes the users; the server runs.
  BulkLoad(ServerProcess& server, const Credentials& admin);

  // One request after another, until the server is gone.
  void run();

  // Asks the server, which was started again, for some of the last answers' tokens: how many it
  // refuses that must live, and how many live that were dropped.
  struct Found {
    std::size_t lost = 0;
    std::size_t kept = 0;
  };
  [[nodiscard]] Found contradictions() const;
  // Answers that no living server may give.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  // Of all runs.
  [[nodiscard]] std::uint64_t answers() const { return answers_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return answers_ * kUsers * kTokensOfEach; }

 private:
  ServerProcess& server_;
  const Credentials admin_;
  std::string body_;
  std::deque<std::string> newest_;  // answers of this run, the newest first
  std::vector<std::string> problems_;
  std::atomic<std::uint64_t> answers_ = 0;
};

}  // namespace tokend::tests
