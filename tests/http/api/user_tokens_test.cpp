// GET users.listTokens and POST users.revokeToken.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Reply;
using testing::text_after;
using testing::World;

constexpr std::string_view kList = "/api/v1/users.listTokens";
constexpr std::string_view kRevoke = "/api/v1/users.revokeToken";
constexpr std::string_view kDone = R"({"success":true})";
constexpr std::string_view kForbiddenBody =
    R"({"success":false,"error":"User does not have the permissions required for this action )"
    R"([error-unauthorized]"})";
constexpr std::string_view kUnknownUserBody =
    R"({"success":false,"error":"The required \"userId\" or \"username\" param provided does not )"
    R"(match any users [error-invalid-user]","errorType":"error-invalid-user"})";
constexpr std::string_view kNotNamedBody =
    R"({"success":false,"error":"Either the \"tokenId\" or the \"token\" param is required )"
    R"([error-invalid-params]","errorType":"error-invalid-params"})";

std::string pair_of(std::string_view key, std::string_view value) {
  return R"({")" + std::string(key) + R"(":")" + std::string(value) + R"("})";
}

// The public ids of a list's answer, in order.
std::vector<std::string> ids_of(std::string_view body) {
  std::vector<std::string> ids;
  constexpr std::string_view kId = R"({"id":")";
  for (std::size_t at = 0; (at = body.find(kId, at)) != std::string_view::npos; ++at) {
    ids.emplace_back(body.substr(at + kId.size(), store::kTokenIdCharacters));
  }
  return ids;
}
std::vector<std::string> listed(World& world, const Credentials& who) {
  return ids_of(world.get(kList, who).body);
}
Credentials issued_for(World& world, const std::string& id) {
  const Reply reply = world.post("/api/v1/users.createToken", world.admin(), pair_of("userId", id));
  return {id, text_after(reply.body, R"("authToken":")")};
}
Credentials personal(World& world, const Credentials& who, std::string_view name) {
  const Reply reply =
      world.post("/api/v1/users.generatePersonalAccessToken", who, pair_of("tokenName", name));
  return {who.user_id, text_after(reply.body, R"("token":")")};
}

TEST(UsersListTokens, TellsOfEachToken) {
  World world;
  const Credentials bob = world.new_user("bob");
  world.clock.advance_ms(1'500);
  static_cast<void>(world.post("/api/v1/users.createToken", world.admin(),
                               R"({"username":"bob","lifetime":"15m"})"));
  world.clock.advance_ms(1'000);
  const Credentials ci = personal(world, bob, "the \\\"CI\\\"");
  const Reply reply = world.get(kList, bob);
  EXPECT_EQ(reply.status, 200);
  const std::vector<std::string> ids = ids_of(reply.body);
  ASSERT_EQ(ids.size(), 3U);
  EXPECT_EQ(
      reply.body,
      R"({"tokens":[{"id":")" + ids[0] +
          R"(","kind":"login","createdAt":"2025-10-09T08:53:20.000Z",)"
          R"("expiresAt":"2026-01-07T08:53:20.000Z","issuer":")" +
          bob.user_id + R"(","current":true},{"id":")" + ids[1] +
          R"(","kind":"issued","createdAt":"2025-10-09T08:53:21.500Z",)"
          R"("expiresAt":"2025-10-09T09:08:21.500Z","issuer":")" +
          world.admin_id + R"(","current":false},{"id":")" + ids[2] +
          R"(","kind":"personal","name":"the \"CI\"","lastTokenPart":")" + ci.token.substr(37) +
          R"(","createdAt":"2025-10-09T08:53:22.500Z","expiresAt":null,"issuer":")" + bob.user_id +
          R"(","current":false}],"count":3,"offset":0,"total":3,"success":true})");
  // Shown to another of one's tokens it is the same, but for which is the current one.
  const Reply again = world.get(kList, ci);
  EXPECT_EQ(ids_of(again.body), ids);
  EXPECT_THAT(again.body, HasSubstr(R"("current":true}],"count":3)"));
  EXPECT_THAT(again.body, Not(HasSubstr(bob.token)));
}

