// POST users.revokeTokens.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "http/api/text.h"
#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using ::testing::HasSubstr;
using testing::Reply;
using testing::text_after;
using testing::World;

constexpr std::string_view kRevoke = "/api/v1/users.revokeTokens";
constexpr std::string_view kDone = R"({"success":true})";
constexpr std::string_view kBoundMissing =
    R"({"success":false,"error":"At least one of the params \"issuerId\" and \"before\" is )"
    R"(required, as text, and no other is known [error-invalid-params]",)"
    R"("errorType":"error-invalid-params"})";
constexpr std::string_view kBeforeInvalid =
    R"({"success":false,"error":"The param \"before\" must be a moment that has passed, as in )"
    R"(\"2026-01-31T23:59:59.999Z\" [error-invalid-params]","errorType":"error-invalid-params"})";

Credentials issue(World& world, const Credentials& issuer, const std::string& user) {
  const Reply reply =
      world.post("/api/v1/users.createToken", issuer, R"({"userId":")" + user + R"("})");
  return {user, text_after(reply.body, R"("authToken":")")};
}

std::string of(const std::string& issuer) { return R"({"issuerId":")" + issuer + R"("})"; }

TEST(UsersRevokeTokens, OfAnIssuerEndsWhatItIssued) {
  World world;
  const Credentials bob = world.new_user("bob", R"(,"roles":["admin"])");
  const Credentials ann = world.new_user("ann");
  const Credentials by_bob = issue(world, bob, ann.user_id);
  const Credentials by_admin = issue(world, world.admin(), ann.user_id);
  const Reply reply = world.post(kRevoke, world.admin(), of(bob.user_id));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, kDone);
  EXPECT_FALSE(world.is_logged_in(by_bob));
  EXPECT_TRUE(world.is_logged_in(by_admin));
  EXPECT_TRUE(world.is_logged_in(bob));
  EXPECT_TRUE(world.is_logged_in(ann));
  EXPECT_TRUE(world.is_logged_in(issue(world, bob, ann.user_id)));
  EXPECT_TRUE(
      world.log.has("changed /api/v1/users.revokeTokens: all that the target issued; "
                    "caller=" +
                    world.admin_id + " target=" + bob.user_id));
}

