// POST users.createTokens: bulk issuance.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using testing::default_options;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::Reply;
using testing::World;

constexpr std::string_view kPath = "/api/v1/users.createTokens";
constexpr std::string_view kNotAuthorizedBody =
    R"({"success":false,"error":"Not authorized [error-not-authorized]",)"
    R"("errorType":"error-not-authorized"})";
constexpr std::string_view kNoParam =
    R"({"error":"The required \"userId\" or \"username\" param was not provided )"
    R"([error-user-param-not-provided]","errorType":"error-user-param-not-provided"})";
constexpr std::string_view kUnknown =
    R"({"error":"The required \"userId\" or \"username\" param provided does not )"
    R"(match any users [error-invalid-user]","errorType":"error-invalid-user"})";
constexpr std::string_view kInactive =
    R"({"error":"Not authorized [error-not-authorized]","errorType":"error-not-authorized"})";

// {"<list>":["…","…"]}
std::string body_of(std::string_view list, const std::vector<std::string>& targets,
                    std::string_view more = {}) {
  std::string body = "{\"" + std::string(list) + "\":[";
  for (const std::string& target : targets) {
    if (body.back() != '[') body += ',';
    body += '"' + target + '"';
  }
  return body + "]" + std::string(more) + "}";
}

// What was issued, in order.
std::vector<Credentials> issued(std::string_view body) {
  constexpr std::string_view kUser = R"({"userId":")";
  constexpr std::string_view kToken = R"(","authToken":")";
  std::vector<Credentials> all;
  for (std::size_t at = 0; (at = body.find(kUser, at)) != std::string_view::npos;) {
    at += kUser.size();
    const std::size_t end = body.find('"', at);
    const std::size_t token = end + kToken.size();
    all.push_back({std::string(body.substr(at, end - at)), std::string(body.substr(token, 43))});
  }
  return all;
}

void deactivate(World& world, const std::string& id) {
  const Reply reply = world.post("/api/v1/users.setActiveStatus", world.admin(),
                                 R"({"userId":")" + id + R"(","activeStatus":false})");
  ASSERT_EQ(reply.status, 200) << reply.body;
}

TEST(CreateTokens, EachUserGetsAValidTokenInTheOrderAsked) {
  World world;
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(world.create_user("user" + std::to_string(i)));
  std::swap(ids[0], ids[3]);
  const Reply reply = world.post(kPath, world.admin(), body_of("userIds", ids));
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, MatchesRegex(R"(\{"tokens":\[(\{"userId":"[a-zA-Z0-9]{17}","authToken":)"
                                       R"("[a-zA-Z0-9_-]{43}"\},?)+\],"success":true\})"));
  EXPECT_EQ(reply.header("Cache-Control"), "no-store");
  const std::vector<Credentials> tokens = issued(reply.body);
  ASSERT_EQ(tokens.size(), ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(tokens[i].user_id, ids[i]);
    EXPECT_TRUE(world.is_logged_in(tokens[i])) << i;
  }
}

