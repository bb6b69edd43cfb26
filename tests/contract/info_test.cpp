// What needs no login, and what is said to requests that no route takes: info, health, 404, 405,
// OPTIONS, HEAD, CORS (contract 4.5, 5, 9.7, 9.8 and 9.19).

#include <gmock/gmock.h>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;

class Info : public ServerSuite<Info> {
 public:
  static ServerSettings settings() { return {}; }

 protected:
  static void expect_api_headers(const Response& response) {
    EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*") << response;
    EXPECT_EQ(response.header("Access-Control-Allow-Headers"),
              "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token");
    EXPECT_EQ(response.header("Cache-Control"), "no-store") << response;
    EXPECT_EQ(response.header("Pragma"), "no-cache") << response;
    EXPECT_NE(response.header("X-Instance-ID"), "") << response;
  }
};

TEST_F(Info, AnonymousCallerGetsMajorAndMinor) {
  for (const char* path : {"/api/info", "/api/v1/info"}) {
    const Response response = client().get(path);
    ASSERT_EQ(response.status, 200) << response;
    const std::string version = string_field(response.body, "version");
    EXPECT_THAT(version, testing::MatchesRegex("[0-9]+\\.[0-9]+"));
    EXPECT_TRUE(matches(response.body, R"({"version":"<text>"<any>,"success":true})"));
    EXPECT_EQ(response.header("Content-Type"), "application/json");
    expect_api_headers(response);
  }
}

TEST_F(Info, HealthIsPlainText) {
  const Response response = client().get("/health");
  EXPECT_TRUE(answers(response, 200, "ok"));
  EXPECT_THAT(response.header("Content-Type"), testing::StartsWith("text/plain"));
}

TEST_F(Info, LivenessAndReadinessAreJson) {
  for (const char* path : {"/livez", "/readyz"}) {
    const Response response = client().get(path);
    EXPECT_TRUE(answers(response, 200, "{<any>}")) << path;
    EXPECT_EQ(response.header("Content-Type"), "application/json") << path;
  }
}

TEST_F(Info, HeadIsGetWithoutTheBody) {
  for (const char* path : {"/api/info", "/livez", "/readyz", "/health", "/api/v1/me"}) {
    HttpClient raw = connect();
    const Response get = raw.exchange({.method = "GET", .target = path});
    const Response head = raw.exchange({.method = "HEAD", .target = path});
    EXPECT_EQ(head.status, get.status) << path;
    EXPECT_EQ(head.header("Content-Length"), std::to_string(get.body.size())) << path;
    EXPECT_EQ(head.header("Content-Type"), get.header("Content-Type")) << path;
    // Nothing of a body stands between it and the next answer.
    EXPECT_EQ(raw.exchange({.method = "GET", .target = "/health"}).body, "ok");
  }
}

TEST_F(Info, HeadOfMeIsAnsweredForTheCaller) {
  const Response head =
      client().call({.method = "HEAD", .target = "/api/v1/me", .headers = headers_of(admin())});
  EXPECT_EQ(head.status, 200);
  EXPECT_NE(head.header("Content-Length"), "0");
}

TEST_F(Info, UnknownPathsAreNotFound) {
  for (const char* path : {"/",
                           "/api",
                           "/api/",
                           "/api/v1",
                           "/api/v1/",
                           "/api/v1/nothing",
                           "/api/v2/info",
                           "/api/info/",
                           "/api/v1/me/",
                           "/api/v1/ME",
                           "/API/v1/me",
                           "/api/v1/users.createtoken",
                           "/api/v1/users.createToken/",
                           "//api/v1/me",
                           "/api/v1/%6de",
                           "/api/v1/./me",
                           "/api/v1/login/../me",
                           "/Health",
                           "/favicon.ico",
                           "/websocket"}) {
    for (const char* method : {"GET", "POST"}) {
      const Response response = client().call({.method = method, .target = path});
      EXPECT_TRUE(answers(response, 404, kNotFound)) << method << " " << path;
      EXPECT_EQ(response.header("Content-Type"), "application/json");
      if (std::string_view(path).starts_with("/api/")) expect_api_headers(response);
    }
  }
}

