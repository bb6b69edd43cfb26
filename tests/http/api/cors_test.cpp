#include "http/api/cors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Reply;
using testing::World;

constexpr std::string_view kMe = "/api/v1/me";
constexpr std::string_view kListed = "Origin: https://a.example.org\r\n";

store::CommitterOptions with_cors(std::string_view origins) {
  store::CommitterOptions options = testing::default_committer_options();
  options.settings.cors = true;
  options.settings.cors_origin = origins;
  return options;
}

Reply preflight(World& world, std::string_view headers, std::string_view target = kMe) {
  return world.exchange("OPTIONS " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" +
                        std::string(headers) + "\r\n");
}

TEST(OriginList, IsAStarOrOrigins) {
  std::string most = "http://a0";
  for (std::size_t i = 1; i < kCorsOriginsMax; ++i) most += ",http://a" + std::to_string(i);
  for (const std::string& text :
       {std::string("*"), std::string(" * "), std::string("https://example.org"),
        std::string("HTTPS://Example.org:8443 , http://[::1]:3000,app+x://host"),
        "https://" + std::string(292, 'a'), most}) {
    EXPECT_TRUE(is_origin_list(text)) << text;
  }
  for (const std::string& text : {std::string(),
                                  std::string(" "),
                                  std::string("*,https://example.org"),
                                  std::string("null"),
                                  std::string("example.org"),
                                  std::string("https://"),
                                  std::string("://example.org"),
                                  std::string("https://example.org/"),
                                  std::string("https://example.org/path"),
                                  std::string("https://*.example.org"),
                                  std::string("https://a@example.org"),
                                  std::string("https://a b"),
                                  std::string("https://a\r\nX: y"),
                                  std::string("https://\u00e4"),
                                  std::string("1https://a"),
                                  std::string("https://a,"),
                                  std::string(",https://a"),
                                  std::string("https://a,,https://b"),
                                  std::string("https://a;https://b/"),
                                  "https://" + std::string(293, 'a'),
                                  most + ",http://more"}) {
    EXPECT_FALSE(is_origin_list(text)) << text;
  }
}

TEST(CorsApi, OffRefusesPreflightsAndLetsAnyOriginReadWhateverTheList) {
  store::CommitterOptions options = with_cors("https://a.example.org");
  options.settings.cors = false;
  World world(testing::default_options(), options);
  const Reply reply = preflight(world, kListed);
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.body, "CORS not enabled.");
  EXPECT_EQ(reply.header("Access-Control-Allow-Methods"), std::nullopt);
  const Reply me = world.get(kMe, kListed);
  EXPECT_EQ(me.header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(me.header("Vary"), std::nullopt);
}

TEST(CorsApi, OnForAllGrantsEveryPreflightUnderApi) {
  World world(testing::default_options(), with_cors("*"));
  for (const std::string headers :
       {"Origin: https://anyone.example\r\n", "Access-Control-Request-Method: POST\r\n"}) {
    const Reply reply = preflight(world, headers);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "");
    EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(reply.header("Access-Control-Allow-Methods"), "GET, POST, PUT, DELETE, HEAD, PATCH");
    EXPECT_EQ(reply.header("Access-Control-Allow-Headers"),
              "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token");
    EXPECT_EQ(reply.header("Vary"), std::nullopt);
  }
  EXPECT_EQ(preflight(world, "").status, 204);
  EXPECT_EQ(preflight(world, kListed, "/auth").status, 405);
  EXPECT_EQ(preflight(world, kListed, "/api/v1/nothing").status, 404);
  EXPECT_EQ(world.get(kMe, kListed).header("Access-Control-Allow-Origin"), "*");
}

