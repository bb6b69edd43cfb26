// POST /oauth2/introspect and its batch form (RFC 7662), with RFC 6749's errors.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using ::testing::HasSubstr;
using testing::Reply;
using testing::text_after;
using testing::World;

constexpr std::string_view kIntrospect = "/oauth2/introspect";
constexpr std::string_view kBatch = "/oauth2/introspect/batch";
constexpr std::string_view kForm = "Content-Type: application/x-www-form-urlencoded\r\n";
constexpr std::string_view kInactive = R"({"active":false})";
// The clock of a World starts here.
constexpr std::int64_t kIssuedSeconds = 1'760'000'000;
constexpr std::int64_t kLifetimeSeconds = 90 * 86'400;

std::string active(const Credentials& who, std::string_view username, bool expires = true) {
  std::string body = R"({"active":true,"sub":")" + who.user_id + R"(","username":")" +
                     std::string(username) + R"(","token_type":"Bearer","jti":"<id>","iat":)" +
                     std::to_string(kIssuedSeconds);
  if (expires) body += R"(,"exp":)" + std::to_string(kIssuedSeconds + kLifetimeSeconds);
  return body + "}";
}

// With <id> for the public id of each token; those are the business of UsersListTokens.
std::string without_ids(std::string body) {
  constexpr std::string_view kMember = R"("jti":")";
  for (std::size_t at = 0; (at = body.find(kMember, at)) != std::string::npos;) {
    at += kMember.size();
    const std::size_t length = body.find('"', at) - at;
    EXPECT_EQ(length, store::kTokenIdCharacters);
    body.replace(at, length, "<id>");
  }
  return body;
}

std::string invalid_request(std::string_view why) {
  return R"({"error":"invalid_request","error_description":")" + std::string(why) + R"("})";
}

Reply ask(World& world, const Credentials& caller, std::string_view form) {
  Reply reply = world.post(kIntrospect, caller.headers() + std::string(kForm), form);
  reply.body = without_ids(std::move(reply.body));
  return reply;
}
Reply ask_about(World& world, const Credentials& caller, std::string_view token) {
  return ask(world, caller, "token=" + std::string(token));
}

std::string request_of(std::string_view path, const Credentials& caller, std::string_view type,
                       const std::string& body) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + caller.headers() +
         std::string(type) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string list_of(const std::vector<std::string>& tokens) {
  std::string body = R"({"tokens":[)";
  for (const std::string& token : tokens) body += '"' + token + "\",";
  if (body.back() == ',') body.pop_back();
  return body + "]}";
}

// The core's caches have these users no more, nor has the database's memory anything.
void forget(World& world, const std::vector<std::string>& usernames) {
  const Credentials admin = world.admin();
  for (const std::string& name : usernames) {
    EXPECT_EQ(world
                  .post("/api/v1/roles.addUserToRole", admin,
                        R"({"roleId":"bot","username":")" + name + R"("})")
                  .status,
              200);
  }
  EXPECT_TRUE(world.is_logged_in(admin));
  world.database.memory_knows = [](store::Family, std::string_view) { return false; };
}

void expect_challenge(const Reply& reply, std::string_view error) {
  EXPECT_EQ(
      reply.header("WWW-Authenticate"),
      R"(Bearer realm="tokend")" + (error.empty() ? "" : ", error=\"" + std::string(error) + '"'));
}

TEST(Introspect, TellsOfAValidToken) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Reply reply = ask_about(world, world.admin(), bob.token);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, active(bob, "bob"));
  EXPECT_EQ(reply.header("Content-Type"), "application/json");
  EXPECT_EQ(reply.header("Cache-Control"), "no-store");
  EXPECT_EQ(reply.header("Pragma"), "no-cache");
}

TEST(Introspect, APersonalTokenHasNoExpiry) {
  World world;
  Credentials bob = world.new_user("bob");
  bob.token = text_after(
      world.post("/api/v1/users.generatePersonalAccessToken", bob, R"({"tokenName":"ci"})").body,
      R"("token":")");
  EXPECT_EQ(ask_about(world, world.admin(), bob.token).body, active(bob, "bob", false));
}

