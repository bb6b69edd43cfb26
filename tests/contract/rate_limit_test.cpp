// The rate limit: contract 1.4 with 9.9. A test's addresses are its own, so that no other test's
// calls are counted in its windows.

#include <gmock/gmock.h>

#include <thread>

#include "tests/contract/limited_suite.h"

namespace tokend::tests {
namespace {

std::int64_t now_ms() {
  return std::chrono::duration_cast<Milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class RateLimit : public LimitedSuite<RateLimit> {
 public:
  static ServerSettings settings() {
    return {.flags = {}, .environment = {{"API_Enable_Rate_Limiter", "true"}}};
  }
};

TEST_F(RateLimit, TenCallsAreServedAndTheEleventhIs429) {
  const Credentials caller = make_caller();
  ApiClient client = fresh_client();
  const std::string body = json_pair("userId", caller.user_id);
  const std::int64_t begin = now_ms();
  std::int64_t reset = 0;
  for (int remaining = 9; remaining >= 0; --remaining) {
    const Response response = client.post(kCreateToken, body, &caller);
    EXPECT_TRUE(answers(response, 200, kIssued));
    EXPECT_EQ(response.header("X-RateLimit-Limit"), "10");
    EXPECT_EQ(response.header("X-RateLimit-Remaining"), std::to_string(remaining));
    // The window is fixed; two clocks' milliseconds round differently.
    const std::int64_t told = std::stoll("0" + response.header("X-RateLimit-Reset"));
    if (reset == 0) reset = told;
    EXPECT_LE(std::abs(told - reset), 2) << response;
  }
  // Epoch milliseconds; the window starts with its first call.
  EXPECT_GE(reset, begin + 60'000 - 50);
  EXPECT_LE(reset, now_ms() + 60'000);
  for (int time = 0; time < 3; ++time) {
    const Response response = client.post(kCreateToken, body, &caller);
    EXPECT_TRUE(answers(response, 429, too_many("60")) || answers(response, 429, too_many("59")))
        << response;
    EXPECT_EQ(response.header("Content-Type"), "application/json");
    EXPECT_EQ(response.header("X-RateLimit-Limit"), "10");
    EXPECT_EQ(response.header("X-RateLimit-Remaining"), "0");
    EXPECT_LE(std::abs(std::stoll("0" + response.header("X-RateLimit-Reset")) - reset), 2);
    EXPECT_EQ(response.header("Cache-Control"), "no-store");
  }
}

TEST_F(RateLimit, LimitIsOneForAllConnectionsAndCores) {
  const Credentials caller = make_caller();
  const std::string address = fresh_address();
  const std::string body = json_pair("userId", caller.user_id);
  int served = 0;
  int limited = 0;
  for (int time = 0; time < 30; ++time) {
    ApiClient client(server(), address);
    const int status = client.post(kCreateToken, body, &caller).status;
    served += status == 200;
    limited += status == 429;
  }
  EXPECT_EQ(served, 10);
  EXPECT_EQ(limited, 20);
}

TEST_F(RateLimit, EveryAddressHasItsOwnWindow) {
  const Credentials caller = make_caller();
  ApiClient first = fresh_client();
  ApiClient second = fresh_client();
  const std::string body = json_pair("userId", caller.user_id);
  for (int time = 0; time < 11; ++time) {
    static_cast<void>(first.post(kCreateToken, body, &caller));
  }
  EXPECT_EQ(first.post(kCreateToken, body, &caller).status, 429);
  EXPECT_EQ(second.post(kCreateToken, body, &caller).status, 200);
}

TEST_F(RateLimit, EveryRouteHasItsOwnWindow) {
  const Credentials caller = make_caller();
  ApiClient client = fresh_client();
  for (int time = 0; time < 10; ++time) {
    EXPECT_EQ(client.post(kCreateToken, "{}", &caller).status, 400);
  }
  EXPECT_EQ(client.post(kCreateToken, "{}", &caller).status, 429);
  const Response other = client.post("/api/v1/users.removeOtherTokens", "", &caller);
  EXPECT_EQ(other.status, 200);
  EXPECT_EQ(other.header("X-RateLimit-Remaining"), "9");
}

TEST_F(RateLimit, RefusalsCountBut401sDoNot) {
  const Credentials caller = make_caller();
  ApiClient client = fresh_client();
  const Credentials wrong{caller.user_id, std::string(43, 'A')};
  for (int time = 0; time < 20; ++time) {
    const Response response = client.post(kCreateToken, "{}", &wrong);
    EXPECT_TRUE(answers(response, 401, kMustBeLoggedIn));
    expect_no_limit_headers(response);
  }
  int remaining = 9;
  const std::vector<std::pair<std::string, int>> refusals = {
      {"{}", 400}, {"{", 400}, {json_pair("userId", "nobody"), 400}};
  for (const auto& [body, status] : refusals) {
    const Response response = client.post(kCreateToken, body, &caller);
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.header("X-RateLimit-Remaining"), std::to_string(remaining--));
  }
  const Response response = client.post(kCreateToken, "x", &caller, "text/plain");
  EXPECT_EQ(response.status, 415);
  EXPECT_EQ(response.header("X-RateLimit-Remaining"), std::to_string(remaining));
}

TEST_F(RateLimit, LimitComesBeforeTheBodyIsRead) {
  const Credentials caller = make_caller();
  ApiClient client = fresh_client();
  for (int time = 0; time < 10; ++time) {
    static_cast<void>(client.post(kCreateToken, "{}", &caller));
  }
  EXPECT_EQ(client.post(kCreateToken, "{", &caller).status, 429);
  EXPECT_EQ(client.post(kCreateToken, "x", &caller, "text/plain").status, 429);
}

TEST_F(RateLimit, BypassIsNotCountedAndHasNoHeaders) {
  ApiClient client = fresh_client();
  const std::string body = json_pair("userId", administrator().user_id);
  for (int time = 0; time < 15; ++time) {
    const Response response = client.post(kCreateToken, body, &administrator());
    EXPECT_TRUE(answers(response, 200, kIssued));
    expect_no_limit_headers(response);
  }
  const Credentials caller = make_caller();
  EXPECT_EQ(client.post(kCreateToken, json_pair("userId", caller.user_id), &caller)
                .header("X-RateLimit-Remaining"),
            "9");
}

TEST_F(RateLimit, LoginIsLimited) {
  ApiClient client = fresh_client();
  for (int remaining = 9; remaining >= 0; --remaining) {
    const Response response = client.post("/api/v1/login", R"({"user":"nobody","password":"x"})");
    EXPECT_TRUE(answers(response, 401, kUnauthorizedLogin));
    EXPECT_EQ(response.header("X-RateLimit-Remaining"), std::to_string(remaining));
  }
  EXPECT_EQ(client.post("/api/v1/login", "{}").status, 429);
}

TEST_F(RateLimit, GetsAndHealthAreNot) {
  const Credentials caller = make_caller();
  ApiClient client = fresh_client();
  for (int time = 0; time < 15; ++time) {
    for (const char* path : {"/api/v1/me", "/api/info", "/health"}) {
      const Response response = client.get(path, &caller);
      EXPECT_EQ(response.status, 200);
      expect_no_limit_headers(response);
    }
  }
}

TEST_F(RateLimit, ForwardingHeadersAreNotBelieved) {
  const Credentials caller = make_caller();
  ApiClient client = fresh_client();
  for (int time = 0; time < 12; ++time) {
    HeaderList headers = headers_of(caller);
    headers.emplace_back("X-Forwarded-For", "10.0.0." + std::to_string(time));
    headers.emplace_back("X-Real-IP", "10.0.1." + std::to_string(time));
    const Response response = client.call({.method = "POST",
                                           .target = kCreateToken,
                                           .headers = headers,
                                           .body = json_pair("userId", caller.user_id)});
    EXPECT_EQ(response.status, time < 10 ? 200 : 429);
  }
}

class RateLimitSettings : public LimitedSuite<RateLimitSettings> {
 public:
  static ServerSettings settings() {
    return {.flags = {},
            .environment = {{"API_Enable_Rate_Limiter", "true"},
                            {"API_Enable_Rate_Limiter_Limit_Calls_Default", "3"},
                            {"API_Enable_Rate_Limiter_Limit_Time_Default", "1500"}}};
  }
};

TEST_F(RateLimitSettings, WindowEndsAndASecondOneBegins) {
  const Credentials caller = make_caller();
  ApiClient client = fresh_client();
  const std::string body = json_pair("userId", caller.user_id);
  for (int round = 0; round < 2; ++round) {
    for (int remaining = 2; remaining >= 0; --remaining) {
      const Response response = client.post(kCreateToken, body, &caller);
      EXPECT_EQ(response.status, 200);
      EXPECT_EQ(response.header("X-RateLimit-Limit"), "3");
      EXPECT_EQ(response.header("X-RateLimit-Remaining"), std::to_string(remaining));
    }
    // Rounded up: what is left of 1.5 seconds.
    EXPECT_TRUE(answers(client.post(kCreateToken, body, &caller), 429, too_many("2")));
    std::this_thread::sleep_for(std::chrono::milliseconds(1'600));
  }
}

class RateLimitForwarded : public LimitedSuite<RateLimitForwarded> {
 public:
  static ServerSettings settings() {
    return {.flags = {},
            .environment = {{"API_Enable_Rate_Limiter", "true"}, {"HTTP_FORWARDED_COUNT", "2"}}};
  }

 protected:
  int status_of(const Credentials& caller, const HeaderList& more) {
    ApiClient client(server());
    HeaderList headers = headers_of(caller);
    headers.insert(headers.end(), more.begin(), more.end());
    return client
        .call({.method = "POST",
               .target = kCreateToken,
               .headers = headers,
               .body = json_pair("userId", caller.user_id)})
        .status;
  }
};

TEST_F(RateLimitForwarded, ClientIsTheNthFromTheRight) {
  const Credentials caller = make_caller();
  for (int time = 0; time < 12; ++time) {
    const std::string number = std::to_string(time);
    // The first is what the client claims, the last what the nearer proxy saw: both vary.
    EXPECT_EQ(status_of(caller, {{"X-Forwarded-For",
                                  "203.0.113." + number + ", 198.51.100.7, 10.0.0." + number}}),
              time < 10 ? 200 : 429);
  }
  EXPECT_EQ(status_of(caller, {{"X-Forwarded-For", "198.51.100.8, 10.0.0.1"}}), 200);
  EXPECT_EQ(status_of(caller, {{"X-Forwarded-For", "198.51.100.7,10.0.0.1"}}), 429);
}

}  // namespace
}  // namespace tokend::tests
