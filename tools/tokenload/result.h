#pragma once
// What a run found out: of one thread while it runs, of all together afterwards.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/tokenload/check.h"
#include "tools/tokenload/cpu_use.h"
#include "tools/tokenload/histogram.h"

namespace tokend::load {

struct ThreadResult {
  // Of requests that were begun (open loop: meant to begin) in the measured time, in nanoseconds.
  Histogram latency_ns;
  // Of these, in an open loop: from the moment that one was due to the look at the clock after
  // which it was sent.
  Histogram late_ns;
  // Right answers that came in the measured time; its length as this thread saw it.
  std::uint64_t answers = 0;
  std::uint64_t answers_bytes = 0;  // of these
  std::uint64_t tokens = 0;         // in these
  std::int64_t measured_ns = 0;
  OwnUse use;  // in the measured time

  // Of the whole run, warm-up and end included: an error is an error.
  std::array<std::uint64_t, kVerdictCount> verdicts{};
  std::map<int, std::uint64_t> wrong_by_status;
  std::uint64_t malformed = 0;         // connections ended over bytes that were no answer
  std::uint64_t connections_lost = 0;  // ended by the server with requests unanswered, or refused
  std::uint64_t reconnects = 0;
  std::uint64_t unanswered = 0;  // requests lost with their connection or open at the very end
  std::uint64_t unsent = 0;      // due in the measured time or in the rounds, but never sent
  std::vector<std::uint64_t> token_hashes;
  std::string tokens_kept;  // lines of a token's holder and the token, where the plan keeps them
  std::string first_error;
  std::string failure;  // why the thread could not run; empty when it did
};

struct RunResult {
  Histogram latency_ns;
  Histogram late_ns;
  double requests_per_second = 0;
  std::uint64_t answers = 0;
  std::uint64_t tokens = 0;
  double tokens_per_second = 0;
  double answer_bytes = 0;  // on average, head and body
  std::int64_t measured_ns = 0;
  double client_demand = 0;  // of the busiest thread, share of one CPU: (run + wait) / time
  double client_cpu_ns_per_request = 0;
  double client_user_ns_per_request = 0;
  std::array<std::uint64_t, kVerdictCount> verdicts{};
  std::map<int, std::uint64_t> wrong_by_status;
  std::uint64_t malformed = 0;
  std::uint64_t connections_lost = 0;
  std::uint64_t reconnects = 0;
  std::uint64_t unanswered = 0;
  std::uint64_t unsent = 0;
  std::uint64_t tokens_checked = 0;
  std::uint64_t tokens_repeated = 0;
  std::string first_error;
  std::string tokens_kept;

  std::optional<ServerUse> server;
  double server_cpu_ns_per_request = 0;
  double server_cpu_ns_per_token = 0;
  bool client_bound = false;

  [[nodiscard]] std::uint64_t errors() const noexcept;
};

[[nodiscard]] RunResult summarize(std::vector<ThreadResult>& threads);

}  // namespace tokend::load