TEST(Introspect, EverythingThatIsNotValidIsInactive) {
  World world;
  const Credentials bob = world.new_user("bob");
  std::string changed = bob.token;
  changed[20] = changed[20] == 'a' ? 'b' : 'a';
  for (const std::string& token :
       {changed, bob.token + "a", bob.token.substr(1), std::string("x"), std::string("%00%FF+x"),
        std::string(43, 'A'), std::string(5000, 'z')}) {
    const Reply reply = ask_about(world, world.admin(), token);
    // %FF alone is not UTF-8.
    if (token.starts_with('%')) {
      EXPECT_EQ(reply.status, 400);
      EXPECT_EQ(reply.body, invalid_request("The body cannot be read"));
    } else {
      EXPECT_EQ(reply.status, 200);
      EXPECT_EQ(reply.body, kInactive) << token;
    }
  }
  EXPECT_EQ(ask_about(world, world.admin(), bob.token).body, active(bob, "bob"));
  world.post("/api/v1/logout", bob, "");
  const Reply gone = ask_about(world, world.admin(), bob.token);
  EXPECT_EQ(gone.status, 200);
  EXPECT_EQ(gone.body, kInactive);
}

TEST(Introspect, ADeactivatedHolderAndAnExpiredTokenAreInactive) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials eve = world.new_user("eve");
  world.post("/api/v1/users.setActiveStatus", world.admin(),
             R"({"userId":")" + bob.user_id + R"(","activeStatus":false})");
  EXPECT_EQ(ask_about(world, world.admin(), bob.token).body, kInactive);
  world.clock.advance_ms(kLifetimeSeconds * 1000 - 1);
  const Credentials fresh = world.login("admin", World::kAdminPassword);
  EXPECT_EQ(ask_about(world, fresh, eve.token).body, active(eve, "eve"));
  world.clock.advance_ms(1);
  EXPECT_EQ(ask_about(world, fresh, eve.token).body, kInactive);
}

TEST(Introspect, AHintOfAnyKindChangesNothing) {
  World world;
  const Credentials bob = world.new_user("bob");
  for (const std::string hint : {"access_token", "refresh_token", "nonsense", ""}) {
    EXPECT_EQ(ask(world, world.admin(), "token_type_hint=" + hint + "&token=" + bob.token).body,
              active(bob, "bob"));
  }
}

TEST(Introspect, MalformedRequestsAreToldSo) {
  World world;
  const Credentials& admin = world.admin();
  const auto refused = [](const Reply& reply, std::string_view why) {
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body, invalid_request(why));
    EXPECT_EQ(reply.header("Cache-Control"), "no-store");
  };
  for (const std::string_view form : {"", "token", "token=", "Token=x", "token_type_hint=x"}) {
    refused(ask(world, admin, form), "The parameter 'token' is required");
  }
  for (const std::string_view form :
       {"token=x&token=x", "token=x&token_type_hint=a&token_type_hint=a"}) {
    refused(ask(world, admin, form), "A parameter is repeated");
  }
  refused(ask(world, admin, "token=%zz"), "The body cannot be read");
  const std::string json = R"({"token":"x"})";
  refused(world.post(kIntrospect, admin, json),
          "The body must be application/x-www-form-urlencoded");
  refused(world.post(kIntrospect, admin.headers() + "Content-Type: text/plain\r\n", "token=x"),
          "The body cannot be read");
}

