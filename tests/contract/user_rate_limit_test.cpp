// --rate-limiter-key: a user's own windows, beside or instead of its address's.

#include <gmock/gmock.h>

#include "tests/contract/limited_suite.h"

namespace tokend::tests {
namespace {

ServerSettings settings_of(const std::string& key) {
  return {.flags = {"--rate-limiter-key", key, "--rate-limiter-user-calls", "3",
                    "--rate-limiter-user-window", "90s"},
          .environment = {{"API_Enable_Rate_Limiter", "true"}}};
}

class RateLimitByUser : public LimitedSuite<RateLimitByUser> {
 public:
  static ServerSettings settings() { return settings_of("user"); }
};

TEST_F(RateLimitByUser, UsersBehindOneAddressDoNotDisturbEachOther) {
  ApiClient shared = fresh_client();
  // More calls than the address would have.
  for (int user = 0; user < 5; ++user) {
    const Credentials caller = make_caller();
    const std::string body = json_pair("userId", caller.user_id);
    for (int remaining = 2; remaining >= 0; --remaining) {
      const Response response = shared.post(kCreateToken, body, &caller);
      EXPECT_TRUE(answers(response, 200, kIssued));
      EXPECT_EQ(response.header("X-RateLimit-Limit"), "3");
      EXPECT_EQ(response.header("X-RateLimit-Remaining"), std::to_string(remaining));
    }
    const Response response = shared.post(kCreateToken, body, &caller);
    EXPECT_TRUE(answers(response, 429, too_many("90")) || answers(response, 429, too_many("89")))
        << response;
    EXPECT_EQ(response.header("X-RateLimit-Limit"), "3");
    EXPECT_EQ(response.header("X-RateLimit-Remaining"), "0");
    EXPECT_EQ(response.count("X-RateLimit-Reset"), 1U);
    // The windows are each route's.
    EXPECT_EQ(
        shared.post("/api/v1/users.removeOtherTokens", "", &caller).header("X-RateLimit-Remaining"),
        "2");
  }
}

TEST_F(RateLimitByUser, AUserHasOneWindowOverAllAddressesAndCores) {
  const Credentials caller = make_caller();
  const std::string body = json_pair("userId", caller.user_id);
  int served = 0;
  int limited = 0;
  for (int time = 0; time < 30; ++time) {
    ApiClient client = fresh_client();
    const int status = client.post(kCreateToken, body, &caller).status;
    served += status == 200;
    limited += status == 429;
  }
  EXPECT_EQ(served, 3);
  EXPECT_EQ(limited, 27);
}

TEST_F(RateLimitByUser, BypassIsNotCountedAndHasNoHeaders) {
  ApiClient client = fresh_client();
  const std::string body = json_pair("userId", administrator().user_id);
  for (int time = 0; time < 12; ++time) {
    const Response response = client.post(kCreateToken, body, &administrator());
    EXPECT_TRUE(answers(response, 200, kIssued));
    expect_no_limit_headers(response);
  }
}

TEST_F(RateLimitByUser, WhoIsNotLoggedInIsCountedByItsAddress) {
  ApiClient client = fresh_client();
  for (int remaining = 9; remaining >= 0; --remaining) {
    const Response response = client.post("/api/v1/login", R"({"user":"nobody","password":"x"})");
    EXPECT_TRUE(answers(response, 401, kUnauthorizedLogin));
    EXPECT_EQ(response.header("X-RateLimit-Limit"), "10");
    EXPECT_EQ(response.header("X-RateLimit-Remaining"), std::to_string(remaining));
  }
  EXPECT_EQ(client.post("/api/v1/login", "{}").status, 429);
}

class RateLimitByBoth : public LimitedSuite<RateLimitByBoth> {
 public:
  static ServerSettings settings() { return settings_of("both"); }
};

TEST_F(RateLimitByBoth, ACallNeedsRoomInBothAndTheHeadersTellOfWhatIsSpentFirst) {
  ApiClient shared = fresh_client();
  int of_address = 10;
  for (int user = 0; user < 3; ++user) {
    const Credentials caller = make_caller();
    for (int of_user = 3; of_user > 0; --of_user, --of_address) {
      const Response response = shared.post(kCreateToken, "{}", &caller);
      EXPECT_EQ(response.status, 400);
      const bool user_first = of_user < of_address;
      EXPECT_EQ(response.header("X-RateLimit-Limit"), user_first ? "3" : "10");
      EXPECT_EQ(response.header("X-RateLimit-Remaining"),
                std::to_string((user_first ? of_user : of_address) - 1));
    }
    // Takes nothing from the address.
    const Response response = shared.post(kCreateToken, "{}", &caller);
    EXPECT_EQ(response.status, 429);
    EXPECT_EQ(response.header("X-RateLimit-Limit"), "3");
  }
  const Credentials last = make_caller();
  EXPECT_EQ(shared.post(kCreateToken, "{}", &last).status, 400);
  const Response spent = shared.post(kCreateToken, "{}", &last);
  EXPECT_TRUE(answers(spent, 429, too_many("60")) || answers(spent, 429, too_many("59"))) << spent;
  EXPECT_EQ(spent.header("X-RateLimit-Limit"), "10");
  ApiClient elsewhere = fresh_client();
  EXPECT_EQ(elsewhere.post(kCreateToken, "{}", &last).status, 400);
}

}  // namespace
}  // namespace tokend::tests
