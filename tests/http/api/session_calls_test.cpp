#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "http/api/text.h"
#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using testing::Reply;
using testing::text_after;
using testing::World;

constexpr std::string_view kUnauthorizedBody =
    R"({"success":false,"error":"Unauthorized","status":"error","message":"Unauthorized"})";

// The `me` object of bob without its closing brace.
std::string me_of_bob(const std::string& id) {
  return R"({"_id":")" + id +
         R"(","name":"Name of bob","emails":[{"address":"bob@example.org","verified":false}],)"
         R"("status":"online","statusConnection":"online","username":"bob","utcOffset":0,)"
         R"("active":true,"roles":["user"],"settings":{"profile":{},"preferences":{}},)"
         R"("avatarUrl":"/avatar/bob","email":"bob@example.org")";
}

TEST(Login, TheAnswerIsTheOriginalsToTheByte) {
  World world;
  const std::string id = world.create_user("bob");
  const Reply reply = world.post("/api/v1/login", "", R"({"user":"bob","password":"pw-bob"})");
  EXPECT_EQ(reply.status, 200);
  const std::string token = text_after(reply.body, R"("authToken":")");
  EXPECT_EQ(token.size(), 43U);
  EXPECT_EQ(reply.body, R"({"status":"success","data":{"userId":")" + id + R"(","authToken":")" +
                            token + R"(","me":)" + me_of_bob(id) + R"(}},"success":true})");
  EXPECT_EQ(reply.header("Content-Type"), "application/json");
  EXPECT_TRUE(world.is_logged_in({id, token}));
}

TEST(Login, EveryFormIsServed) {
  World world;
  world.create_user("Bob");
  const std::string digest = sha256_hex("pw-Bob");
  for (const std::string& body :
       {std::string(R"({"user":"Bob","password":"pw-Bob"})"),
        std::string(R"({"user":" bOB ","password":"pw-Bob"})"),
        std::string(R"({"username":"bob","password":"pw-Bob"})"),
        std::string(R"({"user":"BOB@example.ORG","password":"pw-Bob"})"),
        std::string(R"({"email":"bob@example.org","password":"pw-Bob"})"),
        std::string(R"({"user":{"username":"bob"},"password":"pw-Bob"})"),
        std::string(R"({"user":{"email":"bob@example.org"},"password":"pw-Bob"})"),
        R"({"user":"bob","password":{"digest":")" + digest + R"(","algorithm":"sha-256"}})"}) {
    const Reply reply = world.post("/api/v1/login", "Content-Type: application/json\r\n", body);
    EXPECT_EQ(reply.status, 200) << body << reply.body;
  }
  for (const char* form : {"user=bob&password=pw-Bob", "username=Bob&password=pw%2DBob",
                           "email=bob%40example.org&password=pw-Bob"}) {
    EXPECT_EQ(
        world.post("/api/v1/login", "Content-Type: application/x-www-form-urlencoded\r\n", form)
            .status,
        200)
        << form;
  }
}

TEST(Login, FailuresOfEveryKindLookTheSame) {
  World world;
  world.create_user("bob");
  world.create_user("idle", R"(,"active":false)");
  for (const char* body :
       {R"({"user":"bob","password":"wrong"})", R"({"user":"bob","password":""})",
        R"({"user":"nobody","password":"pw-bob"})", R"({"user":"idle","password":"wrong"})",
        R"({"user":"bob@example.com","password":"pw-bob"})",
        R"({"username":"bob@example.org","password":"pw-bob"})",
        R"({"user":"bob","password":{"digest":"pw-bob","algorithm":"sha-256"}})",
        R"({"user":"bob","password":" pw-bob"})", R"({"resume":"undefined"})",
        R"({"resume":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})"}) {
    const Reply reply = world.post("/api/v1/login", "", body);
    EXPECT_EQ(reply.status, 401) << body;
    EXPECT_EQ(reply.body, kUnauthorizedBody) << body;
  }
}

