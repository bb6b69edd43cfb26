// Runs that have an end in requests, those of users.createTokens and those that show many tokens.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tokenload/fake_server.h"
#include "tools/tokenload/control.h"
#include "tools/tokenload/run.h"

namespace tokend::load {
namespace {

using testing::HasSubstr;

std::string answer_of(std::string_view body, std::string_view more = "") {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + std::string(more) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string token_of(std::uint64_t number) {
  std::array<char, kTokenCharacters + 1> text{};
  std::snprintf(text.data(), text.size(), "%043llu", static_cast<unsigned long long>(number));
  return text.data();
}

// The strings of the body's list `userIds`.
std::vector<std::string> ids_in(std::string_view request) {
  constexpr std::string_view kStart = "\r\n\r\n{\"userIds\":[";
  std::vector<std::string> ids;
  const std::size_t start = request.find(kStart);
  if (start == std::string_view::npos) return ids;
  std::string_view rest = request.substr(start + kStart.size());
  while (rest.starts_with('"') || rest.starts_with(',')) {
    rest.remove_prefix(rest.find('"') + 1);
    ids.emplace_back(rest.substr(0, rest.find('"')));
    rest.remove_prefix(ids.back().size() + 1);
  }
  EXPECT_EQ(rest, "]}");
  return ids;
}

// What users.createTokens does, right; it counts what was issued for whom.
class BulkIssuer {
 public:
  std::string operator()(std::string_view request) {
    EXPECT_TRUE(request.starts_with("POST /api/v1/users.createTokens HTTP/1.1\r\n"));
    const std::lock_guard lock(mutex_);
    std::string body = R"({"tokens":[)";
    const std::vector<std::string> ids = ids_in(request);
    for (const std::string& id : ids) {
      ++issued_[id];
      if (&id != &ids.front()) body += ',';
      body += R"({"userId":")" + id + R"(","authToken":")" + token_of(++tokens_) + R"("})";
    }
    return answer_of(body + R"(],"success":true})");
  }
  [[nodiscard]] std::map<std::string, int> issued() {
    const std::lock_guard lock(mutex_);
    return issued_;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> issued_;
  std::uint64_t tokens_ = 0;
};

Plan plan_for(const FakeServer& server, Call call) {
  auto endpoint = resolve(server.target());
  EXPECT_TRUE(endpoint);
  return Plan{.endpoint = *endpoint,
              .call = call,
              .connections = 3,
              .cpus = {},
              .rounds = 1,
              .check_unique = true,
              .head = {},
              .tails = {},
              .target_ids = {}};
}

void request_for(Plan& plan, std::size_t users) {
  std::vector<Target> targets;
  for (std::size_t i = 0; i < users; ++i) {
    targets.push_back({.id = "user" + std::to_string(i), .username = ""});
  }
  make_requests(plan, {.user_id = "issuer", .token = "secret"}, targets, NameBy::user_id, "");
}

TEST(Rounds, EverybodyHasExactlySoManyTurns) {
  for (const std::size_t threads : {1, 2, 3}) {
    BulkIssuer issuer;
    const FakeServer server([&](std::string_view request) { return issuer(request); });
    Plan plan = plan_for(server, Call::create_tokens);
    plan.threads = threads;
    plan.pipeline_depth = 2;
    plan.targets_each = 3;
    plan.rounds = 5;
    plan.keep_tokens = true;
    request_for(plan, 10);  // requests of 3, 3, 3 and 1
    const auto result = run(plan, getpid());
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->errors(), 0U) << result->first_error;
    EXPECT_EQ(result->answers, 20U);
    EXPECT_EQ(result->tokens, 50U);
    EXPECT_EQ(result->tokens_checked, 50U);
    EXPECT_GT(result->tokens_per_second, 0);
    const auto issued = issuer.issued();
    EXPECT_EQ(issued.size(), 10U);
    for (const auto& [user, count] : issued) EXPECT_EQ(count, 5) << user;
    EXPECT_EQ(std::ranges::count(result->tokens_kept, '\n'), 50);
    EXPECT_THAT(result->tokens_kept, HasSubstr("user9 00000"));
  }
}

std::int64_t own_cpu_ns() {
  timespec time{};
  EXPECT_EQ(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time), 0);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

// Each request takes several of the scheduler's ticks, because the times of a thread that runs are
// as of the last one.
TEST(Rounds, ServersTimeIsDividedAmongTheTokens) {
  constexpr std::int64_t kRequestNs = 20'000'000;
  BulkIssuer issuer;
  const FakeServer server([&](std::string_view request) {
    const std::int64_t end_ns = own_cpu_ns() + kRequestNs;
    while (own_cpu_ns() < end_ns) {
    }
    return issuer(request);
  });
  Plan plan = plan_for(server, Call::create_tokens);
  plan.connections = 1;
  plan.targets_each = 5;
  request_for(plan, 10);
  const auto result = run(plan, getpid());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->tokens, 10U);
  EXPECT_GT(result->server_cpu_ns_per_token, kRequestNs / 10);
  EXPECT_LT(result->server_cpu_ns_per_token, kRequestNs);
}

TEST(Rounds, LargeAnswersInManyPiecesAreReadWhole) {
  BulkIssuer issuer;
  const FakeServer server([&](std::string_view request) { return issuer(request); });
  Plan plan = plan_for(server, Call::create_tokens);
  plan.targets_each = 10'000;
  request_for(plan, 20'000);
  const auto result = run(plan, std::nullopt);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->errors(), 0U) << result->first_error;
  EXPECT_EQ(result->tokens, 20'000U);
}

TEST(Rounds, RefusedEntryFailsTheRunAndIsQuoted) {
  const FakeServer server([&](std::string_view) {
    return answer_of(R"({"tokens":[{"error":"Gone [error-gone]","errorType":"error-gone"}],)"
                     R"("success":true})");
  });
  Plan plan = plan_for(server, Call::create_tokens);
  request_for(plan, 1);
  const auto result = run(plan, std::nullopt);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->errors(), 1U);
  EXPECT_EQ(result->tokens, 0U);
  EXPECT_THAT(result->first_error, HasSubstr("error-gone"));
}

TEST(Rounds, EachTokenIsShownOnceAndOneThatIsRefusedIsFound) {
  std::mutex mutex;
  std::map<std::string, int> shown;
  const FakeServer server([&](std::string_view request) -> std::string {
    const auto header = [&](std::string_view name) {
      std::string_view rest = request.substr(request.find(name) + name.size());
      return std::string(rest.substr(0, rest.find("\r\n")));
    };
    EXPECT_TRUE(request.starts_with("GET /auth HTTP/1.1\r\n"));
    const std::lock_guard lock(mutex);
    ++shown[header("X-Auth-Token: ")];
    if (header("X-Auth-Token: ") == token_of(3)) {
      return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    }
    return answer_of("", "X-User-Id: " + header("X-User-Id: ") + "\r\n");
  });
  Plan plan = plan_for(server, Call::auth);
  std::vector<Credentials> holders;
  for (std::uint64_t i = 0; i < 8; ++i) {
    holders.push_back({.user_id = "user" + std::to_string(i), .token = token_of(i)});
  }
  make_presenting_requests(plan, holders);
  const auto result = run(plan, std::nullopt);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->answers, 7U);
  EXPECT_EQ(result->errors(), 1U);
  EXPECT_EQ(result->wrong_by_status.at(401), 1U);
  const std::lock_guard lock(mutex);
  EXPECT_EQ(shown.size(), 8U);
  for (const auto& [token, count] : shown) EXPECT_EQ(count, 1) << token;
}

TEST(Rounds, ServerThatStopsAnsweringEndsTheRun) {
  std::atomic<int> answered{0};
  BulkIssuer issuer;
  const FakeServer server([&](std::string_view request) {
    // Half of the last answer: the rest never comes.
    const std::string whole = issuer(request);
    return ++answered < 3 ? whole : whole.substr(0, whole.size() / 2);
  });
  Plan plan = plan_for(server, Call::create_tokens);
  plan.connections = 1;
  plan.stall_ns = 200'000'000;
  request_for(plan, 5);
  const auto result = run(plan, std::nullopt);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->answers, 2U);
  EXPECT_EQ(result->unsent, 2U);
  EXPECT_EQ(result->unanswered, 1U);
  EXPECT_THAT(result->first_error, HasSubstr("unanswered"));
}

}  // namespace
}  // namespace tokend::load