TEST_F(Info, WrongMethodsAreNotAllowed) {
  struct Row {
    const char* method;
    const char* path;
    std::vector<std::string> allowed;
  };
  const std::vector<Row> table = {
      {"GET", kCreateToken, {"POST", "OPTIONS"}},
      {"HEAD", kCreateToken, {"POST", "OPTIONS"}},
      {"PUT", kCreateToken, {"POST", "OPTIONS"}},
      {"DELETE", kCreateToken, {"POST", "OPTIONS"}},
      {"PATCH", kCreateToken, {"POST", "OPTIONS"}},
      {"GET", "/api/v1/users.create", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/users.delete", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/users.update", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/users.setActiveStatus", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/users.logout", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/users.removeOtherTokens", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/users.generatePersonalAccessToken", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/users.regeneratePersonalAccessToken", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/users.removePersonalAccessToken", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/users.logoutOtherClients", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/permissions.update", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/roles.addUserToRole", {"POST", "OPTIONS"}},
      {"GET", "/api/v1/roles.removeUserFromRole", {"POST", "OPTIONS"}},
      {"POST", "/api/v1/me", {"GET", "HEAD", "OPTIONS"}},
      {"POST", "/api/v1/users.info", {"GET", "HEAD", "OPTIONS"}},
      {"POST", "/api/v1/users.list", {"GET", "HEAD", "OPTIONS"}},
      {"POST", "/api/v1/permissions.listAll", {"GET", "HEAD", "OPTIONS"}},
      {"POST", "/api/v1/roles.list", {"GET", "HEAD", "OPTIONS"}},
      {"POST", "/api/info", {"GET", "HEAD", "OPTIONS"}},
      {"POST", "/health", {"GET", "HEAD"}},
      {"POST", "/livez", {"GET", "HEAD"}},
      {"PUT", "/api/v1/logout", {"GET", "HEAD", "POST", "OPTIONS"}},
      {"PROPFIND", "/api/v1/me", {"GET", "HEAD", "OPTIONS"}},
  };
  for (const Row& row : table) {
    const Response response = client().call({.method = row.method, .target = row.path});
    EXPECT_TRUE(
        answers(response, 405, std::string_view(row.method) == "HEAD" ? "" : kMethodNotAllowed))
        << row.method << " " << row.path;
    const std::string allow = ", " + response.header("Allow") + ", ";
    for (const std::string& method : row.allowed) {
      EXPECT_THAT(allow, HasSubstr(", " + method + ", ")) << row.method << " " << row.path;
    }
    EXPECT_THAT(allow, testing::Not(HasSubstr(", " + std::string(row.method) + ", ")));
    if (std::string_view(row.path).starts_with("/api/")) expect_api_headers(response);
  }
}

TEST_F(Info, PlainOptionsIs204WithAllow) {
  const Response response = client().call({.method = "OPTIONS", .target = kCreateToken});
  EXPECT_EQ(response.status, 204) << response;
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(response.count("Content-Length"), 0U);
  EXPECT_THAT(response.header("Allow"), HasSubstr("POST"));
  EXPECT_THAT(response.header("Allow"), HasSubstr("OPTIONS"));
}

TEST_F(Info, PreflightIsOffByDefault) {
  const Response response = client().call(
      {.method = "OPTIONS",
       .target = kCreateToken,
       .headers = {{"Origin", "https://example.com"}, {"Access-Control-Request-Method", "POST"}}});
  EXPECT_EQ(response.status, 405) << response;
  EXPECT_THAT(response.header("Content-Type"), testing::StartsWith("text/plain"));
  EXPECT_THAT(response.header("Allow"), HasSubstr("POST"));
  EXPECT_EQ(response.count("Access-Control-Allow-Methods"), 0U);
}

TEST_F(Info, InstanceIdIsTheSameForAllAndNewAfterARestart) {
  const std::string first = client().get("/api/info").header("X-Instance-ID");
  for (int time = 0; time < 10; ++time) {
    ApiClient fresh(server());
    EXPECT_EQ(fresh.get("/api/v1/info").header("X-Instance-ID"), first);
  }
}

// Contract 5: a popular client opens it as soon as it is constructed and retries.
TEST_F(Info, WebsocketIsRefusedAtOnce) {
  HttpClient raw = connect();
  const auto begin = std::chrono::steady_clock::now();
  const Response response =
      raw.exchange({.method = "GET",
                    .target = "/websocket",
                    .headers = {{"Connection", "Upgrade"},
                                {"Upgrade", "websocket"},
                                {"Sec-WebSocket-Version", "13"},
                                {"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}}});
  EXPECT_TRUE(answers(response, 404, kNotFound));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500));
}

TEST_F(Info, GetWithContentTypeAndNoContentIsServed) {
  HeaderList headers = headers_of(admin());
  headers.emplace_back("content-type", "application/json");
  headers.emplace_back("Content-Length", "0");
  EXPECT_EQ(client().call({.method = "GET", .target = "/api/v1/me", .headers = headers}).status,
            200);
}

TEST_F(Info, QueryDoesNotChangeTheRoute) {
  EXPECT_EQ(client().get("/api/info?x=/api/v1/me").status, 200);
  EXPECT_EQ(client().get("/health?").body, "ok");
}

}  // namespace
}  // namespace tokend::tests
