// The calls for personal access tokens, to the byte (contract section 3, 9.18).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "http/api/text.h"
#include "store/personal_token.h"
#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using testing::Reply;
using testing::text_after;
using testing::World;

constexpr std::string_view kGenerate = "/api/v1/users.generatePersonalAccessToken";
constexpr std::string_view kRegenerate = "/api/v1/users.regeneratePersonalAccessToken";
constexpr std::string_view kRemove = "/api/v1/users.removePersonalAccessToken";
constexpr std::string_view kList = "/api/v1/users.getPersonalAccessTokens";

std::string named(std::string_view name) {
  return R"({"tokenName":")" + std::string(name) + R"("})";
}

Credentials generate(World& world, const Credentials& caller, std::string_view body) {
  const Reply reply = world.post(kGenerate, caller, body);
  EXPECT_EQ(reply.status, 200) << reply.body;
  const std::string token = text_after(reply.body, R"("token":")");
  EXPECT_EQ(token.size(), 43U);
  EXPECT_EQ(reply.body, R"({"token":")" + token + R"(","success":true})");
  return {caller.user_id, token};
}

std::string error(std::string_view reason, std::string_view code, std::string_view method) {
  return R"({"success":false,"error":")" + std::string(reason) + " [" + std::string(code) +
         R"(]","errorType":")" + std::string(code) +
         R"(","details":{"method":"personalAccessTokens:)" + std::string(method) + R"("}})";
}

TEST(PersonalAccessTokens, AreListedInOrderOfIssue) {
  World world;
  const Credentials bob = world.new_user("bob");
  EXPECT_EQ(world.get(kList, bob).body, R"({"tokens":[],"success":true})");
  const Credentials first = generate(world, bob, named(R"(  the \"CI\" )"));
  world.clock.advance_ms(1500);
  const Credentials second =
      generate(world, bob, R"({"tokenName":"backup","bypassTwoFactor":true})");
  const Reply reply = world.get(kList, second);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"tokens":[{"name":"the \"CI\"","createdAt":"2025-10-09T08:53:20.000Z",)"
                        R"("lastTokenPart":")" +
                            first.token.substr(37) +
                            R"(","bypassTwoFactor":false},{"name":"backup",)"
                            R"("createdAt":"2025-10-09T08:53:21.500Z","lastTokenPart":")" +
                            second.token.substr(37) +
                            R"(","bypassTwoFactor":true}],"success":true})");
  EXPECT_EQ(world.get(kList, world.new_user("eve")).body, R"({"tokens":[],"success":true})");
}

TEST(PersonalAccessTokens, FormsAreRead) {
  World world;
  const Credentials bob = world.new_user("bob");
  EXPECT_EQ(
      world
          .post(kGenerate, bob.headers() + "Content-Type: application/x-www-form-urlencoded\r\n",
                "tokenName=a+b&bypassTwoFactor=true")
          .status,
      200);
  EXPECT_THAT(world.get(kList, bob).body, ::testing::HasSubstr(R"({"name":"a b",)"));
  EXPECT_THAT(world.get(kList, bob).body, ::testing::HasSubstr(R"("bypassTwoFactor":true)"));
}

TEST(PersonalAccessTokens, NeverExpireAndServeEveryCall) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials token = generate(world, bob, named("ci"));
  world.clock.advance_ms(10LL * 365 * 24 * 3600 * 1000);
  EXPECT_FALSE(world.is_logged_in(bob));
  EXPECT_TRUE(world.is_logged_in(token));
  EXPECT_EQ(world.post("/api/v1/users.createToken", token, R"({"userId":")" + bob.user_id + R"("})")
                .status,
            200);
  EXPECT_EQ(world.post("/api/v1/login", "", R"({"resume":")" + token.token + R"("})").status, 200);
  const Credentials more = generate(world, token, named("more"));
  EXPECT_EQ(world.post("/api/v1/logout", token, "").status, 200);
  EXPECT_FALSE(world.is_logged_in(token));
  EXPECT_THAT(world.get(kList, more).body, ::testing::Not(::testing::HasSubstr(R"("ci")")));
}

TEST(PersonalAccessTokens, SurviveLogoutOtherClientsAlsoWhenOneIsPresented) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials other = world.login("bob", "pw-bob");
  const Credentials first = generate(world, bob, named("first"));
  const Credentials second = generate(world, bob, named("second"));
  EXPECT_EQ(world.post("/api/v1/users.logoutOtherClients", bob, "").status, 200);
  EXPECT_TRUE(world.is_logged_in(first));
  EXPECT_FALSE(world.is_logged_in(other));
  const Reply reply = world.post("/api/v1/users.logoutOtherClients", first, "");
  EXPECT_EQ(reply.body, R"({"token":")" + first.token + R"(","tokenExpires":"","success":true})");
  EXPECT_FALSE(world.is_logged_in(bob));
  EXPECT_TRUE(world.is_logged_in(first));
  EXPECT_TRUE(world.is_logged_in(second));
}