TEST(Introspect, TheCallerShowsATokenOfItsOwnInEitherForm) {
  World world;
  const Credentials bob = world.new_user("bob");
  const std::string form = "token=" + bob.token;
  const auto with = [&](const std::string& headers) {
    Reply reply = world.post(kIntrospect, headers + std::string(kForm), form);
    reply.body = without_ids(std::move(reply.body));
    return reply;
  };
  const std::string bearer = "Authorization: Bearer " + world.admin().token + "\r\n";
  EXPECT_EQ(with(bearer).body, active(bob, "bob"));

  for (const std::string& headers : {std::string(), std::string("Authorization: Basic YTpi\r\n"),
                                     bearer + world.admin().headers(), bearer + bearer}) {
    const Reply reply = with(headers);
    EXPECT_EQ(reply.status, 401);
    EXPECT_THAT(reply.body, HasSubstr(R"({"error":"invalid_client",)"));
    EXPECT_EQ(reply.header("Content-Type"), "application/json");
    expect_challenge(reply, "");
  }
  for (const std::string& headers : {"Authorization: Bearer " + std::string(43, 'A') + "\r\n",
                                     Credentials{bob.user_id, world.admin().token}.headers()}) {
    const Reply reply = with(headers);
    EXPECT_EQ(reply.status, 401);
    EXPECT_THAT(reply.body, HasSubstr(R"({"error":"invalid_client",)"));
    expect_challenge(reply, "invalid_token");
  }
}

TEST(Introspect, DemandsThePermissionEvenForOnesOwnToken) {
  World world;
  const Credentials bob = world.new_user("bob", R"(,"roles":["bot"])");
  const auto expect_refused = [](const Reply& reply) {
    EXPECT_EQ(reply.status, 403);
    EXPECT_THAT(reply.body, HasSubstr(R"({"error":"insufficient_scope",)"));
    EXPECT_EQ(reply.header("Cache-Control"), "no-store");
    expect_challenge(reply, "insufficient_scope");
  };
  expect_refused(ask_about(world, bob, bob.token));
  expect_refused(world.post(kBatch, bob, list_of({bob.token})));
  EXPECT_TRUE(world.log.has("refused /oauth2/introspect: no permission"));
  EXPECT_FALSE(world.log.has(bob.token));
  world.post("/api/v1/permissions.update", world.admin(),
             R"({"permissions":[{"_id":"introspect-tokens","roles":["bot"]}]})");
  EXPECT_EQ(ask_about(world, bob, bob.token).body, active(bob, "bob"));
  expect_refused(ask_about(world, world.admin(), bob.token));
}

TEST(Introspect, IsNotRateLimited) {
  store::CommitterOptions options = testing::default_committer_options();
  options.settings.rate_limiter = true;
  options.settings.rate_limiter_calls_max = 2;
  World world(testing::default_options(), options);
  const Credentials bob = world.login("admin", World::kAdminPassword);
  // Not even for those who are limited elsewhere.
  world.post("/api/v1/permissions.update", bob,
             R"({"permissions":[{"_id":"api-bypass-rate-limit","roles":[]}]})");
  for (int call = 0; call < 5; ++call) {
    const Reply reply = ask_about(world, bob, bob.token);
    EXPECT_EQ(reply.status, 200);
    EXPECT_FALSE(reply.header("X-RateLimit-Limit"));
  }
}

TEST(Introspect, AsksTheDiskWhenMemoryDoesNotKnow) {
  World world;
  const Credentials bob = world.new_user("bob");
  forget(world, {"bob"});
  world.send(request_of(kIntrospect, world.admin(), kForm, "token=" + bob.token));
  EXPECT_EQ(world.workers.jobs.size(), 1U);
  world.run();
  EXPECT_EQ(without_ids(world.take_reply().body), active(bob, "bob"));
}

TEST(Introspect, WhatMemoryKnowsIsAnsweredAtOnceAndSendsNoMessage) {
  World world;
  const Credentials bob = world.new_user("bob");
  const std::string form = "token=" + bob.token;
  const std::string json = list_of({bob.token, world.admin().token, "x"});
  world.run();
  for (const std::string& bytes : {request_of(kIntrospect, world.admin(), kForm, form),
                                   request_of(kBatch, world.admin(), "", json)}) {
    world.send(bytes);
    EXPECT_EQ(world.take_reply().status, 200);
    EXPECT_FALSE(world.committer->step());
    EXPECT_TRUE(world.workers.jobs.empty());
  }
}