TEST(CorsApi, OnWithAListNamesTheOriginThatAskedAndNoOther) {
  World world(testing::default_options(),
              with_cors("https://other.example.org, HTTPS://A.example.org"));
  const Reply granted = preflight(world, kListed);
  EXPECT_EQ(granted.status, 200);
  EXPECT_EQ(granted.header("Access-Control-Allow-Origin"), "https://a.example.org");
  EXPECT_EQ(granted.header("Access-Control-Allow-Methods"), "GET, POST, PUT, DELETE, HEAD, PATCH");
  EXPECT_EQ(granted.header("Vary"), "Origin");
  for (const std::string headers :
       {"Origin: https://evil.example.org\r\n", "Origin: https://a.example.org.evil\r\n",
        "Origin: https://a.example.org:444\r\n", "Origin: null\r\n", "Origin: \r\n",
        "Origin: https://a.example.org\r\nOrigin: https://a.example.org\r\n",
        "Access-Control-Request-Method: POST\r\n"}) {
    const Reply refused = preflight(world, headers);
    EXPECT_EQ(refused.status, 403) << headers;
    EXPECT_EQ(refused.body, "Invalid origin") << headers;
    EXPECT_EQ(refused.header("Content-Type"), "text/plain; charset=utf-8");
    EXPECT_EQ(refused.header("Vary"), "Origin");
    EXPECT_THAT(refused.head, Not(HasSubstr("Access-Control-Allow-Origin")));
    EXPECT_THAT(refused.head, Not(HasSubstr("Access-Control-Allow-Methods")));
    // Not the answers either, whether they are errors or not.
    for (const std::string_view target : {kMe, std::string_view("/api/v1/nothing")}) {
      const Reply reply = world.get(target, headers);
      EXPECT_THAT(reply.head, Not(HasSubstr("Access-Control-Allow-Origin"))) << target;
      EXPECT_EQ(reply.header("Vary"), "Origin");
    }
  }
  const std::string login = R"({"user":"admin","password":"x"})";
  for (const Reply& reply :
       {world.get(kMe, kListed), world.get(kMe, std::string(kListed) + world.admin().headers()),
        world.get("/api/v1/nothing", kListed), world.post("/api/v1/login", kListed, login)}) {
    EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), "https://a.example.org");
    EXPECT_EQ(reply.header("Vary"), "Origin");
  }
  EXPECT_EQ(world.get("/health", kListed).header("Vary"), std::nullopt);
}

TEST(CorsApi, AChangeOfTheSettingsCountsForTheNextRequest) {
  World world;
  const auto change = [&](std::string_view id, std::string_view value) {
    const Reply reply = world.post("/api/v1/settings/" + std::string(id), world.admin(),
                                   R"({"value":)" + std::string(value) + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
  };
  change("API_Enable_CORS", "true");
  EXPECT_EQ(preflight(world, kListed).header("Access-Control-Allow-Origin"), "*");
  change("API_CORS_Origin", R"("https://b.example.org,https://a.example.org")");
  EXPECT_EQ(preflight(world, kListed).header("Access-Control-Allow-Origin"),
            "https://a.example.org");
  change("API_CORS_Origin", R"("https://b.example.org")");
  EXPECT_EQ(preflight(world, kListed).status, 403);
  change("API_Enable_CORS", "false");
  EXPECT_EQ(preflight(world, kListed).status, 405);
  const Reply refused =
      world.post("/api/v1/settings/API_CORS_Origin", world.admin(), R"({"value":"example.org"})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("The value of API_CORS_Origin must be * or at most 64 "));
}

// The list is changed while the answer waits for a worker: whatever the answer then names, it is no
// origin that may not read it.
TEST(CorsApi, AnAnswerUnderWayOutlivesItsOrigin) {
  World world(testing::default_options(), with_cors("https://b.example.org,https://a.example.org"));
  const std::string body = R"({"user":"admin","password":"x"})";
  world.send("POST /api/v1/login HTTP/1.1\r\nHost: x\r\n" + std::string(kListed) +
             "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  struct Change : store::UpdateSetting {
    void on_done() noexcept { done = true; }
    bool done = false;
  } update;
  update.key = store::SettingKey::cors_origin;
  update.value = std::string("https://c.example.org");
  update.then<&Change::on_done>(update);
  world.store->write(update);
  while (!update.done) {
    static_cast<void>(world.committer->step());
    static_cast<void>(world.deliver_home());
  }
  world.run();
  const Reply reply = world.take_reply();
  EXPECT_EQ(reply.status, 401);
  EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), std::nullopt);
  EXPECT_EQ(reply.header("Vary"), "Origin");
}

}  // namespace
}  // namespace tokend::api
