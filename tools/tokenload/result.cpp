#include "tools/tokenload/result.h"

#include <algorithm>

namespace tokend::load {
namespace {

// A token repeated n times counts n - 1 times.
std::uint64_t count_repeated(std::vector<std::uint64_t>& hashes) {
  std::ranges::sort(hashes);
  std::uint64_t repeated = 0;
  for (std::size_t i = 1; i < hashes.size(); ++i) repeated += hashes[i] == hashes[i - 1];
  return repeated;
}

}  // namespace

std::uint64_t RunResult::errors() const noexcept {
  std::uint64_t sum = malformed + connections_lost + unanswered + unsent + tokens_repeated;
  for (std::size_t i = 0; i < kVerdictCount; ++i) {
    if (static_cast<Verdict>(i) != Verdict::right) sum += verdicts[i];
  }
  return sum;
}

RunResult summarize(std::vector<ThreadResult>& threads) {
  RunResult all;
  std::vector<std::uint64_t> hashes;
  std::uint64_t answers_bytes = 0;
  std::int64_t run_ns = 0;
  std::int64_t user_ns = 0;
  for (const ThreadResult& thread : threads) {
    all.latency_ns.merge(thread.latency_ns);
    all.late_ns.merge(thread.late_ns);
    all.answers += thread.answers;
    answers_bytes += thread.answers_bytes;
    all.tokens += thread.tokens;
    all.tokens_kept += thread.tokens_kept;
    all.measured_ns = std::max(all.measured_ns, thread.measured_ns);
    if (thread.measured_ns > 0) {
      const auto measured = static_cast<double>(thread.measured_ns);
      const OwnUse& use = thread.use;
      all.client_demand = std::max(
          all.client_demand, static_cast<double>(use.times.run_ns + use.times.wait_ns) / measured);
    }
    run_ns += thread.use.times.run_ns;
    user_ns += thread.use.user_ns;
    for (std::size_t i = 0; i < kVerdictCount; ++i) all.verdicts[i] += thread.verdicts[i];
    for (const auto& [status, count] : thread.wrong_by_status) {
      all.wrong_by_status[status] += count;
    }
    all.malformed += thread.malformed;
    all.connections_lost += thread.connections_lost;
    all.reconnects += thread.reconnects;
    all.unanswered += thread.unanswered;
    all.unsent += thread.unsent;
    if (all.first_error.empty()) all.first_error = thread.first_error;
    hashes.insert(hashes.end(), thread.token_hashes.begin(), thread.token_hashes.end());
  }
  if (all.measured_ns > 0) {
    // The longest: of rounds the threads have their own ends.
    const double seconds = static_cast<double>(all.measured_ns) / 1e9;
    all.requests_per_second = static_cast<double>(all.answers) / seconds;
    all.tokens_per_second = static_cast<double>(all.tokens) / seconds;
  }
  all.tokens_checked = hashes.size();
  all.tokens_repeated = count_repeated(hashes);
  if (all.answers > 0) {
    const auto answers = static_cast<double>(all.answers);
    all.answer_bytes = static_cast<double>(answers_bytes) / answers;
    all.client_cpu_ns_per_request = static_cast<double>(run_ns) / answers;
    all.client_user_ns_per_request = static_cast<double>(user_ns) / answers;
  }
  return all;
}

}  // namespace tokend::load
