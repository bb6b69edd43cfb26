// Personal access tokens against the real server (contract section 3, 9.18).

#include <gmock/gmock.h>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

constexpr const char* kGenerate = "/api/v1/users.generatePersonalAccessToken";
constexpr const char* kRegenerate = "/api/v1/users.regeneratePersonalAccessToken";
constexpr const char* kRemove = "/api/v1/users.removePersonalAccessToken";
constexpr const char* kList = "/api/v1/users.getPersonalAccessTokens";
constexpr const char* kTokenAnswer = R"({"token":"<token>","success":true})";

Credentials token_of(ApiClient& client, const char* path, const Credentials& caller,
                     const std::string& name) {
  const Response response = client.post(path, json_pair("tokenName", name), &caller);
  EXPECT_TRUE(answers(response, 200, kTokenAnswer));
  return {caller.user_id, string_field(response.body, "token")};
}

class PersonalTokens : public ServerSuite<PersonalTokens> {
 public:
  static ServerSettings settings() {
    return {.flags = {"--max-resume-login-tokens", "3", "--max-personal-access-tokens", "4"}};
  }
};

TEST_F(PersonalTokens, AreIssuedListedReplacedAndRemoved) {
  const Credentials caller = log_in(make_user());
  const Credentials first = token_of(client(), kGenerate, caller, "one");
  const Credentials second = token_of(client(), kGenerate, first, "two");
  EXPECT_TRUE(answers(client().get(kList, &second), 200,
                      R"({"tokens":[{"name":"one","createdAt":"<time>","lastTokenPart":")" +
                          first.token.substr(37) +
                          R"(","bypassTwoFactor":false},{"name":"two","createdAt":"<time>",)"
                          R"("lastTokenPart":")" +
                          second.token.substr(37) +
                          R"(","bypassTwoFactor":false}],"success":true})"));
  const Credentials again = token_of(client(), kRegenerate, second, "one");
  EXPECT_FALSE(client().authenticates(first));
  EXPECT_TRUE(client().authenticates(again));
  EXPECT_TRUE(answers(client().post(kRemove, json_pair("tokenName", "two"), &caller), 200,
                      R"({"success":true})"));
  EXPECT_FALSE(client().authenticates(second));
}

TEST_F(PersonalTokens, AreNotCountedInTheLimitOfTheDatedOnesAndHaveTheirOwn) {
  const Person person = make_user();
  const Credentials dated = log_in(person);
  std::vector<Credentials> tokens;
  for (const char* name : {"1", "2", "3", "4"}) {
    tokens.push_back(token_of(client(), kGenerate, dated, name));
  }
  EXPECT_TRUE(client().authenticates(dated));
  EXPECT_TRUE(answers(client().post(kGenerate, json_pair("tokenName", "5"), &dated), 400,
                      R"({"success":false,"error":"<text>[error-too-many-tokens]",<any>})"));
  for (int count = 0; count < 3; ++count) static_cast<void>(client().issue(admin(), person.id));
  EXPECT_FALSE(client().authenticates(dated));
  for (const Credentials& token : tokens) EXPECT_TRUE(client().authenticates(token));
}

TEST_F(PersonalTokens, EndWithTheirUser) {
  const Person person = make_user();
  const Credentials token = token_of(client(), kGenerate, log_in(person), "ci");
  set_active(person, false);
  EXPECT_FALSE(client().authenticates(token));
  set_active(person, true);
  EXPECT_FALSE(client().authenticates(token));
  EXPECT_TRUE(answers(client().get(kList, &admin()), 200, R"({"tokens":[],"success":true})"));
}

TEST(PersonalTokensAfterACrash, AreAsTheyWereAnswered) {
  ServerProcess own;
  ASSERT_TRUE(own.start()) << own.report();
  Credentials login, kept, old, fresh, removed;
  std::string list;
  {
    ApiClient client(own);
    const Credentials admin = client.login_admin();
    const Person person = client.create_user(admin, "anna");
    login = client.login(person.username, person.password);
    kept = token_of(client, kGenerate, login, "kept");
    old = token_of(client, kGenerate, login, "replaced");
    removed = token_of(client, kGenerate, login, "removed");
    fresh = token_of(client, kRegenerate, login, "replaced");
    ASSERT_EQ(client.post(kRemove, json_pair("tokenName", "removed"), &login).status, 200);
    ASSERT_EQ(client.post("/api/v1/users.logoutOtherClients", "", &kept).status, 200);
    list = client.get(kList, &kept).body;
  }
  own.kill();
  ASSERT_TRUE(own.start()) << own.report();
  ApiClient client(own);
  EXPECT_FALSE(client.authenticates(login));
  EXPECT_FALSE(client.authenticates(old));
  EXPECT_FALSE(client.authenticates(removed));
  EXPECT_TRUE(client.authenticates(kept));
  EXPECT_TRUE(client.authenticates(fresh));
  EXPECT_EQ(client.get(kList, &fresh).body, list);
  EXPECT_EQ(own.stop(), 0) << own.report();
  EXPECT_EQ(own.secrets_in_log(), std::vector<std::string>{});
}

}  // namespace
}  // namespace tokend::tests
