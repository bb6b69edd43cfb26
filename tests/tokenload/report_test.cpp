#include "tools/tokenload/report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "tools/tokenload/cpu_use.h"

namespace tokend::load {
namespace {

TEST(ClientBound, IsDecidedByWhoHadTimeToSpare) {
  const auto server = [](double busiest, double share) {
    return std::optional<ServerUse>(ServerUse{.busiest_demand = busiest, .cpu_share = share});
  };
  EXPECT_FALSE(is_client_bound(0.94, std::nullopt));
  EXPECT_TRUE(is_client_bound(0.96, std::nullopt));
  EXPECT_TRUE(is_client_bound(0.99, server(0.80, 0.80)));
  // Both saturated: the server had nothing to spare, so the figures are its own.
  EXPECT_FALSE(is_client_bound(0.99, server(0.99, 0.99)));
  EXPECT_FALSE(is_client_bound(0.99, server(0.60, 0.97)));  // many threads share one CPU
  EXPECT_FALSE(is_client_bound(0.99, server(0.97, 0.50)));  // one thread of many is the limit
  EXPECT_FALSE(is_client_bound(0.50, server(0.10, 0.10)));  // nobody is busy: latency decides
}

TEST(ServerUse, CountsThreadsThatBeganMeanwhileAndWaitAsDemand) {
  ProcessUse before;
  before.threads[1] = {.run_ns = 100, .wait_ns = 10};
  ProcessUse after;
  after.threads[1] = {.run_ns = 600, .wait_ns = 310};
  after.threads[2] = {.run_ns = 200, .wait_ns = 0};
  after.cpus_allowed = 2;
  const ServerUse use = between(before, after, 1'000);
  EXPECT_DOUBLE_EQ(use.run_ns_per_second, 700e6);
  EXPECT_DOUBLE_EQ(use.busiest_demand, 0.8);
  EXPECT_DOUBLE_EQ(use.cpu_share, 0.35);
}

TEST(ServerUse, OfThisProcessGrowsWithWork) {
  const auto before = use_of(getpid());
  ASSERT_TRUE(before) << before.error().message;
  const OwnUse own_before = own_use();
  while ((own_use() - own_before).times.run_ns < 20'000'000) {
  }
  const auto after = use_of(getpid());
  ASSERT_TRUE(after);
  EXPECT_GT(between(*before, *after, 1'000'000'000).run_ns_per_second, 10e6);
  EXPECT_FALSE(use_of(-1));
}

TEST(MachineBusy, GrowsWithWork) {
  const auto before = machine_busy_ns();
  ASSERT_TRUE(before);
  const OwnUse own_before = own_use();
  while ((own_use() - own_before).times.run_ns < 50'000'000) {
  }
  EXPECT_GE(*machine_busy_ns() - *before, 20'000'000);
}

std::vector<ThreadResult> good_threads() {
  std::vector<ThreadResult> threads(2);
  for (ThreadResult& thread : threads) {
    thread.answers = 1'000;
    thread.measured_ns = 500'000'000;
    thread.verdicts[0] = 1'100;
    thread.use.times.run_ns = 100'000'000;
    thread.latency_ns.record(100'000);
  }
  return threads;
}

TEST(Report, GoodRunIsValid) {
  std::vector<ThreadResult> threads = good_threads();
  const RunResult result = summarize(threads);
  EXPECT_DOUBLE_EQ(result.requests_per_second, 4'000);
  EXPECT_DOUBLE_EQ(result.client_demand, 0.2);
  EXPECT_DOUBLE_EQ(result.client_cpu_ns_per_request, 100'000);
  EXPECT_EQ(exit_code_of(result), kExitValid);
  EXPECT_NE(text_report({}, result).find("VALID"), std::string::npos);
  EXPECT_NE(json_report({}, result).find("\"requests_per_second\":4000.0"), std::string::npos);
}

TEST(Report, BulkRunAlsoCountsTokens) {
  std::vector<ThreadResult> threads = good_threads();
  threads[0].tokens = 3'000;
  threads[1].tokens = 2'000;
  threads[1].measured_ns = 250'000'000;  // through with its rounds before the other
  RunResult result = summarize(threads);
  EXPECT_EQ(result.tokens, 5'000U);
  EXPECT_DOUBLE_EQ(result.tokens_per_second, 10'000);
  EXPECT_DOUBLE_EQ(result.requests_per_second, 4'000);
  result.server = ServerUse{};
  result.server_cpu_ns_per_token = 2'500;
  Options bulk;
  bulk.bulk_targets = 5;
  EXPECT_NE(text_report(bulk, result).find("10000 tokens/s (5000), server CPU 2.500 us/token"),
            std::string::npos)
      << text_report(bulk, result);
  EXPECT_NE(json_report(bulk, result)
                .find(R"("tokens":{"count":5000,"per_second":10000.0,"server_cpu_us":2.5000},)"),
            std::string::npos)
      << json_report(bulk, result);
  EXPECT_EQ(text_report({}, result).find("tokens/s"), std::string::npos);
}

TEST(Report, ClientBoundRunIsRefused) {
  std::vector<ThreadResult> threads = good_threads();
  RunResult result = summarize(threads);
  result.client_bound = true;
  EXPECT_EQ(exit_code_of(result), kExitClientBound);
  EXPECT_NE(text_report({}, result).find("INVALID: client-bound"), std::string::npos);
  EXPECT_NE(json_report({}, result).find("INVALID: client-bound"), std::string::npos);
}

TEST(Report, EveryKindOfErrorFailsTheRun) {
  using Spoil = void (*)(ThreadResult&);
  const std::vector<Spoil> kinds{
      [](ThreadResult& thread) { ++thread.verdicts[static_cast<int>(Verdict::not_200)]; },
      [](ThreadResult& thread) { ++thread.verdicts[static_cast<int>(Verdict::wrong_user)]; },
      [](ThreadResult& thread) { ++thread.verdicts[static_cast<int>(Verdict::bad_token)]; },
      [](ThreadResult& thread) { ++thread.verdicts[static_cast<int>(Verdict::entry_refused)]; },
      [](ThreadResult& thread) { ++thread.malformed; },
      [](ThreadResult& thread) { ++thread.connections_lost; },
      [](ThreadResult& thread) { ++thread.unanswered; },
      [](ThreadResult& thread) { ++thread.unsent; },
      [](ThreadResult& thread) { thread.token_hashes = {5, 6, 5}; },
  };
  for (const Spoil spoil : kinds) {
    std::vector<ThreadResult> threads = good_threads();
    spoil(threads[1]);
    const RunResult result = summarize(threads);
    EXPECT_EQ(result.errors(), 1U);
    EXPECT_EQ(exit_code_of(result), kExitErrors);
    EXPECT_NE(text_report({}, result).find("FAILED"), std::string::npos);
  }
}

TEST(Report, TokenSeenByTwoThreadsIsARepeat) {
  std::vector<ThreadResult> threads = good_threads();
  threads[0].token_hashes = {1, 2, 3};
  threads[1].token_hashes = {4, 3, 3};
  const RunResult result = summarize(threads);
  EXPECT_EQ(result.tokens_checked, 6U);
  EXPECT_EQ(result.tokens_repeated, 2U);
}

}  // namespace
}  // namespace tokend::load
