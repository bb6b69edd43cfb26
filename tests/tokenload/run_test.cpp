#include "tools/tokenload/run.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "tests/tokenload/fake_server.h"
#include "tools/tokenload/control.h"

namespace tokend::load {
namespace {

std::string answer_of(std::string_view body, std::string_view status = "200 OK",
                      std::string_view more = "") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Type: application/json\r\n" +
         std::string(more) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

std::string token_of(std::uint64_t number) {
  std::array<char, kTokenCharacters + 1> text{};
  std::snprintf(text.data(), text.size(), "%043llu", static_cast<unsigned long long>(number));
  return text.data();
}

std::string token_answer(std::string_view user, std::string_view token,
                         std::string_view more = "") {
  return answer_of(R"({"data":{"userId":")" + std::string(user) + R"(","authToken":")" +
                       std::string(token) + R"("},"success":true})",
                   "200 OK", more);
}

std::string_view user_of(std::string_view request) { return string_member(request, "userId"); }

// What createToken does, right.
class Issuer {
 public:
  std::string operator()(std::string_view request, std::string_view more = "") {
    return token_answer(user_of(request), token_of(++issued_), more);
  }
  [[nodiscard]] std::uint64_t issued() const { return issued_; }

 private:
  std::atomic<std::uint64_t> issued_{0};
};

Plan plan_for(const FakeServer& server) {
  auto endpoint = resolve(server.target());
  EXPECT_TRUE(endpoint);
  Plan plan{.endpoint = *endpoint,
            .connections = 3,
            .cpus = {},
            .warmup_ns = 20'000'000,
            .duration_ns = 150'000'000,
            .check_unique = true,
            .head = {},
            .tails = {},
            .target_ids = {}};
  return plan;
}

core::Result<RunResult> load(Plan& plan) {
  const std::vector<Target> targets{{.id = "alpha", .username = "a"},
                                    {.id = "betabeta", .username = "b"},
                                    {.id = "gammagammagamma", .username = "c"}};
  make_requests(plan, {.user_id = "issuer", .token = "secret"}, targets, NameBy::user_id, "");
  return run(plan, std::nullopt);
}

TEST(Run, RightAnswersMakeAValidRun) {
  Issuer issuer;
  const FakeServer server([&](std::string_view request) { return issuer(request); });
  for (const std::size_t depth : {1, 4}) {
    Plan plan = plan_for(server);
    plan.pipeline_depth = depth;
    plan.threads = 2;
    const std::uint64_t issued_before = issuer.issued();
    const auto result = load(plan);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->errors(), 0U) << result->first_error;
    EXPECT_GT(result->answers, 0U);
    EXPECT_GT(result->requests_per_second, 0);
    EXPECT_GT(result->latency_ns.count(), 0U);
    EXPECT_GT(result->latency_ns.percentile(50), 1'000U);
    // Every answer was looked at, those of the warm-up and of the end as well.
    EXPECT_EQ(result->tokens_checked, issuer.issued() - issued_before);
  }
}

TEST(Run, RandomOrderReachesEveryTargetAndFailsNobody) {
  Issuer issuer;
  std::mutex mutex;
  std::map<std::string, int, std::less<>> seen;
  const FakeServer server([&](std::string_view request) {
    const std::lock_guard lock(mutex);
    ++seen[std::string(user_of(request))];
    return issuer(request);
  });
  Plan plan = plan_for(server);
  plan.order = Order::random;
  const auto result = load(plan);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->errors(), 0U) << result->first_error;
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen.size(), 3U);
}

TEST(Run, AnswersInSmallPiecesAreReadWhole) {
  Issuer issuer;
  const FakeServer server([&](std::string_view request) { return issuer(request); },
                          /*in_pieces=*/true);
  Plan plan = plan_for(server);
  plan.pipeline_depth = 3;
  const auto result = load(plan);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->errors(), 0U) << result->first_error;
  EXPECT_GT(result->answers, 0U);
}

TEST(Run, OneWrongUserAmongManyIsReported) {
  Issuer issuer;
  std::atomic<int> count{0};
  const FakeServer server([&](std::string_view request) {
    if (++count == 20) return token_answer("somebody", token_of(0));
    return issuer(request);
  });
  Plan plan = plan_for(server);
  const auto result = load(plan);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->errors(), 1U);
  EXPECT_EQ(result->verdicts[static_cast<int>(Verdict::wrong_user)], 1U);
}

TEST(Run, RefusalsAreCountedByStatusAndQuoted) {
  Issuer issuer;
  std::atomic<int> count{0};
  const FakeServer server([&](std::string_view request) {
    if (++count % 4 == 0) return answer_of("{\"error\":\"too many\"}", "429 Too Many Requests");
    if (count % 4 == 1) return answer_of("{}", "500 Internal Server Error");
    return issuer(request);
  });
  Plan plan = plan_for(server);
  plan.connections = 1;
  const auto result = load(plan);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_GT(result->wrong_by_status.at(429), 0U);
  EXPECT_GT(result->wrong_by_status.at(500), 0U);
  EXPECT_GT(result->answers, 0U);
  EXPECT_NE(result->first_error.find("500"), std::string::npos);
}

TEST(Run, ShortTokensAreReportedWithoutShowingThem) {
  const FakeServer server(
      [](std::string_view request) { return token_answer(user_of(request), "short-secret"); });
  Plan plan = plan_for(server);
  const auto result = load(plan);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->answers, 0U);
  EXPECT_GT(result->verdicts[static_cast<int>(Verdict::bad_token)], 0U);
  EXPECT_EQ(result->first_error.find("short-secret"), std::string::npos);
}