TEST(Introspect, OtherMethodsAreNotServed) {
  World world;
  const Reply reply = world.get(std::string(kIntrospect) + "?token=x", world.admin());
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.header("Allow"), "POST, OPTIONS");
}

TEST(IntrospectBatch, AnswersEachInOrder) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials eve = world.new_user("eve");
  world.post("/api/v1/logout", eve, "");
  const Reply reply =
      world.post(kBatch, world.admin(),
                 list_of({bob.token, "x", eve.token, "", world.admin().token, bob.token}));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("Cache-Control"), "no-store");
  const std::string inactive(kInactive);
  EXPECT_EQ(without_ids(reply.body),
            R"({"results":[)" + active(bob, "bob") + "," + inactive + "," + inactive + "," +
                inactive + "," + active(world.admin(), "admin") + "," + active(bob, "bob") + "]}");
  EXPECT_EQ(world.post(kBatch, world.admin(), R"({"tokens":[]})").body, R"({"results":[]})");
}

TEST(IntrospectBatch, TakesAHundredTokensAndNoMore) {
  World world;
  const Credentials bob = world.new_user("bob");
  std::vector<std::string> tokens(100, bob.token);
  const Reply reply = world.post(kBatch, world.admin(), list_of(tokens));
  EXPECT_EQ(reply.status, 200);
  std::string all = R"({"results":[)";
  for (std::size_t count = 0; count < tokens.size(); ++count) all += active(bob, "bob") + ",";
  all.back() = ']';
  EXPECT_EQ(without_ids(reply.body), all + "}");
  tokens.emplace_back("x");
  const Reply refused = world.post(kBatch, world.admin(), list_of(tokens));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body, invalid_request("At most 100 tokens at once"));
}

TEST(IntrospectBatch, MalformedRequestsAreToldSo) {
  World world;
  for (const std::string_view body :
       {"", "{}", R"({"tokens":"x"})", R"({"tokens":{}})", R"({"tokens":["x",1]})",
        R"({"tokens":[null]})", R"({"tokens":[["x"]]})"}) {
    const Reply reply = world.post(kBatch, world.admin(), body);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body, invalid_request("The member 'tokens' must be an array of strings"));
  }
  const Reply form = world.post(kBatch, world.admin().headers() + std::string(kForm), "tokens=x");
  EXPECT_EQ(form.body, invalid_request("The member 'tokens' must be an array of strings"));
  const Reply unreadable = world.post(kBatch, world.admin(), R"({"tokens":[)");
  EXPECT_EQ(unreadable.status, 400);
  EXPECT_EQ(unreadable.body, invalid_request("The body cannot be read"));
}

TEST(IntrospectBatch, GoesOnFromWorkerToWorker) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials eve = world.new_user("eve");
  forget(world, {"bob", "eve"});
  world.send(
      request_of(kBatch, world.admin(), "", list_of({bob.token, "x", eve.token, bob.token})));
  // One after the other.
  for (int trip = 0; trip < 2; ++trip) {
    EXPECT_EQ(world.workers.jobs.size(), 1U);
    world.workers.run_all();
    world.deliver_home();
  }
  EXPECT_EQ(without_ids(world.take_reply().body),
            R"({"results":[)" + active(bob, "bob") + "," + std::string(kInactive) + "," +
                active(eve, "eve") + "," + active(bob, "bob") + "]}");
}

TEST(IntrospectBatch, AFullQueueIsToldInRfc6749sForm) {
  World world;
  const Credentials bob = world.new_user("bob");
  forget(world, {"bob"});
  world.workers.full = true;
  for (const Reply& reply : {ask_about(world, world.admin(), bob.token),
                             world.post(kBatch, world.admin(), list_of({bob.token}))}) {
    EXPECT_EQ(reply.status, 503);
    EXPECT_EQ(reply.body, R"({"error":"temporarily_unavailable"})");
    EXPECT_EQ(reply.header("Retry-After"), "1");
    EXPECT_EQ(reply.header("Cache-Control"), "no-store");
  }
}

}  // namespace
}  // namespace tokend::api
