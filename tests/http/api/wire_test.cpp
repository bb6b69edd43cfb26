// What every route has in common: methods, headers, the rate limit, refusals of the parser.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using testing::default_options;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Reply;
using testing::text_after;
using testing::World;

void expect_api_headers(const Reply& reply) {
  EXPECT_EQ(reply.header("Cache-Control"), "no-store");
  EXPECT_EQ(reply.header("Pragma"), "no-cache");
  EXPECT_EQ(reply.header("X-Instance-ID"), "instance");
  EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(reply.header("Access-Control-Allow-Headers"),
            "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token");
}

void expect_no_api_headers(const Reply& reply) {
  for (const char* name : {"Cache-Control", "X-Instance-ID", "Access-Control-Allow-Origin"}) {
    EXPECT_FALSE(reply.header(name).has_value()) << name;
  }
}

std::string request(std::string_view method, std::string_view target, std::string_view more = {}) {
  return std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" +
         std::string(more) + "\r\n";
}

TEST(Wire, AWrongMethodIs405WithAllowOnEveryRoute) {
  World world;
  for (const Route& route : kRoutes) {
    const std::string allow = route.methods == Methods::get    ? "GET, HEAD, OPTIONS"
                              : route.methods == Methods::post ? "POST, OPTIONS"
                                                               : "GET, HEAD, POST, OPTIONS";
    for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"}) {
      if (allow.find(method) != std::string::npos) continue;
      const Reply reply = world.exchange(request(method, route.path));
      EXPECT_EQ(reply.status, 405) << method << route.path;
      EXPECT_EQ(reply.header("Allow"), allow) << method << route.path;
      EXPECT_EQ(reply.header("Content-Type"), "application/json");
      if (std::string_view(method) != "HEAD") {
        EXPECT_EQ(reply.body,
                  R"({"success":false,"error":"Method Not Allowed [error-method-not-allowed]",)"
                  R"("errorType":"error-method-not-allowed"})");
      }
      if (route.path.starts_with("/api")) expect_api_headers(reply);
    }
  }
}