TEST(UsersListTokens, IntrospectionCallsATokenByTheSameId) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Reply reply =
      world.post("/oauth2/introspect",
                 world.admin().headers() + "Content-Type: application/x-www-form-urlencoded\r\n",
                 "token=" + bob.token);
  EXPECT_EQ(listed(world, bob), std::vector<std::string>{text_after(reply.body, R"("jti":")")});
}

TEST(UsersListTokens, ComesInPages) {
  World world;
  const std::string id = world.create_user("bob");
  std::vector<Credentials> tokens;
  for (int count = 0; count < 5; ++count) tokens.push_back(issued_for(world, id));
  const std::vector<std::string> all = listed(world, tokens[0]);
  ASSERT_EQ(all.size(), 5U);
  const auto page = [&](std::string_view query) {
    return world.get(std::string(kList) + std::string(query), tokens[0]);
  };
  const Reply middle = page("?count=2&offset=1");
  EXPECT_EQ(ids_of(middle.body), (std::vector<std::string>{all[1], all[2]}));
  EXPECT_THAT(middle.body, HasSubstr(R"(],"count":2,"offset":1,"total":5,"success":true})"));
  EXPECT_EQ(page("?offset=9").body,
            R"({"tokens":[],"count":0,"offset":9,"total":5,"success":true})");
  EXPECT_EQ(ids_of(page("?count=0").body), all);
  EXPECT_EQ(page("?count=x").status, 400);
  EXPECT_EQ(page("?offset=-1").status, 400);
  EXPECT_EQ(page("?count=%zz").status, 400);
}

TEST(UsersListTokens, APageHasAtMostAHundred) {
  store::CommitterOptions committer;
  committer.tokens_per_user_max = 150;
  World world(testing::default_options(), committer);
  const std::string id = world.create_user("bob");
  for (int count = 0; count < 120; ++count) issued_for(world, id);
  const Reply reply = world.get(std::string(kList) + "?count=120&userId=" + id, world.admin());
  EXPECT_EQ(ids_of(reply.body).size(), 100U);
  EXPECT_THAT(reply.body, HasSubstr(R"(],"count":100,"offset":0,"total":120,)"));
}

TEST(UsersListTokens, OthersTokensDemandThePermission) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials eve = world.new_user("eve");
  const auto of = [&](const std::string& id, const Credentials& caller) {
    return world.get(std::string(kList) + "?userId=" + id, caller);
  };
  EXPECT_EQ(ids_of(of(bob.user_id, world.admin()).body), listed(world, bob));
  EXPECT_EQ(ids_of(of(bob.user_id, bob).body), listed(world, bob));
  // Whether or not there is such a user.
  for (const std::string& id : {bob.user_id, std::string("nobody"), std::string(40, 'x')}) {
    const Reply refused = of(id, eve);
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.body, kForbiddenBody);
  }
  for (const std::string& id : {std::string("nobody"), std::string(40, 'x')}) {
    const Reply unknown = of(id, world.admin());
    EXPECT_EQ(unknown.status, 400);
    EXPECT_EQ(unknown.body, kUnknownUserBody);
  }
}

TEST(UsersRevokeToken, EndsOneOfOnesOwnByIdOrByItself) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials first = issued_for(world, bob.user_id);
  const Credentials second = issued_for(world, bob.user_id);
  const std::vector<std::string> ids = listed(world, bob);
  ASSERT_EQ(ids.size(), 3U);
  EXPECT_TRUE(world.is_logged_in(first));
  const Reply by_id = world.post(kRevoke, bob, pair_of("tokenId", ids[1]));
  EXPECT_EQ(by_id.status, 200);
  EXPECT_EQ(by_id.body, kDone);
  EXPECT_FALSE(world.is_logged_in(first));
  EXPECT_TRUE(world.is_logged_in(second));
  const Reply by_itself =
      world.post(kRevoke, bob.headers() + "Content-Type: application/x-www-form-urlencoded\r\n",
                 "token=" + second.token);
  EXPECT_EQ(by_itself.body, kDone);
  EXPECT_FALSE(world.is_logged_in(second));
  EXPECT_EQ(listed(world, bob), std::vector<std::string>{ids[0]});
  // The presented one as well.
  EXPECT_EQ(world.post(kRevoke, bob, pair_of("tokenId", ids[0])).body, kDone);
  EXPECT_FALSE(world.is_logged_in(bob));
}

