// GET users.listTokens and POST users.revokeToken against the real server.

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;

constexpr const char* kList = "/api/v1/users.listTokens";
constexpr const char* kRevoke = "/api/v1/users.revokeToken";
constexpr const char* kDone = R"({"success":true})";

std::vector<std::string> ids_of(const Response& response) {
  std::vector<std::string> ids;
  constexpr std::string_view kId = R"({"id":")";
  for (std::size_t at = 0; (at = response.body.find(kId, at)) != std::string::npos; ++at) {
    ids.push_back(response.body.substr(at + kId.size(), 32));
  }
  return ids;
}

class UserTokens : public ServerSuite<UserTokens> {
 protected:
  Response list(const Credentials& caller, const std::string& query = "") {
    return client().get(kList + query, &caller);
  }
};

TEST_F(UserTokens, AreListedInPages) {
  const Person person = make_user();
  const Credentials login = log_in(person);
  const Credentials issued = client().issue(admin(), person.id);
  const Response all = list(login);
  EXPECT_TRUE(answers(all, 200,
                      R"({"tokens":[{"id":"<text>","kind":"login","createdAt":"<time>",)"
                      R"("expiresAt":"<time>","issuer":")" +
                          person.id + R"(","current":true},{"id":"<text>","kind":"issued",)" +
                          R"("createdAt":"<time>","expiresAt":"<time>","issuer":")" +
                          admin().user_id + R"(","current":false}],"count":2,"offset":0,)" +
                          R"("total":2,"success":true})"));
  const Response page = list(issued, "?offset=1&count=1");
  EXPECT_TRUE(answers(page, 200,
                      R"({"tokens":[{<any>"current":true}],"count":1,"offset":1,"total":2,)"
                      R"("success":true})"));
  EXPECT_EQ(ids_of(page), std::vector<std::string>{ids_of(all).at(1)});
  EXPECT_EQ(ids_of(list(admin(), "?userId=" + person.id)), ids_of(all));
  EXPECT_TRUE(answers(list(login, "?userId=" + admin().user_id), 403, kForbidden));
  EXPECT_TRUE(answers(list(admin(), "?userId=nobody"), 400, kUnknownTarget));
}

TEST_F(UserTokens, ARevokedOneIsRefusedOnEveryCore) {
  const Person person = make_user();
  const Credentials login = log_in(person);
  for (int round = 0; round < 10; ++round) {
    const Credentials token = client().issue(admin(), person.id);
    const std::vector<std::string> ids = ids_of(list(login));
    ASSERT_EQ(ids.size(), 2U);
    // Connections spread over the cores: by each the token is known.
    std::vector<HttpClient> connections;
    const Call me{.target = "/api/v1/me", .headers = headers_of(token)};
    for (int count = 0; count < 8; ++count) {
      connections.push_back(connect());
      EXPECT_EQ(connections.back().exchange(me).status, 200);
    }
    const bool by_id = round % 2 == 0;
    const std::string body = by_id ? json_pair("tokenId", ids[1]) : json_pair("token", token.token);
    EXPECT_TRUE(answers(client().post(kRevoke, body, &login), 200, kDone));
    for (HttpClient& connection : connections) EXPECT_EQ(connection.exchange(me).status, 401);
    EXPECT_TRUE(answers(client().post(kRevoke, body, &login), 200, kDone));
    EXPECT_EQ(ids_of(list(login)), std::vector<std::string>{ids[0]});
  }
}

TEST_F(UserTokens, AnothersIsRevokedWithThePermissionOnly) {
  const Credentials one = log_in(make_user());
  const Credentials other = log_in(make_user());
  const std::string body = json_pair("tokenId", ids_of(list(one)).at(0));
  EXPECT_TRUE(answers(client().post(kRevoke, body, &other), 403, kForbidden));
  EXPECT_TRUE(client().authenticates(one));
  EXPECT_TRUE(answers(client().post(kRevoke, body, &admin()), 200, kDone));
  EXPECT_FALSE(client().authenticates(one));
}

TEST(UserTokensAfterACrash, AreAsTheyWereAnswered) {
  ServerProcess own;
  ASSERT_TRUE(own.start()) << own.report();
  Credentials kept, revoked;
  std::string before;
  {
    ApiClient client(own);
    const Credentials admin = client.login_admin();
    const Person person = client.create_user(admin, "anna");
    kept = client.issue(admin, person.id);
    revoked = client.issue(admin, person.id);
    const std::string id = ids_of(client.get(kList, &kept)).at(1);
    ASSERT_TRUE(answers(client.post(kRevoke, json_pair("tokenId", id), &kept), 200, kDone));
    before = client.get(kList, &kept).body;
    EXPECT_THAT(before, HasSubstr(R"("total":1)"));
  }
  own.kill();
  ASSERT_TRUE(own.start()) << own.report();
  ApiClient client(own);
  EXPECT_FALSE(client.authenticates(revoked));
  // The ids too are what they were.
  EXPECT_EQ(client.get(kList, &kept).body, before);
  EXPECT_EQ(own.stop(), 0) << own.report();
}

}  // namespace
}  // namespace tokend::tests
