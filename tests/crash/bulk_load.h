#pragma once
// Issues by the thousand, so that tables are written and the journal is used again and again.
//
// Concurrency: run() on any thread, answers() from any; the rest while nothing runs.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/api_client.h"

namespace tokend::tests {

class BulkLoad {
 public:
  // The last answer's tokens, and those of a request that was not answered, are less than the limit
  // of a user: it ends none of them.
  static constexpr std::size_t kUsers = 100;
  static constexpr std::size_t kTokensOfEach = 20;

  // Makes the users; the server runs.
  BulkLoad(ServerProcess& server, const Credentials& admin);

  // One request after another, until the server is gone.
  void run();

  // How many of the last answer's tokens the server, which was started again, refuses. Of those of
  // no answer: none.
  [[nodiscard]] std::size_t count_lost() const;
  // Answers that no living server may give.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  // Of all runs.
  [[nodiscard]] std::uint64_t answers() const { return answers_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return answers_ * kUsers * kTokensOfEach; }

 private:
  ServerProcess& server_;
  const Credentials admin_;
  std::string body_;
  std::string newest_;  // answer of this run
  std::vector<std::string> problems_;
  std::atomic<std::uint64_t> answers_ = 0;
};

}  // namespace tokend::tests
