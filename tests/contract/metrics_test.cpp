// --metrics-listen: what Prometheus finds there, and what nobody finds elsewhere.

#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

// Samples by their series, as the text format (version 0.0.4) has them: a family's HELP and TYPE
// stand before its samples, and no series comes twice.
std::map<std::string, double> samples_of(const std::string& text) {
  static const std::regex kSample(
      R"re(([a-z_]+)((?:\{(?:[a-z]+="[^"\\\n]*",?)+\})?) ([-+0-9.e]+))re");
  std::map<std::string, double> samples;
  std::istringstream lines(text);
  std::string family;
  std::set<std::string> families;
  bool helped = false;
  EXPECT_TRUE(text.ends_with('\n'));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash;
    std::string word;
    std::string name;
    words >> hash >> word >> name;
    if (hash == "#") {
      EXPECT_EQ(word, helped ? "TYPE" : "HELP") << line;
      if (helped) {
        std::string type;
        words >> type;
        EXPECT_EQ(name, family) << line;
        EXPECT_THAT(type, AnyOf("counter", "gauge", "histogram")) << line;
      } else {
        EXPECT_TRUE(families.insert(name).second) << line;
      }
      helped = !helped;
      family = name;
      continue;
    }
    std::smatch parts;
    if (!std::regex_match(line, parts, kSample)) {
      ADD_FAILURE() << line;
      continue;
    }
    EXPECT_TRUE(parts[1].str().starts_with(family)) << line;
    EXPECT_TRUE(samples.emplace(parts[1].str() + parts[2].str(), std::stod(parts[3])).second)
        << line;
  }
  return samples;
}

template <class Suite>
class MetricsSuite : public ServerSuite<Suite> {
 protected:
  static Response scrape(const std::string& method = "GET",
                         const std::string& target = "/metrics") {
    HttpClient client({.port = Suite::server().metrics_port(), .is_tokend = false});
    if (!client.send(bytes_of({.method = method, .target = target}))) return {};
    return client.read_response(method == "HEAD");
  }
  static std::map<std::string, double> samples() {
    const Response response = scrape();
    EXPECT_EQ(response.status, 200) << response;
    return samples_of(response.body);
  }
  // Of one kind of answers, so far.
  static double answers(std::map<std::string, double>& samples, const std::string& endpoint,
                        int code) {
    return samples["tokend_http_requests_total{endpoint=\"" + endpoint + "\",code=\"" +
                   std::to_string(code) + "\"}"];
  }
  static double over_cores(std::map<std::string, double>& samples, const std::string& name) {
    return samples["tokend_core_" + name + "_total{core=\"0\"}"] +
           samples["tokend_core_" + name + "_total{core=\"1\"}"];
  }
};

class Metrics : public MetricsSuite<Metrics> {
 public:
  static ServerSettings settings() { return {.flags = {"--metrics-listen", "127.0.0.1:0"}}; }
};

// The audit writes by itself, a while after what it records.
class MetricsWithoutAudit : public MetricsSuite<MetricsWithoutAudit> {
 public:
  static ServerSettings settings() {
    return {.flags = {"--metrics-listen", "127.0.0.1:0", "--audit-retention", "0s"}};
  }
};

TEST_F(Metrics, AreTextThatPrometheusReads) {
  const Response response = scrape();
  EXPECT_EQ(response.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  auto all = samples_of(response.body);
  EXPECT_EQ(all["tokend_healthy"], 1);
  EXPECT_GT(all["process_start_time_seconds"], 1.7e9);
  EXPECT_GT(all["process_cpu_seconds_total"], 0);
  EXPECT_GT(all["process_resident_memory_bytes"], 1 << 20);
  EXPECT_THAT(response.body, HasSubstr("tokend_build_info{version=\""));
}

TEST_F(Metrics, CountWhatWasAskedForAndAnswered) {
  const Person person = make_user();
  auto before = samples();
  constexpr int kTokens = 7;
  for (int i = 0; i < kTokens; ++i) {
    ASSERT_EQ(create_token(json_pair("userId", person.id), &admin()).status, 200);
  }
  ASSERT_EQ(create_token(json_pair("userId", "nobody"), &admin()).status, 400);
  ASSERT_EQ(create_token(json_pair("userId", person.id), nullptr).status, 401);
  ASSERT_EQ(client().get("/api/v1/settings/Accounts_LoginExpiration", &admin()).status, 200);
  ASSERT_EQ(client().get("/nowhere").status, 404);
  auto after = samples();
  const auto more = [&](const std::string& endpoint, int code) {
    return answers(after, endpoint, code) - answers(before, endpoint, code);
  };
  EXPECT_EQ(more(kCreateToken, 200), kTokens);
  EXPECT_EQ(more(kCreateToken, 400), 1);
  EXPECT_EQ(more(kCreateToken, 401), 1);
  EXPECT_EQ(more("/api/v1/settings/:_id", 200), 1);
  EXPECT_EQ(more("other", 404), 1);
  const std::string durations = "tokend_http_request_duration_seconds";
  const std::string of_create = std::string("{endpoint=\"") + kCreateToken + "\"}";
  EXPECT_EQ(after[durations + "_count" + of_create] - before[durations + "_count" + of_create],
            kTokens + 2);
  EXPECT_GT(after[durations + "_sum" + of_create], before[durations + "_sum" + of_create]);
  EXPECT_EQ(after["tokend_tokens_issued_total"] - before["tokend_tokens_issued_total"], kTokens);
  // Each came alone, so in a batch of its own; what changes nothing is a batch that is not synced.
  const double batches =
      after["tokend_commit_batches_total"] - before["tokend_commit_batches_total"];
  const double syncs = after["tokend_commit_sync_duration_seconds_count"] -
                       before["tokend_commit_sync_duration_seconds_count"];
  EXPECT_GE(syncs, kTokens);
  EXPECT_GT(batches, syncs);
}

// ARCHITECTURE.md, the life of a createToken: one hop across threads and home, and none for what
// memory can answer.
TEST_F(MetricsWithoutAudit, ShowThatNothingIsSharedOnTheWayOfARequest) {
  const Person person = make_user();
  const Credentials person_here = log_in(person);
  ASSERT_EQ(client().get("/api/v1/me", &person_here).status, 200);
  constexpr int kRequests = 100;
  auto before = samples();
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_EQ(client().get("/api/v1/me", &person_here).status, 200);
  }
  auto between = samples();
  EXPECT_EQ(over_cores(between, "messages") - over_cores(before, "messages"), 0);
  // One may be of an answer that was taken before its wake-up had come.
  EXPECT_LE(over_cores(between, "wakeups") - over_cores(before, "wakeups"), 1);
  // Fewer than the limit of a user's tokens, so no cache has to be told of a token that went.
  constexpr int kTokens = 40;
  for (int i = 0; i < kTokens; ++i) {
    ASSERT_EQ(create_token(json_pair("userId", person.id), &admin()).status, 200);
  }
  auto after = samples();
  EXPECT_EQ(over_cores(after, "messages") - over_cores(between, "messages"), kTokens);
}