TEST(UsersRevokeToken, WhatIsNotValidIsASuccessAndChangesNothing) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials gone = issued_for(world, bob.user_id);
  const std::string id = listed(world, bob)[1];
  const std::size_t before = world.database.size(store::Family::tokens);
  ASSERT_EQ(world.post(kRevoke, bob, pair_of("tokenId", id)).body, kDone);
  for (const std::string& body : {pair_of("tokenId", id), pair_of("token", gone.token),
                                  pair_of("tokenId", "x"), pair_of("tokenId", std::string(32, '0')),
                                  pair_of("token", "x"), pair_of("token", std::string(43, 'A'))}) {
    const Reply reply = world.post(kRevoke, bob, body);
    EXPECT_EQ(reply.status, 200) << body;
    EXPECT_EQ(reply.body, kDone) << body;
  }
  EXPECT_TRUE(world.is_logged_in(bob));
  EXPECT_EQ(world.database.size(store::Family::tokens), before - 1);
}

TEST(UsersRevokeToken, ExactlyOneNameIsWanted) {
  World world;
  const Credentials bob = world.new_user("bob");
  for (const std::string_view body : {"", "{}", R"({"tokenId":5})", R"({"token":" "})",
                                      R"({"tokenId":"x","token":"y"})", R"({"id":"x"})"}) {
    const Reply reply = world.post(kRevoke, bob, body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.body, kNotNamedBody) << body;
  }
}

TEST(UsersRevokeToken, AnothersDemandsThePermission) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials eve = world.new_user("eve");
  const std::string id = listed(world, bob)[0];
  for (const std::string& body : {pair_of("tokenId", id), pair_of("token", bob.token)}) {
    const Reply refused = world.post(kRevoke, eve, body);
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.body, kForbiddenBody);
    EXPECT_TRUE(world.is_logged_in(bob));
  }
  EXPECT_FALSE(world.log.has(bob.token));
  EXPECT_EQ(world.post(kRevoke, world.admin(), pair_of("tokenId", id)).body, kDone);
  EXPECT_FALSE(world.is_logged_in(bob));
  const Credentials again = issued_for(world, bob.user_id);
  EXPECT_EQ(world.post(kRevoke, world.admin(), pair_of("token", again.token)).body, kDone);
  EXPECT_FALSE(world.is_logged_in(again));
}

TEST(UsersRevokeToken, APersonalOneFreesItsName) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials ci = personal(world, bob, "ci");
  const Credentials other = personal(world, bob, "other");
  ASSERT_EQ(world.post(kRevoke, bob, pair_of("tokenId", listed(world, bob)[1])).body, kDone);
  EXPECT_FALSE(world.is_logged_in(ci));
  EXPECT_TRUE(world.is_logged_in(other));
  const std::string list = world.get("/api/v1/users.getPersonalAccessTokens", bob).body;
  EXPECT_THAT(list, Not(HasSubstr(R"("name":"ci")")));
  EXPECT_THAT(list, HasSubstr(R"("name":"other")"));
  EXPECT_TRUE(world.is_logged_in(personal(world, bob, "ci")));
}

TEST(UsersRevokeToken, AnsweredFromTheDiskItIsTheSame) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials token = issued_for(world, bob.user_id);
  world.database.memory_knows = [](store::Family, std::string_view) { return false; };
  world.post("/api/v1/roles.addUserToRole", world.admin(), R"({"roleId":"bot","username":"bob"})");
  EXPECT_EQ(world.post(kRevoke, bob, pair_of("token", token.token)).body, kDone);
  EXPECT_FALSE(world.is_logged_in(token));
  EXPECT_TRUE(world.is_logged_in(bob));
}

TEST(UsersRevokeToken, AfterAFailedSyncItSaysThatItCouldNot) {
  World world;
  const Credentials bob = world.new_user("bob");
  const std::string id = listed(world, bob)[0];
  world.database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  EXPECT_EQ(world.post(kRevoke, bob, pair_of("tokenId", id)).status, 503);
  EXPECT_EQ(world.get(kList, bob).status, 503);
}

}  // namespace
}  // namespace tokend::api
