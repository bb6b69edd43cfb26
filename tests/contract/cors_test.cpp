// Preflights and what other origins may read: contract 4.5 and 9.8, with CORS on.

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

constexpr const char* kAllowHeaders =
    "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token";
constexpr const char* kAllowMethods = "GET, POST, PUT, DELETE, HEAD, PATCH";

class CorsForAll : public ServerSuite<CorsForAll> {
 public:
  static ServerSettings settings() { return {.environment = {{"API_Enable_CORS", "true"}}}; }
};

class CorsForAList : public ServerSuite<CorsForAList> {
 public:
  static ServerSettings settings() {
    return {
        .flags = {"--cors", "--cors-origin", "https://a.example.org, http://b.example.org:8080"}};
  }
};

HeaderList preflight_headers(const std::string& origin) {
  return {{"Origin", origin},
          {"Access-Control-Request-Method", "POST"},
          {"Access-Control-Request-Headers", "x-auth-token,x-user-id"}};
}

TEST_F(CorsForAll, PreflightIs200ForAnyOrigin) {
  const Response response = client().call({.method = "OPTIONS",
                                           .target = kCreateToken,
                                           .headers = preflight_headers("https://any.example")});
  EXPECT_TRUE(answers(response, 200, ""));
  EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(response.header("Access-Control-Allow-Methods"), kAllowMethods);
  EXPECT_EQ(response.header("Access-Control-Allow-Headers"), kAllowHeaders);
  EXPECT_EQ(response.count("Vary"), 0U);
}

TEST_F(CorsForAList, PreflightIs200ForAListedOriginAnd403ForOthers) {
  for (const std::string origin : {"https://a.example.org", "http://b.example.org:8080"}) {
    const Response response = client().call(
        {.method = "OPTIONS", .target = kCreateToken, .headers = preflight_headers(origin)});
    EXPECT_TRUE(answers(response, 200, ""));
    EXPECT_EQ(response.header("Access-Control-Allow-Origin"), origin);
    EXPECT_EQ(response.header("Access-Control-Allow-Methods"), kAllowMethods);
    EXPECT_EQ(response.header("Access-Control-Allow-Headers"), kAllowHeaders);
    EXPECT_EQ(response.header("Vary"), "Origin");
  }
  const Response refused = client().call({.method = "OPTIONS",
                                          .target = kCreateToken,
                                          .headers = preflight_headers("https://b.example.org")});
  EXPECT_TRUE(answers(refused, 403, "Invalid origin"));
  EXPECT_EQ(refused.count("Access-Control-Allow-Origin"), 0U);
  EXPECT_EQ(refused.count("Access-Control-Allow-Methods"), 0U);
}

TEST_F(CorsForAList, AnswersNameTheOriginThatAsked) {
  HeaderList headers = headers_of(admin());
  headers.emplace_back("Origin", "https://a.example.org");
  const Response named =
      client().call({.method = "GET", .target = "/api/v1/me", .headers = headers});
  EXPECT_EQ(named.status, 200);
  EXPECT_EQ(named.header("Access-Control-Allow-Origin"), "https://a.example.org");
  EXPECT_EQ(named.header("Vary"), "Origin");
  const Response unnamed = client().get("/api/v1/me", &admin());
  EXPECT_EQ(unnamed.status, 200);
  EXPECT_EQ(unnamed.count("Access-Control-Allow-Origin"), 0U);
  EXPECT_EQ(unnamed.header("Vary"), "Origin");
}

}  // namespace
}  // namespace tokend::tests
