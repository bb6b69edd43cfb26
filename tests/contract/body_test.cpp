// How bodies are read, on every route: contract 9.4 and 9.5.

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

class RequestBody : public ServerSuite<RequestBody> {
 public:
  static ServerSettings settings() { return {}; }
};

std::string nested(int depth) {
  // The object itself is the first level.
  return "{\"x\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

const std::vector<std::string>& invalid_bodies() {
  static const std::vector<std::string> bodies = {
      "{",
      "}",
      "{]",
      "nonsense",
      "{\"userId\":\"a\"",
      "{\"userId\":\"a}",
      "{\"userId\" \"a\"}",
      "{\"userId\":}",
      "{\"userId\":\"a\",}",
      "{,}",
      "{'userId':'a'}",
      "{userId:\"a\"}",
      "{} {}",
      "{}x",
      "{}]",
      "{/* no */}",
      "{\"x\":01}",
      "{\"x\":+1}",
      "{\"x\":.5}",
      "{\"x\":1.}",
      "{\"x\":1e}",
      "{\"x\":0x10}",
      "{\"x\":NaN}",
      "{\"x\":Infinity}",
      "{\"x\":True}",
      "{\"x\":nul}",
      "{\"x\":\"\\x\"}",
      "{\"x\":\"\\u12\"}",
      "{\"x\":\"\\u12g4\"}",
      // JSON that is not an object.
      "[]",
      "[{\"userId\":\"a\"}]",
      "\"userId\"",
      "1",
      "true",
      "null",
      // Invalid UTF-8, in values and in keys: a stray continuation, an overlong form, a surrogate,
      // beyond U+10FFFF, a cut sequence, Latin-1.
      "{\"x\":\"\x80\"}",
      "{\"x\":\"\xc0\xaf\"}",
      "{\"x\":\"\xed\xa0\x80\"}",
      "{\"x\":\"\xf4\x90\x80\x80\"}",
      "{\"x\":\"\xe2\x82\"}",
      "{\"\xfc\":1}",
      // Lone surrogates, also where nobody looks.
      "{\"x\":\"\\ud800\"}",
      "{\"x\":\"\\udc00\"}",
      "{\"x\":\"\\ud800\\ud800\"}",
      "{\"x\":\"\\udc00\\ud800\"}",
      "{\"x\":\"\\ud83dx\"}",
      "{\"\\ud800\":1}",
      "{\"x\":[{\"y\":\"\\udfff\"}]}",
      // A BOM; raw control characters; NUL.
      "\xef\xbb\xbf{}",
      "{\"x\":\"\n\"}",
      "{\"x\":\"\t\"}",
      std::string("{\"x\":\"\0\"}", 9),
      std::string("{}\0", 3),
      "{\"x\":\"\x1f\"}",
      "\xc2\xa0{}",
      "\v{}",
      // Nesting deeper than 64.
      nested(65),
      nested(1000),
      std::string(60'000, '['),
  };
  return bodies;
}

TEST_F(RequestBody, InvalidJsonIsRefusedByName) {
  for (const std::string& body : invalid_bodies()) {
    const Response response = create_token(body, &admin());
    EXPECT_TRUE(answers(response, 400, kInvalidJson)) << body.substr(0, 100);
    EXPECT_EQ(response.header("Content-Type"), "application/json");
  }
}

TEST_F(RequestBody, InvalidJsonIsRefusedOnEveryRouteThatReadsABody) {
  for (const char* route :
       {"login", "users.create", "users.delete", "users.setActiveStatus", "users.logout",
        "users.removeOtherTokens", "users.generatePersonalAccessToken",
        "users.regeneratePersonalAccessToken", "users.removePersonalAccessToken",
        "users.logoutOtherClients", "permissions.update", "roles.addUserToRole",
        "roles.removeUserFromRole"}) {
    for (const char* body : {"{not json", "[]", "{\"x\":\"\\ud800\"}", "\xef\xbb\xbf{}"}) {
      EXPECT_TRUE(answers(client().post(std::string("/api/v1/") + route, body, &admin()), 400,
                          kInvalidJson))
          << route << " " << body;
    }
  }
}

TEST_F(RequestBody, UncommonButValidJsonIsRead) {
  const std::string target = "\"userId\":\"" + admin().user_id + "\"";
  for (const std::string& body :
       {" \t\r\n{ \"x\" : [ ] , " + target + " } \r\n", "{\"x\":\"\\ud83d\\ude00\"," + target + "}",
        "{\"x\":\"\xf0\x9f\x98\x80\"," + target + "}", "{\"\":\"\"," + target + "}",
        "{\"x\":-0," + target + "}", "{\"x\":1.5E+300," + target + "}",
        "{\"x\":12345678901234567890," + target + "}", "{\"x\":\"\\u0000\"," + target + "}",
        "{\"x\":\"\x7f\"," + target + "}", "{\"x\":\"\\/\\b\\f\\n\\r\\t\\\"\\\\\"," + target + "}",
        nested(64).insert(1, target + ",")}) {
    EXPECT_TRUE(answers(create_token(body, &admin()), 200, kIssued)) << body;
  }
}

// A number of the 8.x original may be any JSON number, also one that no integer holds.
TEST_F(RequestBody, NumbersBeyondEveryIntegerAreStillJson) {
  const std::string target = "\"userId\":\"" + admin().user_id + "\"";
  EXPECT_TRUE(
      answers(create_token("{\"x\":123456789012345678901234567890," + target + "}", &admin()), 200,
              kIssued));
}

TEST_F(RequestBody, JsonContentTypesAreRead) {
  for (const char* type :
       {"application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8",
        "APPLICATION/JSON", "Application/Json ; x=y", ""}) {
    EXPECT_TRUE(
        answers(client().post(kCreateToken, json_pair("userId", admin().user_id), &admin(), type),
                200, kIssued))
        << type;
  }
}

TEST_F(RequestBody, OtherContentTypesAreUnsupported) {
  for (const char* type : {"text/plain", "application/xml", "multipart/form-data; boundary=x",
                           "application/jsonx", "application", "json", "text/json",
                           "application/x-www-form-urlencodedx", "application/json-patch+json"}) {
    const Response response =
        client().post(kCreateToken, json_pair("userId", admin().user_id), &admin(), type);
    EXPECT_TRUE(answers(response, 415, kUnsupportedMediaType)) << type;
    EXPECT_EQ(response.header("Content-Type"), "application/json");
  }
}

TEST_F(RequestBody, FormNeverHasInvalidBytesThatReachAName) {
  for (const char* body : {"username=%ff%fe", "username=%c0%af", "username=%", "username=%zz"}) {
    const Response response =
        client().post(kCreateToken, body, &admin(), "application/x-www-form-urlencoded");
    EXPECT_EQ(response.status, 400) << body << response;
  }
}

}  // namespace
}  // namespace tokend::tests