TEST(CreateTokens, AnEntryHasTheErrorOfASingleRequestAndSpoilsNoOther) {
  World world;
  const std::string alice = world.create_user("alice");
  const std::string bob = world.create_user("bob");
  const std::string carl = world.create_user("carl");
  deactivate(world, bob);
  const std::string too_long(100, 'x');
  const std::string by_id = R"({"userIds":[")" + alice + R"(","  ",7,")" + bob +
                            R"(","nobody","  )" + carl + R"( ",null,")" + too_long + R"("]})";
  Reply reply = world.post(kPath, world.admin(), by_id);
  std::vector<Credentials> tokens = issued(reply.body);
  ASSERT_EQ(tokens.size(), 2U) << reply.body;
  const auto entry = [](const Credentials& token) {
    return R"({"userId":")" + token.user_id + R"(","authToken":")" + token.token + R"("})";
  };
  EXPECT_EQ(reply.body, R"({"tokens":[)" + entry(tokens[0]) + "," + std::string(kNoParam) + "," +
                            std::string(kNoParam) + "," + std::string(kInactive) + "," +
                            std::string(kUnknown) + "," + entry(tokens[1]) + "," +
                            std::string(kNoParam) + "," + std::string(kUnknown) +
                            R"(],"success":true})");
  EXPECT_EQ(tokens[0].user_id, alice);
  EXPECT_EQ(tokens[1].user_id, carl);
  EXPECT_TRUE(world.log.has("the target is inactive"));
  EXPECT_FALSE(world.log.has(tokens[0].token));

  reply = world.post(kPath, world.admin(), body_of("usernames", {"CARL", "bob", "nobody", ""}));
  tokens = issued(reply.body);
  ASSERT_EQ(tokens.size(), 1U) << reply.body;
  EXPECT_EQ(tokens[0].user_id, carl);
  EXPECT_EQ(reply.body, R"({"tokens":[)" + entry(tokens[0]) + "," + std::string(kInactive) + "," +
                            std::string(kUnknown) + "," + std::string(kNoParam) +
                            R"(],"success":true})");
}

TEST(CreateTokens, AnEmptyListIsAnEmptyAnswer) {
  World world;
  const Reply reply = world.post(kPath, world.admin(), R"({"userIds":[]})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"tokens":[],"success":true})");
}

TEST(CreateTokens, OnlyErrorsAreAnAnswerToo) {
  World world;
  const Reply reply = world.post(kPath, world.admin(), R"({"userIds":[1]})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"tokens":[)" + std::string(kNoParam) + R"(],"success":true})");
}

TEST(CreateTokens, RefusesAsASingleRequestDoes) {
  const std::string to_admin = R"({"usernames":["admin"]})";
  {
    World world;
    const Credentials bob = world.new_user("bob");
    EXPECT_EQ(world.post(kPath, "", to_admin).status, 401);
    const Reply reply = world.post(kPath, bob, to_admin);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body, kNotAuthorizedBody);
    // Also before anything is said of the list, and for oneself.
    EXPECT_EQ(world.post(kPath, bob, "{}").body, kNotAuthorizedBody);
    EXPECT_EQ(world.post(kPath, bob, R"({"usernames":["bob"]})").body, kNotAuthorizedBody);
    EXPECT_TRUE(world.log.has("no permission"));
  }
  {
    ApiOptions options = default_options();
    options.create_tokens_enabled = false;
    World world(options);
    EXPECT_EQ(world.post(kPath, world.admin(), to_admin).body, kNotAuthorizedBody);
  }
  {
    ApiOptions options = default_options();
    options.create_tokens_secret = "open sesame";
    World world(options);
    EXPECT_EQ(world.post(kPath, world.admin(), to_admin).body, kNotAuthorizedBody);
    const std::string wrong = body_of("usernames", {"admin"}, R"(,"secret":"open")");
    EXPECT_EQ(world.post(kPath, world.admin(), wrong).body, kNotAuthorizedBody);
    const std::string right = body_of("usernames", {"admin"}, R"(,"secret":"open sesame")");
    EXPECT_EQ(issued(world.post(kPath, world.admin(), right).body).size(), 1U);
  }
}

