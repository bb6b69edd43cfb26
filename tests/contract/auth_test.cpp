// GET /auth, what a gateway asks.

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

class Auth : public ServerSuite<Auth> {
 protected:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  Response ask(Headers headers, const std::string& method = "GET") {
    return client().call({.method = method, .target = "/auth", .headers = std::move(headers)});
  }
  Response ask_as(const Credentials& caller) { return client().get("/auth", &caller); }
  static std::string bearer(const Credentials& caller) { return "Bearer " + caller.token; }
};

TEST_F(Auth, TellsWhoseTokenItIsInBothForms) {
  const Person person = make_user();
  const Credentials token = client().issue(admin(), person.id);
  for (const Response& response : {ask_as(token), ask({{"Authorization", bearer(token)}}),
                                   ask({{"authorization", "bEARER   " + token.token}})}) {
    EXPECT_TRUE(answers(response, 200, ""));
    EXPECT_EQ(response.header("X-User-Id"), person.id);
    EXPECT_EQ(response.header("X-User-Roles"), "user");
    EXPECT_EQ(response.header("Cache-Control"), "no-store");
    EXPECT_EQ(response.header("Content-Length"), "0");
  }
}

TEST_F(Auth, NamesEveryRole) {
  EXPECT_THAT(ask_as(admin()).header("X-User-Roles"), HasSubstr("admin"));
  const Person person = make_user(R"(,"roles":["user","moderator"])");
  const Credentials token = client().issue(admin(), person.id);
  EXPECT_EQ(ask_as(token).header("X-User-Roles"), "moderator,user");
}

TEST_F(Auth, HeadIsAnsweredAlike) {
  const Response response = ask({{"Authorization", bearer(admin())}}, "HEAD");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("X-User-Id"), admin().user_id);
}

TEST_F(Auth, WithoutCredentialsAsksForSome) {
  for (const Response& response :
       {ask({}), ask({{"X-Auth-Token", admin().token}}), ask({{"Authorization", "Basic YTpi"}}),
        ask({{"Authorization", "Bearer"}}), ask({{"Authorization", "Bearer "}}),
        ask({{"Authorization", bearer(admin())}, {"Authorization", bearer(admin())}}),
        ask({{"Authorization", bearer(admin())},
             {"X-Auth-Token", admin().token},
             {"X-User-Id", admin().user_id}})}) {
    EXPECT_TRUE(answers(response, 401, ""));
    EXPECT_EQ(response.header("WWW-Authenticate"), "Bearer realm=\"tokend\"");
    EXPECT_EQ(response.header("X-User-Id"), "");
  }
}

TEST_F(Auth, WrongAndRevokedTokensAreRefused) {
  const Person person = make_user();
  const Credentials token = client().issue(admin(), person.id);
  std::string changed = token.token;
  changed[10] = changed[10] == 'a' ? 'b' : 'a';
  const auto refused = [&](const Response& response) {
    EXPECT_TRUE(answers(response, 401, ""));
    EXPECT_EQ(response.header("WWW-Authenticate"),
              R"(Bearer realm="tokend", error="invalid_token")");
  };
  refused(ask({{"Authorization", "Bearer " + changed}}));
  refused(ask({{"Authorization", "Bearer " + std::string(3000, 'x')}}));
  refused(ask_as({admin().user_id, token.token}));
  EXPECT_EQ(ask_as(token).status, 200);
  set_active(person, false);
  refused(ask_as(token));
  refused(ask({{"Authorization", bearer(token)}}));
}

TEST_F(Auth, OtherCallsTakeNoBearerToken) {
  const Response response = client().call(
      {.method = "GET", .target = "/api/v1/me", .headers = {{"Authorization", bearer(admin())}}});
  EXPECT_TRUE(answers(response, 401, kMustBeLoggedIn));
}

TEST_F(Auth, OtherMethodsAreNotServed) {
  const Response response = ask({{"Authorization", bearer(admin())}}, "POST");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.header("Allow"), "GET, HEAD, OPTIONS");
}

}  // namespace
}  // namespace tokend::tests