TEST(Login, AnUnknownUserCostsAComparisonToo) {
  World world;
  world.send(
      "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 32\r\n\r\n"
      R"({"user":"nobody","password":"x"})");
  EXPECT_TRUE(world.transport->output().empty());
  EXPECT_EQ(world.workers.jobs.size(), 1U);
  world.run();
  EXPECT_EQ(world.take_reply().status, 401);
}

TEST(Login, ADeactivatedUserIsToldSoAfterTheRightPasswordOnly) {
  World world;
  world.create_user("idle", R"(,"active":false)");
  const Reply reply = world.post("/api/v1/login", "", R"({"user":"idle","password":"pw-idle"})");
  EXPECT_EQ(reply.status, 401);
  EXPECT_EQ(reply.body,
            R"({"success":false,"error":"error-user-is-not-activated","status":"error",)"
            R"("message":"User is not activated"})");
}

// The old password was right when it was compared, and the token that it would have given is one of
// those that the change has ended.
TEST(Login, APasswordChangeOvertakesALoginThatIsUnderWay) {
  World world;
  const Credentials bob = world.new_user("bob");
  const std::string body = R"({"user":"bob","password":"pw-bob"})";
  world.send("POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n\r\n" + body);
  ASSERT_EQ(world.workers.jobs.size(), 1U) << "it is being compared";
  struct Change : store::UpdateUser {
    void on_done() noexcept { done = true; }
    bool done = false;
  } change;
  change.id = store::UserId(bob.user_id);
  change.password_hash = "another";
  change.revoke_tokens = true;
  change.then<&Change::on_done>(change);
  world.store->write(change);
  world.run();
  EXPECT_TRUE(change.done && change.result);
  const Reply reply = world.take_reply();
  EXPECT_EQ(reply.status, 401);
  EXPECT_EQ(reply.body, world.post("/api/v1/login", "", body).body) << "as any wrong password";
  EXPECT_FALSE(world.is_logged_in(bob));
}

TEST(Login, MissingFieldsAreInvalidParams) {
  World world;
  for (const char* body :
       {"", "{}", R"({"user":"bob"})", R"({"password":"x"})", R"({"user":"","password":"x"})",
        R"({"user":5,"password":"x"})", R"({"user":"bob","password":5})",
        R"({"user":{},"password":"x"})", R"({"user":"bob","password":{"digest":"x"}})",
        R"({"user":"bob","password":{"digest":"x","algorithm":"md5"}})", R"({"resume":""})"}) {
    const Reply reply = world.post("/api/v1/login", "", body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(text_after(reply.body, R"("errorType":")"), "error-invalid-params") << body;
  }
}

TEST(Login, ResumeReturnsThePresentedToken) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Reply reply = world.post("/api/v1/login", "", R"({"resume":")" + bob.token + R"("})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"status":"success","data":{"userId":")" + bob.user_id +
                            R"(","authToken":")" + bob.token + R"(","me":)" +
                            me_of_bob(bob.user_id) + R"(}},"success":true})");
}

TEST(Me, TheAnswerIsTheOriginalsToTheByte) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Reply reply = world.get("/api/v1/me?ignored=%zz", bob);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, me_of_bob(bob.user_id) + R"(,"success":true})");
  // As some clients send it.
  EXPECT_EQ(world
                .get("/api/v1/me",
                     bob.headers() + "Content-Type: application/json\r\nContent-Length: 0\r\n")
                .status,
            200);
  EXPECT_EQ(world.get("/api/v1/me").status, 401);
}

TEST(Me, AnExpiredTokenIsRefused) {
  World world;
  const Credentials bob = world.new_user("bob");
  world.clock.advance_ms(90LL * 24 * 3600 * 1000 - 1);
  EXPECT_TRUE(world.is_logged_in(bob));
  world.clock.advance_ms(1);
  EXPECT_FALSE(world.is_logged_in(bob));
}