TEST(Run, TokenIssuedTwiceIsFound) {
  const FakeServer server(
      [](std::string_view request) { return token_answer(user_of(request), token_of(7)); });
  Plan plan = plan_for(server);
  const auto result = load(plan);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->tokens_repeated, result->tokens_checked - 1);
  EXPECT_GT(result->errors(), 0U);
}

TEST(Run, ConnectionClosedUnansweredIsAnErrorAndTheRunGoesOn) {
  Issuer issuer;
  std::atomic<int> count{0};
  const FakeServer server([&](std::string_view request) -> std::optional<std::string> {
    if (++count == 30) return std::nullopt;
    return issuer(request);
  });
  Plan plan = plan_for(server);
  const auto result = load(plan);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->connections_lost, 1U);
  EXPECT_EQ(result->unanswered, 1U);
  EXPECT_EQ(result->reconnects, 1U);
  EXPECT_GT(result->answers, 30U);
}

TEST(Run, AnnouncedCloseIsNoErrorAndIsFollowedByANewConnection) {
  Issuer issuer;
  std::atomic<int> count{0};
  const FakeServer server([&](std::string_view request) -> std::optional<std::string> {
    return issuer(request, ++count % 50 == 0 ? "Connection: close\r\n" : "");
  });
  Plan plan = plan_for(server);
  plan.duration_ns = 50'000'000;
  const auto result = load(plan);
  ASSERT_TRUE(result) << result.error().message;
  // The fake server leaves the closing to its client, which has nothing to wait for.
  EXPECT_EQ(result->errors(), 0U) << result->first_error;
  EXPECT_GT(result->reconnects, 0U);
}

TEST(Run, ServerThatRefusesEveryConnectionEndsTheRunEarly) {
  const FakeServer server([](std::string_view) { return std::nullopt; });
  Plan plan = plan_for(server);
  plan.duration_ns = 60'000'000'000;
  const auto begin = std::chrono::steady_clock::now();
  const auto result = load(plan);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->connections_lost, plan.connections);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(Run, BytesThatAreNoHttpAreReported) {
  const FakeServer server([](std::string_view) { return "220 ready\r\n"; });
  Plan plan = plan_for(server);
  const auto result = load(plan);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->malformed, plan.connections);
}

// One stall of 100 ms under a rate of 1000/s delays about 100 requests. A closed loop sees at most
// as many slow answers as it has connections.
TEST(Run, StallIsSeenByAllRequestsThatTheOpenLoopMeantToSend) {
  for (const bool open_loop : {true, false}) {
    Issuer issuer;
    std::atomic<int> count{0};
    const FakeServer server([&](std::string_view request) {
      if (++count == 60) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      return issuer(request);
    });
    Plan plan = plan_for(server);
    plan.connections = 1;
    plan.warmup_ns = 0;
    plan.duration_ns = 300'000'000;
    if (open_loop) plan.rate_per_second = 1'000;
    const auto result = load(plan);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->errors(), 0U) << result->first_error;
    if (open_loop) {
      EXPECT_EQ(result->latency_ns.count(), 300U);
      // A third of the requests waited, the middle one of them half of the stall.
      EXPECT_GT(result->latency_ns.percentile(90), 30'000'000U);
    } else {
      EXPECT_LT(result->latency_ns.percentile(90), 30'000'000U);
      EXPECT_GT(result->latency_ns.max(), 99'000'000U);
    }
  }
}

TEST(Run, TickSendsTogetherWhatWasDueAndCountsTheWaiting) {
  constexpr double kTickNs = 50e6;
  std::array<double, 2> late_ns{};
  for (const bool ticks : {false, true}) {
    Issuer issuer;
    const FakeServer server([&](std::string_view request) { return issuer(request); });
    Plan plan = plan_for(server);
    plan.connections = 64;
    plan.warmup_ns = 0;
    plan.duration_ns = 300'000'000;
    plan.rate_per_second = 1'000;
    plan.tick_ns = ticks ? static_cast<std::int64_t>(kTickNs) : 0;
    const auto result = load(plan);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->errors(), 0U) << result->first_error;
    EXPECT_EQ(result->latency_ns.count(), 300U);
    EXPECT_EQ(result->late_ns.count(), 300U);
    late_ns[ticks ? 1 : 0] = result->late_ns.mean();
    // An answer is seen at the next tick at the earliest.
    if (ticks) {
      EXPECT_GT(result->latency_ns.mean(), result->late_ns.mean() + kTickNs / 2);
    }
  }
  // On average a request waits for half of a tick.
  EXPECT_GT(late_ns[1], kTickNs * 0.4);
  EXPECT_LT(late_ns[0], late_ns[1]);
}

TEST(Run, NobodyListeningIsSaidClearly) {
  std::string target;
  {
    const FakeServer server([](std::string_view) { return std::nullopt; });
    target = server.target();
  }
  auto endpoint = resolve(target);
  ASSERT_TRUE(endpoint);
  Plan plan{.endpoint = *endpoint,
            .connections = 2,
            .cpus = {},
            .duration_ns = 1'000'000'000,
            .head = {},
            .tails = {},
            .target_ids = {}};
  const auto result = load(plan);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find(target), std::string::npos) << result.error().message;
  EXPECT_NE(result.error().message.find("refused"), std::string::npos) << result.error().message;
}

TEST(Run, ServerProcessOfItsOwnIsMeasured) {
  Issuer issuer;
  const FakeServer server([&](std::string_view request) { return issuer(request); });
  Plan plan = plan_for(server);
  make_requests(plan, {.user_id = "issuer", .token = "secret"}, {{.id = "alpha", .username = ""}},
                NameBy::user_id, "");
  const auto result = run(plan, getpid());
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_TRUE(result->server);
  EXPECT_GT(result->server_cpu_ns_per_request, 0);
  EXPECT_FALSE(run(plan, -5));
}

}  // namespace
}  // namespace tokend::load
