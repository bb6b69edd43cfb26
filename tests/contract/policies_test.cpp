// What bounds an issuer: policies.list, policies.update, and what users.createToken makes of them
// on every core and after a crash.

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

constexpr int kConnections = 24;
constexpr const char* kList = "/api/v1/policies.list";
constexpr const char* kUpdate = "/api/v1/policies.update";
constexpr const char* kTooMany =
    R"({"success":false,"error":"Error, too many requests. Please slow down. You must wait <int> )"
    R"(seconds before trying this endpoint again. [error-too-many-requests]"})";

class Policies : public ServerSuite<Policies> {
 public:
  static ServerSettings settings() { return {.flags = {"--cores", "2"}}; }

 protected:
  void SetUp() override {
    ServerSuite<Policies>::SetUp();
    ASSERT_EQ(client()
                  .post("/api/v1/permissions.update",
                        R"({"permissions":[{"_id":"user-generate-access-token",)"
                        R"("roles":["admin","bot"]}]})",
                        &admin())
                  .status,
              200);
    bot_ = log_in(make_user(R"(,"roles":["bot"])"));
    target_ = make_user();
  }
  void TearDown() override {
    ApiClient fresh(server());  // a test may have killed the server
    const Credentials again = fresh.login_admin();
    EXPECT_EQ(fresh.post(kUpdate, R"({"policies":[{"_id":"bot"}]})", &again).status, 200);
    ServerSuite<Policies>::TearDown();
  }
  Response set(const std::string& policy, const Credentials& caller) {
    return client().post(kUpdate, R"({"policies":[)" + policy + "]}", &caller);
  }
  void set(const std::string& policy) { ASSERT_EQ(set(policy, admin()).status, 200); }

  // The kernel spreads connections over the cores' listeners.
  void expect_on_every_core(const std::string& body, int status, const std::string& pattern) {
    for (int count = 0; count < kConnections; ++count) {
      ApiClient fresh(server());
      EXPECT_TRUE(answers(fresh.post(kCreateToken, body, &bot_), status, pattern));
    }
  }

  Credentials bot_;
  Person target_;
};

TEST_F(Policies, AnswerToTheByteAndNeedThePermission) {
  constexpr const char* kShown =
      R"({"policies":[{"_id":"bot","_updatedAt":"<time>","targetRoles":["user"],)"
      R"("excludeAdmins":true,"lifetimeMax":3600,"rateLimit":{"tokens":100,"window":60}}],)"
      R"("success":true})";
  const std::string policy =
      R"({"_id":"bot","targetRoles":["user"],"excludeAdmins":true,"lifetimeMax":"1h",)"
      R"("rateLimit":{"tokens":100,"window":"1m"}})";
  EXPECT_TRUE(answers(client().get(kList, &admin()), 200, R"({"policies":[],"success":true})"));
  EXPECT_TRUE(answers(set(policy, bot_), 403, kForbidden));
  EXPECT_TRUE(answers(client().get(kList, &bot_), 403, kForbidden));
  EXPECT_TRUE(answers(client().get(kList), 401, kMustBeLoggedIn));
  EXPECT_TRUE(answers(set(policy, admin()), 200, kShown));
  EXPECT_TRUE(answers(client().get(kList, &admin()), 200, kShown));
  EXPECT_TRUE(
      answers(set(R"({"_id":"bot","excludeAdmin":true})", admin()), 400,
              R"({"success":false,"error":"The policy of bot has a member that is unknown <any> )"
              R"([error-invalid-policy]","errorType":"error-invalid-policy"})"));
  EXPECT_TRUE(answers(client().get(kList, &admin()), 200, kShown));
}

TEST_F(Policies, BindOnEveryCoreAtOnceAndThroughACrash) {
  const Person other = make_user(R"(,"roles":["user","guest"])");
  const std::string id = json_pair("userId", other.id);
  const std::string name = json_pair("username", other.username);
  expect_on_every_core(id, 200, kIssued);
  set(R"({"_id":"bot","targetRoles":["user"]})");
  expect_on_every_core(id, 400, kNotAuthorized);
  expect_on_every_core(name, 400, kNotAuthorized);
  expect_on_every_core(json_pair("userId", target_.id), 200, kIssued);
  server().kill();
  ASSERT_TRUE(server().start()) << server().report();
  expect_on_every_core(id, 400, kNotAuthorized);
  expect_on_every_core(name, 400, kNotAuthorized);
  ApiClient fresh(server());
  const Credentials again = fresh.login_admin();
  EXPECT_EQ(fresh.post(kUpdate, R"({"policies":[{"_id":"bot"}]})", &again).status, 200);
  expect_on_every_core(id, 200, kIssued);
  server().kill();
  ASSERT_TRUE(server().start()) << server().report();
  expect_on_every_core(id, 200, kIssued);
}

TEST_F(Policies, ATargetThatBecomesAnAdminIsExcludedAtOnce) {
  set(R"({"_id":"bot","excludeAdmins":true})");
  const std::string body = json_pair("userId", target_.id);
  expect_on_every_core(body, 200, kIssued);
  ASSERT_EQ(client()
                .post("/api/v1/roles.addUserToRole",
                      R"({"roleId":"admin","username":")" + target_.username + "\"}", &admin())
                .status,
            200);
  expect_on_every_core(body, 400, kNotAuthorized);
  expect_on_every_core(json_pair("username", target_.username), 400, kNotAuthorized);
  EXPECT_TRUE(answers(create_token(body, &admin()), 200, kIssued));
}

TEST_F(Policies, LifetimesAreBounded) {
  set(R"({"_id":"bot","lifetimeMax":2})");
  const std::string user = R"({"userId":")" + target_.id + "\"";
  expect_on_every_core(
      user + R"(,"lifetime":3})", 400,
      R"({"success":false,"error":"The 'lifetime' param must be <any> at most 2 seconds )"
      R"([error-invalid-lifetime]","errorType":"error-invalid-lifetime"})");
  const Credentials token = client().issue(bot_, target_.id);
  EXPECT_TRUE(client().authenticates(token));
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  EXPECT_FALSE(client().authenticates(token));
}

// The cores share the count: many connections at once get what one would have got.
TEST_F(Policies, TheRateIsExactAcrossCores) {
  constexpr int kTokens = 37;
  constexpr int kThreads = 6;
  constexpr int kEach = 20;
  set(R"({"_id":"bot","rateLimit":{"tokens":37,"window":"1h"}})");
  const std::string body = json_pair("userId", target_.id);
  std::atomic<int> issued = 0;
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int number = 0; number < kThreads; ++number) {
      threads.emplace_back([&] {
        for (int time = 0; time < kEach; ++time) {
          ApiClient fresh(server());
          const Response response = fresh.post(kCreateToken, body, &bot_);
          issued += response.status == 200;
          refused += static_cast<bool>(answers(response, 429, kTooMany));
        }
      });
    }
  }
  EXPECT_EQ(issued, kTokens);
  EXPECT_EQ(refused, kThreads * kEach - kTokens);
  EXPECT_TRUE(answers(create_token(body, &admin()), 200, kIssued));
}

}  // namespace
}  // namespace tokend::tests
