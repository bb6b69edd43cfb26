// POST /oauth2/introspect against the real server (RFC 7662).

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;

constexpr const char* kIntrospect = "/oauth2/introspect";
constexpr const char* kFormType = "application/x-www-form-urlencoded";
constexpr const char* kInactive = R"({"active":false})";

class Introspection : public ServerSuite<Introspection> {
 protected:
  Response ask(const std::string& form, const Credentials* caller) {
    return client().post(kIntrospect, form, caller, kFormType);
  }
  static std::string active(const Credentials& holder, const std::string& username) {
    return R"({"active":true,"sub":")" + holder.user_id + R"(","username":")" + username +
           R"(","token_type":"Bearer","jti":"<text>","iat":<int>,"exp":<int>})";
  }
};

TEST_F(Introspection, TellsAValidTokenFromEveryOther) {
  const Person person = make_user();
  const Credentials token = client().issue(admin(), person.id);
  const Response response = ask("token=" + token.token + "&token_type_hint=access_token", &admin());
  EXPECT_TRUE(answers(response, 200, active(token, person.username)));
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_EQ(response.header("Cache-Control"), "no-store");
  EXPECT_EQ(integer_field(response.body, "exp") - integer_field(response.body, "iat"), 90 * 86'400);

  EXPECT_TRUE(answers(ask("token=" + token.token + "x", &admin()), 200, kInactive));
  ASSERT_EQ(client().post("/api/v1/logout", "", &token).status, 200);
  EXPECT_TRUE(answers(ask("token=" + token.token, &admin()), 200, kInactive));
}

TEST_F(Introspection, IsForCallersWithThePermission) {
  const Credentials user = log_in(make_user());
  const std::string form = "token=" + user.token;
  const Response unknown = ask(form, nullptr);
  EXPECT_TRUE(answers(unknown, 401, R"({"error":"invalid_client",<any>})"));
  EXPECT_EQ(unknown.header("WWW-Authenticate"), R"(Bearer realm="tokend")");
  const Response refused = ask(form, &user);
  EXPECT_TRUE(answers(refused, 403, R"({"error":"insufficient_scope",<any>})"));
  EXPECT_THAT(refused.header("WWW-Authenticate"), HasSubstr("insufficient_scope"));
  const Response bearer = client().call(
      {.method = "POST",
       .target = kIntrospect,
       .headers = {{"Authorization", "Bearer " + admin().token}, {"Content-Type", kFormType}},
       .body = form});
  EXPECT_TRUE(answers(bearer, 200, R"({"active":true,<any>})"));
}

TEST_F(Introspection, MalformedRequestsAreToldSo) {
  EXPECT_TRUE(answers(ask("", &admin()), 400, R"({"error":"invalid_request",<any>})"));
  EXPECT_TRUE(answers(client().post(kIntrospect, json_pair("token", "x"), &admin()), 400,
                      R"({"error":"invalid_request",<any>})"));
  EXPECT_EQ(client().get(kIntrospect, &admin()).status, 405);
}

TEST_F(Introspection, ABatchIsAnsweredInOrder) {
  const Person person = make_user();
  const Credentials token = client().issue(admin(), person.id);
  std::string body = R"({"tokens":["nothing",")" + token.token + R"("]})";
  EXPECT_TRUE(answers(
      client().post("/oauth2/introspect/batch", body, &admin()), 200,
      R"({"results":[)" + std::string(kInactive) + "," + active(token, person.username) + "]}"));
  std::string most = R"(["x")";
  for (int count = 1; count < 100; ++count) most += R"(,"x")";
  EXPECT_EQ(
      client().post("/oauth2/introspect/batch", R"({"tokens":)" + most + "]}", &admin()).status,
      200);
  EXPECT_TRUE(answers(
      client().post("/oauth2/introspect/batch", R"({"tokens":)" + most + R"(,"x"]})", &admin()),
      400, R"({"error":"invalid_request","error_description":"<text>100 tokens<text>"})"));
}

}  // namespace
}  // namespace tokend::tests