TEST(Wire, AnUnknownPathIs404) {
  World world;
  for (const char* path : {"/", "/api", "/api/", "/api/v1", "/api/v1/me/", "/api/v1/ME",
                           "/api/v1/users.createtoken", "/API/v1/me", "/websocket", "/api/v1/m%65",
                           "//api/v1/me", "/api/v1/nothing?x=/api/v1/me"}) {
    for (const char* method : {"GET", "POST", "OPTIONS", "DELETE"}) {
      const Reply reply = world.exchange(request(method, path));
      EXPECT_EQ(reply.status, 404) << method << path;
      EXPECT_EQ(reply.body, R"({"success":false,"error":"Not Found [error-not-found]",)"
                            R"("errorType":"error-not-found"})");
      EXPECT_EQ(reply.header("Content-Type"), "application/json");
      std::string_view(path).starts_with("/api") ? expect_api_headers(reply)
                                                 : expect_no_api_headers(reply);
    }
  }
  const Reply upgrade =
      world.exchange(request("GET", "/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_EQ(upgrade.status, 404);
}

TEST(Wire, OptionsTellsTheMethodsAndPreflightsAreOff) {
  World world;
  for (const Route& route : kRoutes) {
    const Reply plain = world.exchange(request("OPTIONS", route.path));
    EXPECT_EQ(plain.status, 204);
    EXPECT_EQ(plain.body, "");
    EXPECT_EQ("Allow: " + plain.header("Allow").value_or("") + "\r\n", route.allow_header());
    const Reply preflight = world.exchange(
        request("OPTIONS", route.path,
                "Origin: http://example.org\r\nAccess-Control-Request-Method: POST\r\n"));
    EXPECT_EQ(preflight.status, 405);
    EXPECT_EQ("Allow: " + preflight.header("Allow").value_or("") + "\r\n", route.allow_header());
    EXPECT_THAT(preflight.header("Content-Type").value_or(""), HasSubstr("text/plain"));
    EXPECT_EQ(preflight.body, "CORS not enabled.");
  }
  EXPECT_EQ(world.exchange(request("OPTIONS", "*")).status, 204);
}

TEST(Wire, HeadIsServedWhereGetIs) {
  World world;
  const Reply get = world.get("/api/v1/me", world.admin());
  const Reply head = world.exchange(request("HEAD", "/api/v1/me", world.admin().headers()));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(head.header("Content-Length"), std::to_string(get.body.size()));
}

TEST(Wire, EveryAnswerUnderApiCarriesTheHeaders) {
  World world;
  for (const Reply& reply :
       {world.get("/api/info"), world.get("/api/v1/me"), world.get("/api/v1/me", world.admin()),
        world.post("/api/v1/login", "", "{"), world.post("/api/v1/logout", world.admin(), "[]"),
        world.exchange(request("OPTIONS", "/api/v1/me"))}) {
    expect_api_headers(reply);
  }
}

TEST(Wire, HealthIsNotUnderApi) {
  World world;
  const Reply health = world.get("/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, "ok");
  EXPECT_THAT(health.header("Content-Type").value_or(""), HasSubstr("text/plain"));
  for (const char* path : {"/livez", "/readyz"}) {
    const Reply reply = world.get(path);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("Content-Type"), "application/json");
    expect_no_api_headers(reply);
  }
}

TEST(Wire, InfoTellsAnonymousCallersMajorAndMinorOnly) {
  World world;
  for (const char* path : {"/api/info", "/api/v1/info"}) {
    EXPECT_EQ(world.get(path).body, R"({"version":"1.2","success":true})");
    EXPECT_EQ(world.get(path, Credentials{"undefined", "undefined"}).body,
              R"({"version":"1.2","success":true})");
    EXPECT_EQ(world.get(path, world.admin()).body, R"({"version":"1.2.3","success":true})");
  }
}

TEST(Wire, EveryPostRouteRefusesAnUnreadableBody) {
  World world;
  for (const Route& route : kRoutes) {
    if (!route.serves(http::Method::post)) continue;
    const Reply reply = world.post(route.path, world.admin(), R"({"a":)");
    EXPECT_EQ(reply.status, 400) << route.path;
    const Reply type =
        world.post(route.path, world.admin().headers() + "Content-Type: text/xml\r\n", "<a/>");
    if (route.access == Access::oauth) {
      // RFC 6749, section 5.2: whatever is malformed about a request.
      for (const Reply& malformed : {reply, type}) {
        EXPECT_EQ(malformed.status, 400);
        EXPECT_EQ(malformed.body,
                  R"({"error":"invalid_request","error_description":"The body cannot be read"})");
      }
      continue;
    }
    EXPECT_EQ(reply.body, R"({"success":false,"error":"Invalid JSON body [error-invalid-json]",)"
                          R"("errorType":"error-invalid-json"})");
    EXPECT_EQ(type.status, 415) << route.path;
  }
}

TEST(Wire, EveryRouteThatDemandsALoginRefusesWithout) {
  World world;
  for (const Route& route : kRoutes) {
    if (route.access != Access::login) continue;
    const Reply reply =
        route.serves(http::Method::post) ? world.post(route.path, "", "{}") : world.get(route.path);
    EXPECT_EQ(reply.status, 401) << route.path;
    EXPECT_EQ(reply.body, kNotLoggedIn.body) << route.path;
  }
}

TEST(Wire, PipelinedAnswersComeInOrder) {
  World world;
  const Credentials admin = world.admin();
  const std::string issue = "POST /api/v1/users.createToken HTTP/1.1\r\nHost: x\r\n" +
                            admin.headers() + "Content-Length: 20\r\n\r\n{\"username\":\"admin\"}";
  world.send(issue + request("GET", "/health") + issue + request("GET", "/api/v1/me") + issue);
  world.run();
  const auto statuses = http::testing::statuses(world.transport->take_output());
  EXPECT_EQ(statuses, (std::vector<int>{200, 200, 200, 401, 200}));
}

TEST(Wire, RefusalsOfTheParserHaveTheJsonForm) {
  World world;
  const struct {
    std::string bytes;
    int status;
    const char* code;
  } table[] = {
      {"nonsense\r\n\r\n", 400, "error-bad-request"},
      {"GET /" + std::string(9'000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n", 414,
       "error-uri-too-long"},
      {request("GET", "/api/v1/me", "X: " + std::string(20'000, 'x') + "\r\n"), 431,
       "error-request-header-fields-too-large"},
      {request("POST", "/api/v1/login", "Content-Length: 65537\r\n"), 413,
       "error-request-too-large"},
  };
  for (const auto& row : table) {
    const Reply reply = world.exchange(row.bytes);
    EXPECT_EQ(reply.status, row.status);
    EXPECT_EQ(text_after(reply.body, R"("errorType":")"), row.code);
    EXPECT_THAT(reply.body, HasSubstr(" [" + std::string(row.code) + "]\""));
    EXPECT_EQ(reply.header("Content-Type"), "application/json");
    EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), "*");
    EXPECT_FALSE(reply.header("X-Instance-ID").has_value());
    EXPECT_EQ(reply.header("Connection"), "close");
  }
}

TEST(Wire, EveryRefusalHasABodyOfItsOwnAndOverloadSaysWhenToComeBack) {
  World world;
  std::vector<std::string> bodies;
  for (const http::Refusal refusal :
       {http::Refusal::bad_request, http::Refusal::request_timeout,
        http::Refusal::content_too_large, http::Refusal::uri_too_long,
        http::Refusal::expectation_failed, http::Refusal::header_fields_too_large,
        http::Refusal::not_implemented, http::Refusal::version_not_supported,
        http::Refusal::overloaded}) {
    const http::Answer answer = world.api->on_refusal(refusal);
    EXPECT_EQ(answer.status, http::status_of(refusal));
    EXPECT_EQ(std::ranges::count(bodies, answer.body), 0);
    bodies.emplace_back(answer.body);
    EXPECT_EQ(answer.headers.find("Retry-After: 1\r\n") != std::string_view::npos,
              refusal == http::Refusal::overloaded);
  }
}

// ---- The rate limit ----------------------------------------------------------------------------

struct LimitedWorld : World {
  explicit LimitedWorld(const ApiOptions& api_options = default_options())
      : World(api_options, {}) {}
};

// A user is made while the admin, who is not counted, does all the calls.
Credentials limited_user(World& world) {
  const Reply issued = world.post("/api/v1/users.createToken", world.admin(),
                                  R"({"userId":")" + world.create_user("bob") + R"("})");
  return {text_after(issued.body, R"("userId":")"), text_after(issued.body, R"("authToken":")")};
}

TEST(WireRateLimit, TheEleventhCallIsTooMany) {
  LimitedWorld world;
  const Credentials bob = limited_user(world);
  const std::string path = "/api/v1/users.createToken";
  const std::string reset = std::to_string(world.clock.wall_ms() + 60'000);
  for (int call = 0; call < 10; ++call) {
    // A 400 counts as well.
    const Reply reply = world.post(path, bob, call % 2 ? R"({"username":"bob"})" : "{");
    EXPECT_EQ(reply.status, call % 2 ? 200 : 400);
    EXPECT_EQ(reply.header("X-RateLimit-Limit"), "10");
    EXPECT_EQ(reply.header("X-RateLimit-Remaining"), std::to_string(9 - call));
    EXPECT_EQ(reply.header("X-RateLimit-Reset"), reset);
    expect_api_headers(reply);
    world.clock.advance_ms(100);
  }
  const Reply reply = world.post(path, bob, "{");
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.body,
            R"({"success":false,"error":"Error, too many requests. Please slow down. You must )"
            R"(wait 59 seconds before trying this endpoint again. [error-too-many-requests]"})");
  EXPECT_EQ(reply.header("X-RateLimit-Limit"), "10");
  EXPECT_EQ(reply.header("X-RateLimit-Remaining"), "0");
  EXPECT_EQ(reply.header("X-RateLimit-Reset"), reset);
  EXPECT_EQ(reply.header("Content-Type"), "application/json");
  // Another route has a window of its own, and GETs have none.
  EXPECT_EQ(world.post("/api/v1/users.removeOtherTokens", bob, "").header("X-RateLimit-Remaining"),
            "9");
  EXPECT_FALSE(world.get("/api/v1/me", bob).header("X-RateLimit-Limit").has_value());
  world.clock.advance_ms(58'999);
  EXPECT_THAT(world.post(path, bob, "{").body, HasSubstr("You must wait 1 seconds"));
  world.clock.advance_ms(1);
  EXPECT_EQ(world.post(path, bob, R"({"username":"bob"})").header("X-RateLimit-Remaining"), "9");
}

TEST(WireRateLimit, WhoMayBypassItIsNeitherCountedNorTold) {
  LimitedWorld world;
  const Credentials bob = limited_user(world);
  for (int call = 0; call < 12; ++call) {
    const Reply reply =
        world.post("/api/v1/users.createToken", world.admin(), R"({"username":"bob"})");
    EXPECT_EQ(reply.status, 200);
    EXPECT_THAT(reply.head, Not(HasSubstr("X-RateLimit")));
  }
  EXPECT_EQ(world.post("/api/v1/users.createToken", bob, "").header("X-RateLimit-Remaining"), "9");
}

TEST(WireRateLimit, WhoIsNotLoggedInIsNotCounted) {
  LimitedWorld world;
  const Credentials bob = limited_user(world);
  for (int call = 0; call < 12; ++call) {
    const Reply reply = world.post("/api/v1/users.createToken", "", "{}");
    EXPECT_EQ(reply.status, 401);
    EXPECT_THAT(reply.head, Not(HasSubstr("X-RateLimit")));
  }
  EXPECT_EQ(world.post("/api/v1/users.createToken", bob, "").header("X-RateLimit-Remaining"), "9");
}

TEST(WireRateLimit, LoginIsLimitedWhateverComesOfIt) {
  LimitedWorld world;
  for (int call = 0; call < 10; ++call) {
    const Reply reply = world.post("/api/v1/login", "", R"({"user":"admin","password":"wrong"})");
    EXPECT_EQ(reply.status, 401);
    EXPECT_EQ(reply.header("X-RateLimit-Remaining"), std::to_string(9 - call));
  }
  // Too many calls never reach the expensive comparison.
  world.send(
      "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 31\r\n\r\n"
      R"({"user":"admin","password":"x"})");
  EXPECT_TRUE(world.workers.jobs.empty());
  EXPECT_EQ(world.take_reply().status, 429);
}

TEST(WireRateLimit, HeadersNameTheClientOnlyBehindProxies) {
  for (const std::uint32_t forwarded_count : {0U, 2U}) {
    ApiOptions options = default_options();
    options.forwarded_count = forwarded_count;
    LimitedWorld world(options);
    const auto remaining = [&world](const std::string& headers) {
      return world.post("/api/v1/login", headers, "{}").header("X-RateLimit-Remaining");
    };
    const bool believed = forwarded_count > 0;
    EXPECT_EQ(remaining("X-Forwarded-For: 192.0.2.1, 192.0.2.99\r\n"), "9");
    EXPECT_EQ(remaining("X-Forwarded-For: 192.0.2.2, 192.0.2.99\r\n"), believed ? "9" : "8");
    EXPECT_EQ(remaining("X-Forwarded-For: 10.0.0.1, 192.0.2.1, 192.0.2.98\r\n"),
              believed ? "8" : "7");
    EXPECT_EQ(remaining("X-Real-Ip: 192.0.2.3\r\n"), believed ? "9" : "6");
    EXPECT_EQ(remaining("X-Real-Ip: 192.0.2.1\r\n"), believed ? "7" : "5");
    // Too short a list: the socket's address.
    EXPECT_EQ(remaining("X-Forwarded-For: 192.0.2.1\r\n"), believed ? "9" : "4");
  }
}

}  // namespace
}  // namespace tokend::api