TEST(UsersRevokeTokens, BeforeAMomentEndsEverybodysAndTheCallersToo) {
  World world;
  const Credentials admin = world.admin();
  const Credentials ann = world.new_user("ann");
  world.clock.advance_ms(1'000);
  const Credentials young = issue(world, admin, ann.user_id);
  const Reply reply = world.post(kRevoke, admin, R"({"before":"2025-10-09T08:53:21Z"})");
  EXPECT_EQ(reply.body, kDone);
  EXPECT_FALSE(world.is_logged_in(ann));
  EXPECT_FALSE(world.is_logged_in(admin));
  EXPECT_TRUE(world.is_logged_in(young));
  EXPECT_TRUE(world.log.has("all tokens before 2025-10-09T08:53:21.000Z"));
}

TEST(UsersRevokeTokens, NowIsAllOfThemAlsoWhenTheClockWasSetBack) {
  World world;
  const Credentials ann = world.new_user("ann");
  world.clock.turn.wall_ms -= 3'600'000;
  const Credentials since = issue(world, world.admin(), ann.user_id);
  const std::string now(view_of(iso_time(world.clock.turn.wall_ms)));
  world.clock.advance_ms(500);  // on the way here
  EXPECT_EQ(world.post(kRevoke, world.admin(), R"({"before":")" + now + R"("})").body, kDone);
  for (const Credentials& each : {ann, since, world.admin()})
    EXPECT_FALSE(world.is_logged_in(each));
}

TEST(UsersRevokeTokens, AMomentOfTheFutureMustBeSomeTokens) {
  World world;
  const Credentials ann = world.new_user("ann");
  world.clock.turn.wall_ms -= 3'600'000;
  const Reply beyond =
      world.post(kRevoke, world.admin(), R"({"before":"2025-10-09T08:53:20.002Z"})");
  EXPECT_EQ(beyond.status, 400);
  EXPECT_EQ(beyond.body, kBeforeInvalid);
  EXPECT_TRUE(world.is_logged_in(ann));
  EXPECT_EQ(world.post(kRevoke, world.admin(), R"({"before":"2025-10-09T08:53:20.001Z"})").body,
            kDone);
  EXPECT_FALSE(world.is_logged_in(ann));
}

// Whoever was let in by a token that ended before the committer came to the request.
TEST(UsersRevokeTokens, IssuingByATokenThatEndedMeanwhileIsNotLoggedIn) {
  struct Issuing {
    std::string path, body, end;
  };
  for (const auto& [path, body, end] :
       {Issuing{"/api/v1/users.createToken", R"({"userId":")", R"("})"},
        Issuing{"/api/v1/users.createTokens", R"({"userIds":[")", R"("]})"},
        Issuing{"/api/v1/users.generatePersonalAccessToken", R"({"tokenName":")", R"("})"}}) {
    World world;
    const Credentials admin = world.admin();
    struct Revocation : store::RevokeTokens {
      void on_done() noexcept { done = true; }
      bool done = false;
    } revocation;
    revocation.before_ms = world.clock.turn.wall_ms + 1;
    revocation.then<&Revocation::on_done>(revocation);
    world.store->write(revocation);
    const Reply reply = world.post(path, admin, body + admin.user_id + end);
    EXPECT_TRUE(revocation.done && revocation.result);
    EXPECT_EQ(reply.status, 401) << path;
    EXPECT_THAT(reply.body, HasSubstr("You must be logged in to do this.")) << path;
    EXPECT_TRUE(world.log.has("the caller's token was revoked meanwhile"));
  }
}

TEST(UsersRevokeTokens, BothTogetherMeanThatIssuersBeforeThen) {
  World world;
  const Credentials ann = world.new_user("ann");
  const Credentials old = issue(world, world.admin(), ann.user_id);
  world.clock.advance_ms(1'000);
  const Credentials young = issue(world, world.admin(), ann.user_id);
  const Reply reply = world.post(
      kRevoke, world.admin(),
      R"({"issuerId":")" + world.admin_id + R"(","before":"2025-10-09T10:53:21+02:00"})");
  EXPECT_EQ(reply.body, kDone);
  EXPECT_FALSE(world.is_logged_in(old));
  EXPECT_TRUE(world.is_logged_in(young));
  EXPECT_TRUE(world.is_logged_in(ann));
}

TEST(UsersRevokeTokens, WorksByFormToo) {
  World world;
  const Credentials ann = world.new_user("ann");
  const Credentials issued = issue(world, world.admin(), ann.user_id);
  const Reply reply = world.post(
      kRevoke, world.admin().headers() + "Content-Type: application/x-www-form-urlencoded\r\n",
      "issuerId=" + world.admin_id);
  EXPECT_EQ(reply.body, kDone);
  EXPECT_FALSE(world.is_logged_in(issued));
}

TEST(UsersRevokeTokens, OfAnIssuerWhoIsDeletedOrNeverWasIsASuccess) {
  World world;
  const Credentials bob = world.new_user("bob", R"(,"roles":["admin"])");
  const Credentials ann = world.new_user("ann");
  const Credentials by_bob = issue(world, bob, ann.user_id);
  ASSERT_EQ(
      world.post("/api/v1/users.delete", world.admin(), R"({"userId":")" + bob.user_id + R"("})")
          .status,
      200);
  EXPECT_TRUE(world.is_logged_in(by_bob));
  EXPECT_EQ(world.post(kRevoke, world.admin(), of(bob.user_id)).body, kDone);
  EXPECT_FALSE(world.is_logged_in(by_bob));
  EXPECT_EQ(world.post(kRevoke, world.admin(), of("nobody")).body, kDone);
}

TEST(UsersRevokeTokens, AMisspeltBoundDoesNotBecomeNone) {
  World world;
  const Credentials ann = world.new_user("ann");
  world.clock.advance_ms(1'000);
  for (const std::string body :
       {R"({})", R"({"issuer":"x","before":"2025-10-09T08:53:21Z"})",
        R"({"issuerId":5,"before":"2025-10-09T08:53:21Z"})",
        R"({"issuerId":" ","before":"2025-10-09T08:53:21Z"})",
        R"({"issuerId":null,"before":"2025-10-09T08:53:21Z"})", R"({"before":1760000000000})",
        R"({"issuerId":"x","befor":"2025-10-09T08:53:21Z"})"}) {
    const Reply reply = world.post(kRevoke, world.admin(), body);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body, kBoundMissing) << body;
  }
  for (const std::string moment :
       {"2025-10-09", "now", "2025-10-09T08:53:21.001Z", "9999-01-01T00:00:00Z"}) {
    const Reply reply = world.post(kRevoke, world.admin(), R"({"before":")" + moment + R"("})");
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body, kBeforeInvalid) << moment;
  }
  const Reply too_long = world.post(kRevoke, world.admin(), of(std::string(32, 'x')));
  EXPECT_EQ(too_long.status, 400);
  EXPECT_THAT(too_long.body, HasSubstr("error-invalid-user"));
  EXPECT_TRUE(world.is_logged_in(ann));
}

TEST(UsersRevokeTokens, DemandsThePermission) {
  World world;
  const Credentials ann = world.new_user("ann");
  const Reply refused = world.post(kRevoke, ann, of(ann.user_id));
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("error-unauthorized"));
  EXPECT_EQ(world.post(kRevoke, "", of(ann.user_id)).status, 401);
  const Reply granted =
      world.post("/api/v1/permissions.update", world.admin(),
                 R"({"permissions":[{"_id":"revoke-tokens-in-bulk","roles":["bot"]}]})");
  ASSERT_EQ(granted.status, 200);
  EXPECT_EQ(
      world.post(kRevoke, world.new_user("bot", R"(,"roles":["bot"])"), of(ann.user_id)).status,
      200);
  EXPECT_EQ(world.post(kRevoke, world.admin(), of(ann.user_id)).status, 403);
}

TEST(UsersRevokeTokens, WhatEndedIsNotActiveAndOpensNothing) {
  World world;
  const Credentials ann = world.new_user("ann");
  const Credentials issued = issue(world, world.admin(), ann.user_id);
  ASSERT_EQ(world.post(kRevoke, world.admin(), of(world.admin_id)).body, kDone);
  EXPECT_EQ(
      world
          .post("/oauth2/introspect",
                world.admin().headers() + "Content-Type: application/x-www-form-urlencoded\r\n",
                "token=" + issued.token)
          .body,
      R"({"active":false})");
  EXPECT_EQ(world.post("/api/v1/login", "", R"({"resume":")" + issued.token + R"("})").status, 401);
  EXPECT_EQ(
      world.post("/api/v1/users.revokeToken", ann, R"({"token":")" + issued.token + R"("})").body,
      kDone);
  EXPECT_THAT(world.get("/api/v1/users.listTokens", ann).body, HasSubstr(R"("total":1)"));
}

}  // namespace
}  // namespace tokend::api