TEST(PersonalAccessTokens, EndWithRemoveOtherTokensAndUsersLogout) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials first = generate(world, bob, named("first"));
  const Credentials second = generate(world, bob, named("second"));
  EXPECT_EQ(world.post("/api/v1/users.removeOtherTokens", first, "").status, 200);
  EXPECT_TRUE(world.is_logged_in(first));
  EXPECT_FALSE(world.is_logged_in(second));
  EXPECT_FALSE(world.is_logged_in(bob));
  EXPECT_EQ(world.post("/api/v1/users.logout", first, "").status, 200);
  EXPECT_FALSE(world.is_logged_in(first));
  EXPECT_EQ(world.get(kList, world.login("bob", "pw-bob")).body, R"({"tokens":[],"success":true})");
}

TEST(PersonalAccessTokens, ANameThatIsTakenIsRefusedToTheByte) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials token = generate(world, bob, named("ci"));
  const Reply reply = world.post(kGenerate, bob, named(" ci "));
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body, error("A token with this name already exists", "error-token-already-exists",
                              "generateToken"));
  EXPECT_TRUE(world.is_logged_in(token));
  generate(world, world.new_user("eve"), named("ci"));
}

TEST(PersonalAccessTokens, RegeneratingReplacesTheToken) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials old = generate(world, bob, R"({"tokenName":"ci","bypassTwoFactor":true})");
  const Reply reply = world.post(kRegenerate, bob, named("ci"));
  EXPECT_EQ(reply.status, 200);
  const std::string token = text_after(reply.body, R"("token":")");
  EXPECT_EQ(reply.body, R"({"token":")" + token + R"(","success":true})");
  EXPECT_FALSE(world.is_logged_in(old));
  EXPECT_TRUE(world.is_logged_in({bob.user_id, token}));
  EXPECT_EQ(world.get(kList, bob).body,
            R"({"tokens":[{"name":"ci","createdAt":"2025-10-09T08:53:20.000Z","lastTokenPart":")" +
                token.substr(37) + R"(","bypassTwoFactor":true}],"success":true})");
  const Reply unknown = world.post(kRegenerate, bob, named("CI"));
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(unknown.body,
            error("Token does not exist", "error-token-does-not-exists", "regenerateToken"));
}

TEST(PersonalAccessTokens, RemovingRevokes) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials token = generate(world, bob, named("ci"));
  const Reply reply = world.post(kRemove, bob, named("ci"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"success":true})");
  EXPECT_FALSE(world.is_logged_in(token));
  const Reply unknown = world.post(kRemove, bob, named("ci"));
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(unknown.body,
            error("Token does not exist", "error-token-does-not-exists", "removeToken"));
}

TEST(PersonalAccessTokens, WithoutThePermissionTheNameIsNotEvenLookedAt) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials token = generate(world, bob, named("ci"));
  EXPECT_EQ(world
                .post("/api/v1/permissions.update", world.admin(),
                      R"({"permissions":[{"_id":"create-personal-access-tokens",)"
                      R"("roles":["admin"]}]})")
                .status,
            200);
  for (const auto& [path, method] :
       {std::pair(kGenerate, "generateToken"), std::pair(kRegenerate, "regenerateToken"),
        std::pair(kRemove, "removeToken")}) {
    for (const std::string& body : {named("ci"), std::string("{}")}) {
      const Reply reply = world.post(path, bob, body);
      EXPECT_EQ(reply.status, 400) << path;
      EXPECT_EQ(reply.body, error("Not Authorized", "not-authorized", method)) << path;
    }
    EXPECT_EQ(world.post(path, "", named("ci")).status, 401) << path;
  }
  const Reply list = world.get(kList, bob);
  EXPECT_EQ(list.status, 403);
  EXPECT_EQ(list.body, kForbidden.body);
  EXPECT_TRUE(world.is_logged_in(token)) << "the permission is for managing them";
}

TEST(PersonalAccessTokens, MissingAndOverlongNamesAreRefused) {
  World world;
  const Credentials bob = world.new_user("bob");
  for (const std::string_view path : {kGenerate, kRegenerate, kRemove}) {
    for (const char* body : {"", "{}", R"({"tokenName":" "})", R"({"tokenName":5})"}) {
      const Reply reply = world.post(path, bob, body);
      EXPECT_EQ(reply.status, 400);
      EXPECT_EQ(reply.body, R"({"success":false,"error":"The 'tokenName' param is required )"
                            R"([error-invalid-params]","errorType":"error-invalid-params"})");
    }
    const Reply reply =
        world.post(path, bob, named(std::string(store::kPersonalTokenNameBytesMax + 1, 'x')));
    EXPECT_EQ(reply.status, 400);
    EXPECT_THAT(reply.body, ::testing::HasSubstr("param is too long [error-invalid-params]"));
  }
  generate(world, bob, named(std::string(store::kPersonalTokenNameBytesMax, 'x')));
  EXPECT_EQ(world.post(kGenerate, bob, R"({"tokenName":"a","bypassTwoFactor":"yes"})").status, 400);
}

TEST(PersonalAccessTokens, OneMoreThanTheLimitIsRefused) {
  World world(testing::default_options(), {.personal_tokens_per_user_max = 2});
  const Credentials bob = world.new_user("bob");
  generate(world, bob, named("one"));
  generate(world, bob, named("two"));
  const Reply reply = world.post(kGenerate, bob, named("three"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body, error("There are too many personal access tokens", "error-too-many-tokens",
                              "generateToken"));
  EXPECT_EQ(world.post(kRegenerate, bob, named("two")).status, 200);
}

}  // namespace
}  // namespace tokend::api
