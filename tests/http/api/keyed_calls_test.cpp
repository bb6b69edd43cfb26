// users.createToken and users.createTokens with an Idempotency-Key.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "http/api/issuing_call.h"
#include "store/idempotency.h"
#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using testing::default_committer_options;
using testing::default_options;
using ::testing::HasSubstr;
using testing::Reply;
using testing::text_after;
using testing::World;

constexpr std::string_view kOne = "/api/v1/users.createToken";
constexpr std::string_view kMany = "/api/v1/users.createTokens";
constexpr std::string_view kInvalidBody =
    R"({"success":false,"error":"The \"Idempotency-Key\" header must be one text of 1 to 255 )"
    R"(visible ASCII characters [error-invalid-idempotency-key]",)"
    R"("errorType":"error-invalid-idempotency-key"})";
constexpr std::string_view kReusedBody =
    R"({"success":false,"error":"The \"Idempotency-Key\" was used for another request )"
    R"([error-idempotency-key-reused]","errorType":"error-idempotency-key-reused"})";
constexpr std::string_view kNotAuthorizedBody =
    R"({"success":false,"error":"Not authorized [error-not-authorized]",)"
    R"("errorType":"error-not-authorized"})";

std::string with_key(const Credentials& who, std::string_view key) {
  return who.headers() + "Idempotency-Key: " + std::string(key) + "\r\n";
}
std::string by_id(std::string_view id, std::string_view more = {}) {
  return R"({"userId":")" + std::string(id) + '"' + std::string(more) + "}";
}
std::string list_of(std::string_view list, const std::vector<std::string>& targets) {
  std::string body = "{\"" + std::string(list) + "\":[";
  for (const std::string& target : targets) {
    if (body.back() != '[') body += ',';
    body += '"' + target + '"';
  }
  return body + "]}";
}
Credentials issued(const Reply& reply) {
  return {text_after(reply.body, R"("userId":")"), text_after(reply.body, R"("authToken":")")};
}
std::size_t tokens_of(World& world, std::string_view user) {
  const Reply reply =
      world.get("/api/v1/users.listTokens?userId=" + std::string(user), world.admin());
  EXPECT_EQ(reply.status, 200) << reply.body;
  constexpr std::string_view kTotal = R"("total":)";
  return std::stoul(reply.body.substr(reply.body.find(kTotal) + kTotal.size()));
}
void forbid_issuing(World& world) {
  const Reply reply = world.post("/api/v1/permissions.update", world.admin(),
                                 R"({"permissions":[{"_id":"user-generate-access-token",)"
                                 R"("roles":["owner"]}]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
}

TEST(IdempotencyKey, ARepetitionGetsTheSameBytes) {
  World world;
  const std::string alice = world.create_user("alice");
  std::set<std::string> answers;
  for (const std::string& body :
       {by_id(alice), by_id(alice, R"(,"lifetime":"15m")"), std::string(R"({"username":"Alice"})"),
        std::string(R"({"user":"alice"})")}) {
    const std::string key = "key-" + std::to_string(answers.size());
    const Reply first = world.post(kOne, with_key(world.admin(), key), body);
    EXPECT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(issued(first).user_id, alice);
    EXPECT_TRUE(world.is_logged_in(issued(first)));
    world.clock.advance_ms(1'234);
    for (const std::string& form : {key, '"' + key + '"'}) {
      const Reply again = world.post(kOne, with_key(world.admin(), form), body);
      EXPECT_EQ(again.status, 200);
      EXPECT_EQ(again.body, first.body);
    }
    answers.insert(first.body);
  }
  EXPECT_EQ(answers.size(), 4U);
  EXPECT_EQ(tokens_of(world, alice), 4U);
  const Reply none = world.post(kOne, world.admin(), by_id(alice));
  EXPECT_FALSE(answers.contains(none.body)) << "without a key nothing is repeated";
}

// To whoever has the issuer's token and its keys a repetition is as good as a new token.
TEST(IdempotencyKey, ARepetitionIsInTheAudit) {
  World world;
  const std::string alice = world.create_user("alice");
  const std::string bob = world.create_user("bob");
  const auto replays = [&world] {
    world.clock.advance_ms(1'000);
    world.run();
    return world.get("/api/v1/audit.list?event=token-replay", world.admin()).body;
  };
  const std::string one = with_key(world.admin(), "one"), many = with_key(world.admin(), "many");
  world.post(kOne, one, by_id(alice));
  world.post(kMany, many, list_of("userIds", {alice, bob, "nobody"}));
  EXPECT_EQ(replays().find("token-replay"), std::string::npos);
  world.post(kOne, one, by_id(alice));
  std::string told = replays();
  EXPECT_NE(told.find(R"("target":{"_id":")" + alice), std::string::npos) << told;
  EXPECT_NE(told.find(R"("token":")"), std::string::npos) << told;
  EXPECT_NE(told.find(R"("count":1)"), std::string::npos) << told;
  world.post(kMany, many, list_of("userIds", {alice, bob, "nobody"}));
  told = replays();
  EXPECT_NE(told.find(R"("count":2)"), std::string::npos) << told;
}

TEST(IdempotencyKey, TheSameLifetimeInAnotherFormIsTheSameRequest) {
  World world;
  const Reply first = world.post(kOne, with_key(world.admin(), "key"),
                                 by_id(world.admin_id, R"(,"lifetime":"15m")"));
  EXPECT_EQ(world
                .post(kOne, with_key(world.admin(), "key"),
                      by_id(world.admin_id, R"(,"lifetime":900,"more":1)"))
                .body,
            first.body);
}

TEST(IdempotencyKey, AnotherRequestWithTheKeyIsRefused) {
  World world;
  const std::string alice = world.create_user("alice");
  const std::string bob = world.create_user("bob");
  const std::string headers = with_key(world.admin(), "key");
  const Reply first = world.post(kOne, headers, by_id(alice));
  EXPECT_EQ(first.status, 200);
  for (const std::string& body :
       {by_id(bob), by_id(alice, R"(,"lifetime":60)"), std::string(R"({"username":"alice"})")}) {
    const Reply refused = world.post(kOne, headers, body);
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(refused.body, kReusedBody);
  }
  const Reply refused = world.post(kMany, headers, list_of("userIds", {alice}));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body, kReusedBody);
  EXPECT_EQ(tokens_of(world, alice), 1U);
  EXPECT_EQ(tokens_of(world, bob), 0U);
  EXPECT_EQ(world.post(kOne, headers, by_id(alice)).body, first.body);
}

TEST(IdempotencyKey, AMalformedOrRepeatedOneIsRefusedAndIssuesNothing) {
  World world;
  const std::string alice = world.create_user("alice");
  for (const std::string& value : {std::string(), std::string("\"abc"), std::string(256, 'x'),
                                   std::string("a, b"), std::string("a\r\nIdempotency-Key: a")}) {
    for (const auto& [path, body] :
         {std::pair{kOne, by_id(alice)}, std::pair{kMany, list_of("userIds", {alice})}}) {
      const Reply refused = world.post(path, with_key(world.admin(), value), body);
      EXPECT_EQ(refused.status, 400) << value;
      EXPECT_EQ(refused.body, kInvalidBody);
    }
  }
  EXPECT_EQ(tokens_of(world, alice), 0U);
  // Where nothing is issued, nobody looks at it.
  EXPECT_EQ(world.get("/api/v1/me", with_key(world.admin(), "\"")).status, 200);
}

TEST(IdempotencyKey, WhoMayNotAskAnyMoreIsRefusedAsBefore) {
  World world;
  const std::string alice = world.create_user("alice");
  const Credentials bot = world.new_user("bot");
  const std::string admins = with_key(world.admin(), "key");
  const Reply first = world.post(kOne, admins, by_id(alice));
  const Reply many =
      world.post(kMany, with_key(world.admin(), "many"), list_of("userIds", {alice}));
  const Reply own = world.post(kOne, with_key(bot, "own"), by_id(bot.user_id));
  ASSERT_EQ(first.status, 200);
  ASSERT_EQ(many.status, 200);
  ASSERT_EQ(own.status, 200);
  // Refusals come before the key is looked at.
  EXPECT_EQ(world.post(kOne, with_key(bot, "\""), by_id(alice)).body, kNotAuthorizedBody);
  EXPECT_EQ(world.post(kOne, "Idempotency-Key: key\r\n", by_id(alice)).status, 401);
  forbid_issuing(world);
  EXPECT_EQ(world.post(kOne, admins, by_id(alice)).body, kNotAuthorizedBody);
  EXPECT_EQ(world.post(kMany, with_key(world.admin(), "many"), list_of("userIds", {alice})).body,
            kNotAuthorizedBody);
  EXPECT_EQ(world.post(kOne, with_key(bot, "own"), by_id(bot.user_id)).body, own.body);
}

TEST(IdempotencyKey, ANameThatIsTheCallersByNowGivesItNobodysToken) {
  World world;
  const std::string alice = world.create_user("alice");
  const std::string headers = with_key(world.admin(), "key");
  ASSERT_EQ(world.post(kOne, headers, R"({"username":"alice"})").status, 200);
  for (const auto& [id, name] : {std::pair{alice, "alice2"}, std::pair{world.admin_id, "alice"}}) {
    const Reply renamed =
        world.post("/api/v1/users.update", world.admin(),
                   R"({"userId":")" + id + R"(","data":{"username":")" + name + R"("}})");
    ASSERT_EQ(renamed.status, 200) << renamed.body;
  }
  forbid_issuing(world);
  EXPECT_EQ(world.post(kOne, headers, R"({"username":"alice"})").body, kNotAuthorizedBody);
}

TEST(IdempotencyKey, ARefusalIsNotKept) {
  World world;
  const std::string headers = with_key(world.admin(), "key");
  EXPECT_EQ(world.post(kOne, headers, R"({"username":"alice"})").status, 400);
  EXPECT_EQ(world.post(kOne, headers, R"({"userId":"nobody"})").status, 400);
  const std::string alice = world.create_user("alice");
  const Reply issued_now = world.post(kOne, headers, R"({"username":"alice"})");
  EXPECT_EQ(issued_now.status, 200) << issued_now.body;
  EXPECT_EQ(issued(issued_now).user_id, alice);
}

TEST(IdempotencyKey, OfARequestForManyEveryEntryIsRepeated) {
  World world;
  const std::string alice = world.create_user("alice");
  const std::string bob = world.create_user("bob");
  for (const bool by_name : {false, true}) {
    const std::string body =
        by_name ? list_of("usernames", {"alice", "carl", "", "bob", "alice"})
                : list_of("userIds", {alice, "carl", "", bob, std::string(99, 'x'), alice});
    const std::string headers = with_key(world.admin(), by_name ? "names" : "ids");
    const Reply first = world.post(kMany, headers, body);
    EXPECT_EQ(first.status, 200) << first.body;
    EXPECT_THAT(first.body, HasSubstr("[error-invalid-user]"));
    EXPECT_THAT(first.body, HasSubstr("[error-user-param-not-provided]"));
    // Whom the name is by now does not matter.
    if (by_name) {
      world.create_user("carl");
      ASSERT_EQ(world
                    .post("/api/v1/users.update", world.admin(),
                          R"({"userId":")" + bob + R"(","data":{"username":"bobby"}})")
                    .status,
                200);
    }
    EXPECT_EQ(world.post(kMany, headers, body).body, first.body);
    EXPECT_TRUE(world.is_logged_in(issued(first)));
  }
  EXPECT_EQ(tokens_of(world, alice), 4U);
  EXPECT_EQ(tokens_of(world, bob), 2U);
}

TEST(IdempotencyKey, AnInactiveTargetIsKeptAsAnEntryWithoutALineInTheLog) {
  World world;
  const std::string alice = world.create_user("alice");
  ASSERT_EQ(world
                .post("/api/v1/users.setActiveStatus", world.admin(),
                      R"({"userId":")" + alice + R"(","activeStatus":false})")
                .status,
            200);
  const std::string headers = with_key(world.admin(), "key");
  const Reply first = world.post(kMany, headers, list_of("userIds", {alice}));
  EXPECT_THAT(first.body, HasSubstr("error-not-authorized"));
  EXPECT_TRUE(world.log.has("the target is inactive"));
  world.log.lines.clear();
  EXPECT_EQ(world.post(kMany, headers, list_of("userIds", {alice})).body, first.body);
  EXPECT_FALSE(world.log.has("the target is inactive"));
}

TEST(IdempotencyKey, ARequestForThousandsThatWasHalfDoneIsFinished) {
  constexpr std::size_t kTargets = 2'000;
  constexpr std::size_t kRoom = 1'500;
  for (const bool by_name : {false, true}) {
    store::CommitterOptions options = default_committer_options();
    options.batch_operations_max = 700;
    options.tokens_per_user_max = 10'000;
    options.indexed_tokens_max = kRoom;
    World world(default_options(), options);
    const std::string alice = world.create_user("alice");
    std::vector<std::string> targets(kTargets, by_name ? "alice" : alice);
    targets[1] = targets[kTargets - 1] = "nobody";
    const std::string body = list_of(by_name ? "usernames" : "userIds", targets);
    const std::string headers = with_key(world.admin(), "key");
    const Reply first = world.post(kMany, headers, body);
    ASSERT_EQ(first.status, 200);
    const std::size_t cut = first.body.find(R"({"error":"Service Unavailable)");
    ASSERT_NE(cut, std::string::npos) << "the store was not full";
    const std::string done = first.body.substr(0, cut);
    // Room again.
    ASSERT_EQ(world.post("/api/v1/users.logout", world.admin(), by_id(alice)).status, 200);
    const Reply second = world.post(kMany, headers, body);
    EXPECT_EQ(second.status, 200);
    EXPECT_EQ(second.body.substr(0, cut), done);
    EXPECT_EQ(second.body.find("Service Unavailable"), std::string::npos);
    EXPECT_THAT(second.body.substr(cut), HasSubstr("[error-invalid-user]"));
    EXPECT_EQ(tokens_of(world, alice), kTargets - 2 - (kRoom - 1)) << "the admin has one";
    EXPECT_EQ(world.post(kMany, headers, body).body, second.body);
  }
}

// What was issued at first is not told to somebody who is nobody any more.
TEST(IdempotencyKey, ARequestThatWasHalfDoneIsNotFinishedForWhomATokenEndedMeanwhile) {
  constexpr std::size_t kRoom = 300;
  store::CommitterOptions options = default_committer_options();
  options.batch_operations_max = 100;
  options.tokens_per_user_max = 10'000;
  options.indexed_tokens_max = kRoom;
  World world(default_options(), options);
  const std::string alice = world.create_user("alice");
  const std::string body = list_of("userIds", std::vector<std::string>(2 * kRoom, alice));
  const std::string headers = with_key(world.admin(), "key");
  const Reply first = world.post(kMany, headers, body);
  ASSERT_EQ(first.status, 200);
  const std::string token = issued(first).token;
  ASSERT_FALSE(token.empty());
  ASSERT_THAT(first.body, HasSubstr("Service Unavailable")) << "the store was not full";
  ASSERT_EQ(world.post("/api/v1/users.logout", world.admin(), by_id(alice)).status, 200);
  // In front of the rest of them in the committer's mail.
  struct Revocation : store::RevokeTokens {
    void on_done() noexcept { done = true; }
    bool done = false;
  } revocation;
  revocation.before_ms = world.clock.turn.wall_ms + 1;
  revocation.then<&Revocation::on_done>(revocation);
  world.store->write(revocation);
  const Reply second = world.post(kMany, headers, body);
  EXPECT_TRUE(revocation.done && revocation.result);
  EXPECT_EQ(second.status, 401) << second.body.substr(0, 200);
  EXPECT_EQ(second.body.find(token), std::string::npos);
  EXPECT_TRUE(world.log.has("the caller's token was revoked meanwhile"));
}

TEST(IdempotencyKey, TwoAtOnceGetTheSameAnswer) {
  World world;
  const std::string alice = world.create_user("alice");
  const auto bytes = [&](std::string_view path, std::string_view key, const std::string& body) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + with_key(world.admin(), key) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  struct Asked {
    std::string_view path;
    std::string body;
    std::size_t tokens;
  };
  for (const auto& [path, body, tokens] :
       {Asked{kOne, by_id(alice), 1}, Asked{kOne, R"({"username":"alice"})", 1},
        Asked{kMany, list_of("userIds", {alice, "nobody", alice}), 2},
        Asked{kMany, list_of("usernames", {"alice", "nobody"}), 1}}) {
    const std::string key = "key-" + std::to_string(body.size());
    const std::size_t before = tokens_of(world, alice);
    // Pipelined, so both are under way before the committer has seen either.
    const std::string request = bytes(path, key, body);
    world.send(request + request);
    world.run();
    const std::string output = world.transport->take_output();
    const std::size_t second = output.find("HTTP/1.1 200 OK", 1);
    ASSERT_NE(second, std::string::npos) << output;
    const auto body_of = [](std::string_view answer) {
      return std::string(answer.substr(answer.find("\r\n\r\n") + 4));
    };
    EXPECT_EQ(body_of(output.substr(0, second)), body_of(output.substr(second)));
    EXPECT_EQ(tokens_of(world, alice) - before, tokens);
  }
}

TEST(IdempotencyKey, ARepetitionDoesNotCountForAPolicysRate) {
  World world;
  const std::string alice = world.create_user("alice");
  const Reply policy =
      world.post("/api/v1/policies.update", world.admin(),
                 R"({"policies":[{"_id":"admin","rateLimit":{"tokens":3,"window":"1h"}}]})");
  ASSERT_EQ(policy.status, 200) << policy.body;
  const std::string body = list_of("userIds", {alice, alice});
  const Reply many = world.post(kMany, with_key(world.admin(), "many"), body);
  const Reply one = world.post(kOne, with_key(world.admin(), "one"), by_id(alice));
  ASSERT_EQ(many.status, 200);
  ASSERT_EQ(one.status, 200);
  for (int time = 0; time < 3; ++time) {
    EXPECT_EQ(world.post(kMany, with_key(world.admin(), "many"), body).body, many.body);
    EXPECT_EQ(world.post(kOne, with_key(world.admin(), "one"), by_id(alice)).body, one.body);
  }
  EXPECT_EQ(world.post(kOne, with_key(world.admin(), "another"), by_id(alice)).status, 429);
}

// The core's clock runs ahead of the committer's, so that the one has forgotten what the other one
// still finds.
TEST(IdempotencyKey, WhoComesSecondForEverIsRefusedInTheEndAndCountedOnce) {
  for (const std::string_view path : {kOne, kMany}) {
    World world;
    const std::string alice = world.create_user("alice");
    const Reply policy =
        world.post("/api/v1/policies.update", world.admin(),
                   R"({"policies":[{"_id":"admin","rateLimit":{"tokens":3,"window":"1h"}}]})");
    ASSERT_EQ(policy.status, 200) << policy.body;
    const std::string body = path == kOne ? by_id(alice) : list_of("userIds", {alice});
    ASSERT_EQ(world.post(path, with_key(world.admin(), "key"), body).status, 200);
    const std::int64_t committers_ms = world.clock.turn.wall_ms;
    const std::int64_t cores_ms = committers_ms + store::kIdempotencyWindowMsDefault;
    std::size_t look_ups = 0;
    world.clock.turn.wall_ms = cores_ms;
    world.database.memory_knows = [&](store::Family family, std::string_view) {
      if (family == store::Family::idempotency) {
        ++look_ups;
        world.clock.turn.wall_ms = committers_ms;
      }
      return true;
    };
    world.database.during_disk_read = [&] { world.clock.turn.wall_ms = cores_ms; };
    const Reply refused = world.post(path, with_key(world.admin(), "key"), body);
    EXPECT_EQ(refused.status, 503) << refused.body;
    EXPECT_EQ(look_ups, kKeyLookUpsMax);
    world.database.memory_knows = {};
    world.database.during_disk_read = {};
    EXPECT_EQ(tokens_of(world, alice), 1U);
    EXPECT_EQ(world.post(path, world.admin(), body).status, 200) << "two were counted";
    EXPECT_EQ(world.post(path, world.admin(), body).status, 429);
  }
}

TEST(IdempotencyKey, BeyondTheLimitOfWhatIsKeptTheAnswerIs503) {
  auto committer_options = default_committer_options();
  committer_options.idempotency_bytes_max = 1;
  World world(default_options(), committer_options);
  const std::string alice = world.create_user("alice");
  const Reply first = world.post(kOne, with_key(world.admin(), "first"), by_id(alice));
  EXPECT_EQ(first.status, 200);
  for (const auto& [path, body] :
       {std::pair{kOne, by_id(alice)}, std::pair{kMany, list_of("userIds", {alice})}}) {
    EXPECT_EQ(world.post(path, with_key(world.admin(), "second"), body).status, 503);
    EXPECT_EQ(world.post(path, world.admin(), body).status, 200);
  }
  EXPECT_EQ(world.post(kOne, with_key(world.admin(), "first"), by_id(alice)).body, first.body);
}

TEST(IdempotencyKey, WhenTheLookUpFailsNothingIsIssued) {
  World world;
  const std::string alice = world.create_user("alice");
  world.admin();
  for (const auto& [path, body] :
       {std::pair{kOne, by_id(alice)}, std::pair{kMany, list_of("userIds", {alice})}}) {
    world.database.fail_reads(store::Family::idempotency, true);
    EXPECT_EQ(world.post(path, with_key(world.admin(), "key"), body).status, 500);
    world.database.fail_reads(store::Family::idempotency, false);
    world.database.memory_knows = [](store::Family family, std::string_view) {
      return family != store::Family::idempotency;
    };
    world.workers.full = true;
    EXPECT_EQ(world.post(path, with_key(world.admin(), "key"), body).status, 503);
    world.workers.full = false;
    world.database.memory_knows = {};
  }
  EXPECT_EQ(tokens_of(world, alice), 0U);
}

TEST(IdempotencyKey, AWorkersAnswerComesAfterTheRequestsBytesAreGone) {
  World world;
  const std::string alice = world.create_user("alice");
  world.admin();
  world.database.memory_knows = [](store::Family family, std::string_view) {
    return family != store::Family::idempotency;
  };
  for (const auto& [path, body] :
       {std::pair{kOne, by_id(alice)}, std::pair{kOne, std::string(R"({"username":"alice"})")},
        std::pair{kMany, list_of("userIds", {alice})}}) {
    const std::string key = "key-" + std::to_string(body.size());
    const Reply first = world.post(path, with_key(world.admin(), key), body);
    EXPECT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(issued(first).user_id, alice);
    EXPECT_EQ(world.post(path, with_key(world.admin(), key), body).body, first.body);
  }
}

TEST(IdempotencyKey, IsNotLogged) {
  World world;
  const std::string key = "c0ffee00-1111-4222-8333-444455556666";
  const Credentials user = world.new_user("user");
  world.post(kOne, with_key(user, key), by_id(world.admin_id));
  world.post(kOne, with_key(world.admin(), key), by_id(world.admin_id));
  world.post(kMany, with_key(world.admin(), key), list_of("userIds", {"nobody"}));
  EXPECT_FALSE(world.log.lines.empty());
  EXPECT_FALSE(world.log.has(key));
}

}  // namespace
}  // namespace tokend::api
