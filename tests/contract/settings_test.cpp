// settings/:_id: the original's calls, and what the server makes of what was set.

#include <gmock/gmock.h>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;

constexpr const char* kCalls = "API_Enable_Rate_Limiter_Limit_Calls_Default";
constexpr const char* kSuccess = R"({"success":true})";

// What the operator gave is not changed, so this server is given little.
class SettingsCalls : public ServerSuite<SettingsCalls> {
 public:
  static ServerSettings settings() {
    return {.flags = {"--rate-limiter-window", "90s"},
            .environment = {{"ADMIN_USERNAME", kAdminUsername},
                            {"ADMIN_PASS", kAdminPassword},
                            {"ADMIN_EMAIL", kAdminEmail},
                            {"CREATE_TOKENS_FOR_USERS", "true"}},
            .default_environment = false};
  }

 protected:
  static std::string path_of(const std::string& id) { return "/api/v1/settings/" + id; }
  Response change(const std::string& id, const std::string& value, const Credentials& caller) {
    return client().post(path_of(id), R"({"value":)" + value + "}", &caller);
  }
  Response change(const std::string& id, const std::string& value) {
    return change(id, value, admin());
  }
  static std::string shown(const std::string& id, const std::string& value) {
    return R"({"_id":")" + id + R"(","value":)" + value + R"(,"success":true})";
  }
};

TEST_F(SettingsCalls, AnswerToTheByte) {
  for (const auto& [id, value] : std::vector<std::pair<std::string, std::string>>{
           {"API_Enable_CORS", "false"},
           {"API_CORS_Origin", R"("*")"},
           {"API_Enable_Rate_Limiter", "true"},
           {"API_Enable_Rate_Limiter_Limit_Time_Default", "90000"}}) {
    const Response response = client().get(path_of(id), &admin());
    EXPECT_TRUE(answers(response, 200, shown(id, value)));
    EXPECT_EQ(response.header("Content-Type"), "application/json");
  }
  EXPECT_TRUE(answers(change("Accounts_LoginExpiration", "30"), 200, kSuccess));
  EXPECT_TRUE(answers(client().get(path_of("Accounts_LoginExpiration"), &admin()), 200,
                      shown("Accounts_LoginExpiration", "30")));
}

TEST_F(SettingsCalls, RefuseWhatTheyMust) {
  const Credentials outsider = log_in(make_user());
  EXPECT_TRUE(answers(client().get(path_of(kCalls)), 401, kMustBeLoggedIn));
  EXPECT_TRUE(answers(client().get(path_of(kCalls), &outsider), 403, kForbidden));
  EXPECT_TRUE(answers(change(kCalls, "3", outsider), 403, kForbidden));
  for (const Response& response :
       {client().get(path_of("nothing"), &admin()), change("nothing", "3")}) {
    EXPECT_TRUE(answers(response, 400,
                        R"({"success":false,"error":"The setting does not exist )"
                        R"([error-invalid-setting]","errorType":"error-invalid-setting"})"));
  }
  EXPECT_TRUE(answers(change(kCalls, "\"3\""), 400,
                      R"({"success":false,"error":"The value of <text> must be a whole number )"
                      R"(from 1 to <int> [error-invalid-setting-value]",)"
                      R"("errorType":"error-invalid-setting-value"})"));
  EXPECT_EQ(client().get("/api/v1/settings/", &admin()).status, 404);
  EXPECT_EQ(client().call({.method = "DELETE", .target = path_of(kCalls)}).status, 405);
}

TEST_F(SettingsCalls, WhatTheOperatorGaveIsNotChanged) {
  const std::string id = "API_Enable_Rate_Limiter_Limit_Time_Default";
  EXPECT_TRUE(
      answers(change(id, "1000"), 400,
              R"({"success":false,"error":"Editing settings is not allowed: the server )"
              R"(was started with )" +
                  id + R"( [error-action-not-allowed]","errorType":"error-action-not-allowed"})"));
  EXPECT_TRUE(answers(client().get(path_of(id), &admin()), 200, shown(id, "90000")));
}

// Every core has its own copy; new connections come to other cores.
TEST_F(SettingsCalls, CountOnEveryCoreAtOnceAndLastThroughACrash) {
  constexpr int kConnections = 20;
  const Credentials caller = log_in(make_user());
  const auto limits = [&](const std::string& expected) {
    for (int time = 0; time < kConnections; ++time) {
      ApiClient fresh(server());
      EXPECT_EQ(
          fresh.post("/api/v1/users.removeOtherTokens", "", &caller).header("X-RateLimit-Limit"),
          expected);
    }
  };
  limits("10");
  EXPECT_TRUE(answers(change(kCalls, "1234"), 200, kSuccess));
  limits("1234");
  server().kill();
  ASSERT_TRUE(server().start()) << server().report();
  limits("1234");
  const std::string line = std::string("as stored: ") + kCalls;
  EXPECT_THAT(server().log_with(line), HasSubstr(line));
  ApiClient fresh(server());
  const Credentials again = fresh.login_admin();
  EXPECT_TRUE(answers(fresh.post(path_of("API_Enable_Rate_Limiter"), R"({"value":false})", &again),
                      200, kSuccess));
  limits("");
}

TEST_F(SettingsCalls, TheLifetimeIsThatOfTokensFromThenOn) {
  const Credentials before = log_in(make_user());
  ASSERT_EQ(change("Accounts_LoginExpiration", "2").status, 200);
  const auto expiry_of = [&](const Credentials& caller) {
    return string_field(client().post("/api/v1/users.logoutOtherClients", "", &caller).body,
                        "tokenExpires");
  };
  const std::string short_lived = expiry_of(log_in(make_user()));
  EXPECT_EQ(short_lived.size(), 24U);
  EXPECT_LT(short_lived, expiry_of(before));
}

}  // namespace
}  // namespace tokend::tests