TEST_F(Metrics, AreAllThatIsServedThere) {
  EXPECT_EQ(scrape("GET", "/").status, 404);
  EXPECT_EQ(scrape("GET", "/api/v1/me").status, 404);
  const Response post = scrape("POST");
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.header("Allow"), "GET, HEAD");
  const Response head = scrape("HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  HttpClient nonsense({.port = server().metrics_port(), .is_tokend = false});
  ASSERT_TRUE(nonsense.send("nonsense\r\n\r\n"));
  EXPECT_EQ(nonsense.read_response().status, 400);
  EXPECT_TRUE(nonsense.read_end());
}

TEST_F(Metrics, AreServedNowhereElse) { EXPECT_EQ(client().get("/metrics").status, 404); }

TEST_F(Metrics, AConnectionThatIsKeptIsServedAgain) {
  HttpClient client({.port = server().metrics_port(), .is_tokend = false});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.exchange({.target = "/metrics"}).status, 200);
  }
}

TEST(MetricsAddress, IsNoneUnlessItIsGiven) {
  ServerProcess server;
  ASSERT_TRUE(server.start()) << server.report();
  EXPECT_EQ(server.metrics_port(), 0);
  EXPECT_EQ(server.stop(), 0);
}

TEST(MetricsAddress, IsServedWhereTheApiIsAtItsLimitOfConnections) {
  ServerProcess server(
      {.flags = {"--metrics-listen", "127.0.0.1:0", "--cores", "1", "--connections-max", "1"}});
  ASSERT_TRUE(server.start()) << server.report();
  HttpClient only({.port = server.port()});
  EXPECT_EQ(only.exchange({.target = "/health"}).status, 200);
  HttpClient refused({.port = server.port()});
  EXPECT_TRUE(refused.read_end());
  HttpClient client({.port = server.metrics_port(), .is_tokend = false});
  const Response response = client.exchange({.target = "/metrics"});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(samples_of(response.body)["tokend_core_connections_refused_total{core=\"0\"}"], 1);
  EXPECT_EQ(server.stop(), 0);
}

TEST(MetricsAddress, NeedsNoProxyHeader) {
  ServerProcess server({.flags = {"--metrics-listen", "127.0.0.1:0", "--proxy-protocol", "v2"}});
  ASSERT_TRUE(server.start()) << server.report();
  HttpClient client({.port = server.metrics_port(), .is_tokend = false});
  EXPECT_EQ(client.exchange({.target = "/metrics"}).status, 200);
  EXPECT_EQ(server.stop(), 0);
}

TEST(MetricsAddress, ThatIsBusyOrNoneIsNamedAndLeavesNoTrace) {
  ServerProcess first;
  ASSERT_TRUE(first.start()) << first.report();
  for (const std::string& address :
       {"127.0.0.1:" + std::to_string(first.port()), std::string("metrics.example.com:1")}) {
    ServerProcess second({.flags = {"--metrics-listen", address}});
    const Outcome outcome = run_to_end(second.launch());
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("--metrics-listen"));
    EXPECT_THAT(outcome.errors, HasSubstr(address));
    EXPECT_FALSE(std::filesystem::exists(second.data_path()));
  }
}

}  // namespace
}  // namespace tokend::tests