TEST(Logout, RevokesThePresentedTokenOnlyByPostAndByGet) {
  World world;
  const Credentials first = world.new_user("bob");
  const Credentials second = world.login("bob", "pw-bob");
  const Credentials third = world.login("bob", "pw-bob");
  const Reply reply = world.post("/api/v1/logout", first, "");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"status":"success","data":{"message":"You've been logged out!"}})");
  EXPECT_FALSE(world.is_logged_in(first));
  EXPECT_TRUE(world.is_logged_in(second));
  EXPECT_EQ(world.get("/api/v1/logout", second).body, reply.body);
  EXPECT_FALSE(world.is_logged_in(second));
  EXPECT_TRUE(world.is_logged_in(third));
  EXPECT_EQ(world.post("/api/v1/logout", first, "").status, 401);
}

TEST(UsersLogout, RevokesEveryTokenOfOneself) {
  World world;
  const Credentials first = world.new_user("bob");
  const Credentials second = world.login("bob", "pw-bob");
  const Reply reply = world.post("/api/v1/users.logout", first, "");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            R"({"message":"User )" + first.user_id + R"( has been logged out!","success":true})");
  EXPECT_FALSE(world.is_logged_in(first));
  EXPECT_FALSE(world.is_logged_in(second));
  EXPECT_TRUE(world.is_logged_in(world.login("bob", "pw-bob")));
}

TEST(UsersLogout, AnotherNeedsThePermission) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Reply refused =
      world.post("/api/v1/users.logout", bob, R"({"userId":")" + world.admin_id + R"("})");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body, kForbidden.body);
  EXPECT_EQ(world.post("/api/v1/users.logout", bob, R"({"userId":"nobody"})").status, 403);
  EXPECT_TRUE(world.is_logged_in(world.admin()));

  const Reply reply =
      world.post("/api/v1/users.logout", world.admin(), R"({"userId":")" + bob.user_id + R"("})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_FALSE(world.is_logged_in(bob));
  for (const char* id : {"nobody", "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"}) {
    const Reply unknown = world.post("/api/v1/users.logout", world.admin(),
                                     R"({"userId":")" + std::string(id) + R"("})");
    EXPECT_EQ(unknown.status, 400);
    EXPECT_EQ(unknown.body, kInvalidUser.body);
  }
}

TEST(LogoutOtherClients, AnswersWithThePresentedTokenAndItsOwnExpiry) {
  World world;
  const Credentials first = world.new_user("bob");
  world.clock.advance_ms(60'000);
  const Credentials second = world.login("bob", "pw-bob");
  const Credentials others = world.new_user("eve");
  const Reply reply = world.post("/api/v1/users.logoutOtherClients", first, "");
  EXPECT_EQ(reply.status, 200);
  // 90 days after the first login: its lifetime goes on, it does not start again.
  EXPECT_EQ(reply.body, R"({"token":")" + first.token +
                            R"(","tokenExpires":"2026-01-07T08:53:20.000Z","success":true})");
  EXPECT_TRUE(world.is_logged_in(first));
  EXPECT_FALSE(world.is_logged_in(second));
  EXPECT_TRUE(world.is_logged_in(others));
  EXPECT_TRUE(world.is_logged_in(world.login("bob", "pw-bob")));
  EXPECT_EQ(world.post("/api/v1/users.logoutOtherClients", second, "").status, 401);
}

TEST(RemoveOtherTokens, KeepsThePresentedToken) {
  World world;
  const Credentials first = world.new_user("bob");
  const Credentials second = world.login("bob", "pw-bob");
  const Reply reply = world.post("/api/v1/users.removeOtherTokens", first, "");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"success":true})");
  EXPECT_TRUE(world.is_logged_in(first));
  EXPECT_FALSE(world.is_logged_in(second));
}

}  // namespace
}  // namespace tokend::api