TEST(CreateTokens, ListsThatAreNoneAreRefused) {
  World world;
  for (const char* body : {"{}", R"({"userIds":"x"})", R"({"userIds":{}})", R"({"userId":"x"})",
                           R"({"userIds":[],"usernames":[]})"}) {
    const Reply reply = world.post(kPath, world.admin(), body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_THAT(reply.body, HasSubstr("[error-invalid-params]")) << body;
  }
  EXPECT_EQ(world.post(kPath, world.admin(), R"({"userIds":["x")").status, 400);
  const std::string form = "Content-Type: application/x-www-form-urlencoded\r\n";
  EXPECT_EQ(world.post(kPath, world.admin().headers() + form, "userIds=x").status, 400);
  // A form as long as only JSON may be is refused and harms nobody.
  EXPECT_EQ(world.post(kPath, world.admin().headers() + form, std::string(200'000, 'x')).status,
            400);
  EXPECT_EQ(world.get("/api/v1/me", world.admin()).status, 200);
}

TEST(CreateTokens, ALifetimeIsOfEachToken) {
  World world;
  const std::string id = world.create_user("bob");
  Reply reply = world.post(kPath, world.admin(), body_of("userIds", {id, id}, R"(,"lifetime":60)"));
  EXPECT_THAT(reply.body, MatchesRegex(R"(\{"tokens":\[(\{"userId":"[^"]+","authToken":"[^"]+",)"
                                       R"("expiresAt":"[-0-9T:.]+Z"\},?){2}\],"success":true\})"));
  const std::vector<Credentials> tokens = issued(reply.body);
  ASSERT_EQ(tokens.size(), 2U);
  world.clock.advance_ms(59'999);
  EXPECT_TRUE(world.is_logged_in(tokens[1]));
  world.clock.advance_ms(1);
  EXPECT_FALSE(world.is_logged_in(tokens[1]));
  reply = world.post(kPath, world.admin(), body_of("userIds", {id}, R"(,"lifetime":"x")"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.body, HasSubstr("error-invalid-lifetime"));
}

TEST(CreateTokens, TenThousandAreServedAndOneMoreIsRefused) {
  World world;
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) {
    names.push_back("user" + std::to_string(i));
    world.create_user(names.back());
  }
  std::vector<std::string> targets;
  for (std::size_t i = 0; i < kBulkTargetsMax; ++i) targets.push_back(names[i * 7 % 10]);
  const std::size_t commits = world.database.commits();
  const Reply reply = world.post(kPath, world.admin(), body_of("usernames", targets));
  EXPECT_EQ(reply.status, 200);
  // As few batches as the committer's limit of operations allows.
  EXPECT_EQ(world.database.commits() - commits, 3U);
  const std::vector<Credentials> tokens = issued(reply.body);
  ASSERT_EQ(tokens.size(), kBulkTargetsMax);
  // Each user's limit of 50 holds; the last of each is among those that stay.
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(tokens[i].user_id, tokens[kBulkTargetsMax - 10 + i].user_id);
    EXPECT_TRUE(world.is_logged_in(tokens[kBulkTargetsMax - 10 + i]));
    EXPECT_FALSE(world.is_logged_in(tokens[i]));
  }
  targets.emplace_back("user0");
  const Reply refused = world.post(kPath, world.admin(), body_of("usernames", targets));
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("[error-too-many-users]"));
}

TEST(CreateTokens, BodyOfItsOwnLimitIsReadAndOneByteMoreIs413) {
  World world;
  const std::string head = R"({"userIds":["nobody"],"x":")";
  const std::string text(kBulkBodyBytesMax - head.size() - 2, 'x');
  EXPECT_EQ(world.post(kPath, world.admin(), head + text + "\"}").status, 200);
  EXPECT_EQ(world.post(kPath, world.admin(), head + text + "x\"}").status, 413);
  EXPECT_EQ(world.post("/api/v1/users.createToken", world.admin(), head + text + "\"}").status,
            413);
}

TEST(CreateTokens, NamesThatMemoryDoesNotKnowAreReadInGroups) {
  World world;
  std::vector<std::string> names;
  for (int i = 0; i < 300; ++i) names.push_back("nobody" + std::to_string(i));
  world.create_user("somebody");
  names[299] = "SomeBody";
  (void)world.admin();
  world.database.memory_knows = [](store::Family family, std::string_view) {
    return family != store::Family::usernames;
  };
  const std::string body = body_of("usernames", names);
  world.send("POST " + std::string(kPath) + " HTTP/1.1\r\nHost: x\r\n" + world.admin().headers() +
             "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  std::size_t trips = 0;
  for (bool any = true; any;) {
    trips += world.workers.jobs.size();
    any = world.workers.run_all();
    any = world.committer->step() || any;
    any = world.deliver_home() || any;
  }
  EXPECT_EQ(trips, 2U);  // slices
  const Reply reply = world.take_reply();
  // Found by name, although the cache may have it: by whichever way, it is one token.
  EXPECT_EQ(issued(reply.body).size(), 1U) << reply.body;
}

TEST(CreateTokens, ABusyStoreIsA503AndTheNextRequestIsServed) {
  World world;
  world.create_user("bob");
  (void)world.admin();
  world.database.memory_knows = [](store::Family family, std::string_view) {
    return family != store::Family::usernames;
  };
  world.workers.full = true;
  const Reply reply = world.post(kPath, world.admin(), body_of("usernames", {"nobody"}));
  EXPECT_EQ(reply.status, 503);
  EXPECT_TRUE(reply.header("Retry-After"));
  world.workers.full = false;
  EXPECT_EQ(world.post(kPath, world.admin(), body_of("usernames", {"bob"})).status, 200);
}

TEST(CreateTokens, OneRequestTooManyIs503AndAnotherIsServedWhenOneHasEnded) {
  World world;
  const std::string body = body_of("userIds", {"nobody"});
  const std::string bytes = "POST " + std::string(kPath) + " HTTP/1.1\r\nHost: x\r\n" +
                            world.admin().headers() +
                            "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  for (std::size_t i = 0; i <= kBulkRequestsMax; ++i) world.send(bytes);
  world.run();
  const std::vector<int> all = http::testing::statuses(world.transport->take_output());
  ASSERT_EQ(all.size(), kBulkRequestsMax + 1);
  for (std::size_t i = 0; i < kBulkRequestsMax; ++i) EXPECT_EQ(all[i], 200);
  EXPECT_EQ(all.back(), 503);
  EXPECT_EQ(world.exchange(bytes).status, 200);
}

TEST(CreateTokens, OthersAreServedBetweenItsSlices) {
  World world;
  const std::vector<std::string> targets(kBulkTargetsMax, "nobody");
  const std::string body = body_of("usernames", targets);
  const std::string me =
      "GET /api/v1/me HTTP/1.1\r\nHost: x\r\n" + world.admin().headers() + "\r\n";
  world.send("POST " + std::string(kPath) + " HTTP/1.1\r\nHost: x\r\n" + world.admin().headers() +
             "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  // A connection of somebody else's; the first one stays open.
  http::testing::FakeTransport other(world.blocks);
  core::Session* session = world.factory->open(other);
  std::size_t served = 0;
  while (world.transport->output().empty()) {
    std::string bytes = me + std::string(core::kReceivePaddingBytes, ' ');
    session->on_bytes({bytes.data(), me.size()});
    served += other.take_output().starts_with("HTTP/1.1 200");
    world.committer->step();
    ASSERT_TRUE(world.deliver_home());
  }
  EXPECT_GE(served, 2 * kBulkTargetsMax / 256);
  world.factory->close(*session);
  EXPECT_EQ(world.take_reply().status, 200);
}

TEST(CreateTokens, AClientThatLeavesHarmsNobody) {
  World world;
  const std::string id = world.create_user("bob");
  const std::string body = body_of("userIds", std::vector<std::string>(1000, id));
  world.send("POST " + std::string(kPath) + " HTTP/1.1\r\nHost: x\r\n" + world.admin().headers() +
             "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  world.connect();
  EXPECT_EQ(world.factory->exchanges(), 1U);
  world.run();
  EXPECT_EQ(world.factory->exchanges(), 0U);
  EXPECT_EQ(world.post(kPath, world.admin(), body).status, 200);
}

TEST(CreateTokens, AFailedDiskIsA503) {
  World world;
  const std::string id = world.create_user("bob");
  (void)world.admin();
  world.database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  const Reply reply = world.post(kPath, world.admin(), body_of("userIds", {id, id}));
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, Not(HasSubstr("authToken")));
}

}  // namespace
}  // namespace tokend::api
