// users.createToken with CREATE_TOKENS_FOR_USERS=true: contract sections 1.1 to 1.3 as section 9
// decides, to the byte.

#include <gmock/gmock.h>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

class CreateToken : public ServerSuite<CreateToken> {
 public:
  static ServerSettings settings() { return {}; }
};

TEST_F(CreateToken, IssuesByUserId) {
  const Person person = make_user();
  const Response response = create_token(json_pair("userId", person.id), &admin());
  EXPECT_TRUE(answers(response, 200, kIssued));
  EXPECT_EQ(string_field(response.body, "userId"), person.id);
  EXPECT_TRUE(client().authenticates({person.id, string_field(response.body, "authToken")}));
}

TEST_F(CreateToken, IssuesByUsernameAndByUser) {
  const Person person = make_user();
  for (const char* key : {"username", "user"}) {
    const Response response = create_token(json_pair(key, person.username), &admin());
    EXPECT_TRUE(answers(response, 200, kIssued)) << key;
    EXPECT_EQ(string_field(response.body, "userId"), person.id) << key;
  }
}

TEST_F(CreateToken, EveryTokenIsAnother) {
  const Person person = make_user();
  EXPECT_NE(client().issue(admin(), person.id).token, client().issue(admin(), person.id).token);
}

TEST_F(CreateToken, AnswerHasTheContractsHeaders) {
  const Person person = make_user();
  const Response response = create_token(json_pair("userId", person.id), &admin());
  EXPECT_EQ(response.reason, "OK");
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_EQ(response.header("Cache-Control"), "no-store");
  EXPECT_EQ(response.header("Pragma"), "no-cache");
  EXPECT_NE(response.header("X-Instance-ID"), "");
  EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(response.header("Access-Control-Allow-Headers"),
            "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token");
  EXPECT_THAT(response.header("Date"), testing::HasSubstr(" GMT"));
}

TEST_F(CreateToken, UsernameIsFoundWithoutCase) {
  const Person person = client().create_user(admin(), fresh_name("MixedCase"));
  const std::string number = person.username.substr(person.username.find('.'));
  for (const std::string& name : {"mixedcase" + number, "MIXEDCASE" + number}) {
    EXPECT_EQ(string_field(create_token(json_pair("username", name), &admin()).body, "userId"),
              person.id)
        << name;
  }
}

TEST_F(CreateToken, UsernameOfAnyScriptIsFoundComposedOrNotAndWithoutCase) {
  const Person person = client().create_user(admin(), fresh_name("Ångström"));
  const std::string number = person.username.substr(person.username.find('.'));
  // The second one is decomposed: A and a ring, o and a diaeresis.
  for (const std::string& name : {"ångSTRÖM" + number, "A\u030angstro\u0308m" + number}) {
    EXPECT_EQ(string_field(create_token(json_pair("username", name), &admin()).body, "userId"),
              person.id)
        << name;
  }
}

TEST_F(CreateToken, UserIdIsExact) {
  const Person person = make_user();
  std::string swapped = person.id;
  for (char& byte : swapped) {
    byte = static_cast<char>(std::islower(byte) ? std::toupper(byte) : std::tolower(byte));
  }
  EXPECT_TRUE(answers(create_token(json_pair("userId", swapped), &admin()), 400, kUnknownTarget));
  EXPECT_TRUE(
      answers(create_token(json_pair("userId", person.username), &admin()), 400, kUnknownTarget));
}

TEST_F(CreateToken, NamesAreTrimmed) {
  const Person person = make_user();
  for (const std::string& body : {json_pair("userId", "  " + person.id + "\\t\\n"),
                                  json_pair("username", "\\u00a0 " + person.username + " \\u2003"),
                                  json_pair("user", "\\ufeff" + person.username)}) {
    EXPECT_EQ(string_field(create_token(body, &admin()).body, "userId"), person.id) << body;
  }
}

TEST_F(CreateToken, FirstNonBlankOfUserIdUsernameUserWins) {
  const Person first = make_user();
  const Person second = make_user();
  const auto target = [&](const std::string& body) {
    return string_field(create_token(body, &admin()).body, "userId");
  };
  const std::string by_id = "\"userId\":\"" + first.id + "\"";
  const std::string by_username = "\"username\":\"" + second.username + "\"";
  EXPECT_EQ(target("{" + by_username + "," + by_id + "}"), first.id);
  EXPECT_EQ(target("{\"user\":\"" + first.username + "\"," + by_username + "}"), second.id);
  EXPECT_EQ(target("{\"userId\":\" \\t\"," + by_username + "}"), second.id);
  EXPECT_EQ(target("{\"userId\":\"\",\"username\":\"  \",\"user\":\"" + first.username + "\"}"),
            first.id);
  // An unknown id is not passed over in favour of a known name.
  EXPECT_TRUE(answers(create_token("{\"userId\":\"nobody\"," + by_username + "}", &admin()), 400,
                      kUnknownTarget));
}

TEST_F(CreateToken, TargetThatIsNoStringCountsAsAbsent) {
  const Person person = make_user();
  for (const char* value : {"1", "0", "-1.5e3", "true", "false", "null", "[\"a\"]", "{\"a\":1}"}) {
    const std::string absent = "\"userId\":" + std::string(value);
    EXPECT_TRUE(answers(create_token("{" + absent + "}", &admin()), 400, kNoTarget)) << value;
    EXPECT_EQ(string_field(create_token("{" + absent + ",\"username\":\"" + person.username + "\"}",
                                        &admin())
                               .body,
                           "userId"),
              person.id)
        << value;
  }
}

TEST_F(CreateToken, WithoutATargetSaysSo) {
  for (const char* body : {"", "   \r\n\t ", "{}", R"({"userId":""})", R"({"username":"  "})",
                           R"({"User":"admin"})", R"({"secret":"x"})"}) {
    EXPECT_TRUE(answers(create_token(body, &admin()), 400, kNoTarget)) << body;
  }
}

TEST_F(CreateToken, UnknownTargetSaysSoToWhoMayKnow) {
  for (const char* key : {"userId", "username", "user"}) {
    EXPECT_TRUE(
        answers(create_token(json_pair(key, "nobody-at-all"), &admin()), 400, kUnknownTarget));
  }
  EXPECT_TRUE(answers(create_token(json_pair("userId", std::string(5000, 'a')), &admin()), 400,
                      kUnknownTarget));
  EXPECT_TRUE(answers(create_token(json_pair("username", std::string(5000, 'a')), &admin()), 400,
                      kUnknownTarget));
}

TEST_F(CreateToken, ExtraKeysAreIgnored) {
  const Person person = make_user();
  EXPECT_TRUE(answers(create_token(R"({"extra":[1,{"userId":"x"}],"userId":")" + person.id +
                                       R"(","secret":"whatever"})",
                                   &admin()),
                      200, kIssued));
}

TEST_F(CreateToken, OfRepeatedKeysTheLastWins) {
  const Person first = make_user();
  const Person second = make_user();
  EXPECT_EQ(
      string_field(create_token(R"({"userId":")" + first.id + R"(","userId":")" + second.id + "\"}",
                                &admin())
                       .body,
                   "userId"),
      second.id);
  EXPECT_TRUE(answers(create_token(R"({"userId":")" + first.id + R"(","userId":5})", &admin()), 400,
                      kNoTarget));
}

TEST_F(CreateToken, EscapedKeysAndValuesAreTheSameNames) {
  const Person person = make_user();
  std::string escaped;
  for (const char byte : person.id) {
    char text[8];
    std::snprintf(text, sizeof(text), "\\u%04x", static_cast<unsigned>(byte));
    escaped += text;
  }
  EXPECT_TRUE(
      answers(create_token("{\"user\\u0049d\":\"" + escaped + "\"}", &admin()), 200, kIssued));
}

TEST_F(CreateToken, QueryStringIsNotRead) {
  const Person person = make_user();
  EXPECT_TRUE(
      answers(client().post(std::string(kCreateToken) + "?userId=" + person.id, "", &admin()), 400,
              kNoTarget));
  EXPECT_TRUE(answers(client().post(std::string(kCreateToken) + "?userId=nobody",
                                    json_pair("userId", person.id), &admin()),
                      200, kIssued));
}

TEST_F(CreateToken, FormIsReadLikeJson) {
  const Person person = make_user();
  const auto form = [&](const std::string& body, const std::string& type) {
    return client().post(kCreateToken, body, &admin(), type);
  };
  const std::string type = "application/x-www-form-urlencoded";
  for (const std::string& body :
       {"username=" + person.username, "userId=" + person.id, "user=" + person.username,
        "username=%20" + person.username + "+", "a=b&username=" + person.username + "&c",
        "username=nobody&username=" + person.username, "userId=&username=" + person.username}) {
    const Response response = form(body, type);
    EXPECT_TRUE(answers(response, 200, kIssued)) << body;
    EXPECT_EQ(string_field(response.body, "userId"), person.id) << body;
  }
  EXPECT_TRUE(answers(form("userId=" + person.id, type + "; charset=UTF-8"), 200, kIssued));
  EXPECT_TRUE(
      answers(form("userId=" + person.id, "Application/X-WWW-Form-URLencoded"), 200, kIssued));
  EXPECT_TRUE(answers(form("", type), 400, kNoTarget));
  EXPECT_TRUE(answers(form("username=nobody%2Eat%2Eall", type), 400, kUnknownTarget));
}

TEST_F(CreateToken, FormNameOfAnyScriptIsDecoded) {
  const Person person = client().create_user(admin(), fresh_name("größe"));
  const std::string number = person.username.substr(person.username.find('.'));
  EXPECT_EQ(string_field(client()
                             .post(kCreateToken, "username=GR%C3%96%C3%9fE" + number, &admin(),
                                   "application/x-www-form-urlencoded")
                             .body,
                         "userId"),
            person.id);
}

TEST_F(CreateToken, OneselfNeedsNoPermission) {
  const Person person = make_user();
  const Credentials caller = log_in(person);
  for (const std::string& body :
       {json_pair("userId", person.id), json_pair("username", person.username)}) {
    const Response response = create_token(body, &caller);
    EXPECT_TRUE(answers(response, 200, kIssued)) << body;
    EXPECT_EQ(string_field(response.body, "userId"), person.id);
  }
}

TEST_F(CreateToken, IssuedTokenIssuesForItsHolderToo) {
  const Person person = make_user();
  const Credentials caller = client().issue(admin(), person.id);
  EXPECT_TRUE(answers(create_token(json_pair("userId", person.id), &caller), 200, kIssued));
}

// Contract 9.2: an outsider learns nothing about which users exist.
TEST_F(CreateToken, OutsiderGetsTheSameBytesForEveryTarget) {
  const Credentials outsider = log_in(make_user());
  const Person existing = make_user();
  const Person inactive = make_user();
  set_active(inactive, false);
  const auto answer_for = [&](const std::string& body) {
    Response response = create_token(body, &outsider);
    std::erase_if(response.headers, [](const auto& header) { return header.first == "Date"; });
    std::ostringstream text;
    text << response;
    return text.str();
  };
  const std::string refusal = answer_for(json_pair("userId", existing.id));
  EXPECT_THAT(refusal, testing::HasSubstr(kNotAuthorized));
  for (const std::string& body :
       {json_pair("username", existing.username), json_pair("userId", inactive.id),
        json_pair("username", inactive.username), json_pair("userId", "nobody"),
        json_pair("username", "nobody"), json_pair("userId", admin().user_id),
        json_pair("username", kAdminUsername), json_pair("username", "not a name!"),
        json_pair("userId", std::string(3000, 'x'))}) {
    EXPECT_EQ(answer_for(body), refusal) << body;
  }
}

// Contract 9.2: the target named comes before the permission.
TEST_F(CreateToken, OutsiderWithoutATargetIsToldSo) {
  const Credentials outsider = log_in(make_user());
  EXPECT_TRUE(answers(create_token("{}", &outsider), 400, kNoTarget));
}

TEST_F(CreateToken, InactiveTargetIsRefusedLikeEveryOtherRefusal) {
  const Person person = make_user();
  set_active(person, false);
  EXPECT_TRUE(answers(create_token(json_pair("userId", person.id), &admin()), 400, kNotAuthorized));
  EXPECT_TRUE(
      answers(create_token(json_pair("username", person.username), &admin()), 400, kNotAuthorized));
  set_active(person, true);
  EXPECT_TRUE(answers(create_token(json_pair("userId", person.id), &admin()), 200, kIssued));
}

TEST_F(CreateToken, DeletedTargetIsUnknown) {
  const Person person = make_user();
  ASSERT_EQ(client().post("/api/v1/users.delete", json_pair("userId", person.id), &admin()).status,
            200);
  EXPECT_TRUE(answers(create_token(json_pair("userId", person.id), &admin()), 400, kUnknownTarget));
  EXPECT_TRUE(
      answers(create_token(json_pair("username", person.username), &admin()), 400, kUnknownTarget));
}

TEST_F(CreateToken, EveryWayNotToBeLoggedInGetsTheSame401) {
  const Person person = make_user();
  const Credentials valid = log_in(person);
  const Credentials removed = log_in(person);
  ASSERT_EQ(client().post("/api/v1/logout", "", &removed).status, 200);
  std::string altered = valid.token;
  altered.back() = altered.back() == 'A' ? 'B' : 'A';
  const std::vector<HeaderList> table = {
      {},
      {{"X-Auth-Token", valid.token}},
      {{"X-User-Id", valid.user_id}},
      {{"X-Auth-Token", ""}, {"X-User-Id", ""}},
      {{"X-Auth-Token", valid.token}, {"X-User-Id", ""}},
      {{"X-Auth-Token", ""}, {"X-User-Id", valid.user_id}},
      {{"X-Auth-Token", altered}, {"X-User-Id", valid.user_id}},
      {{"X-Auth-Token", valid.token + "A"}, {"X-User-Id", valid.user_id}},
      {{"X-Auth-Token", valid.token.substr(1)}, {"X-User-Id", valid.user_id}},
      {{"X-Auth-Token", std::string(43, 'A')}, {"X-User-Id", valid.user_id}},
      {{"X-Auth-Token", std::string(4000, 'A')}, {"X-User-Id", valid.user_id}},
      {{"X-Auth-Token", valid.token}, {"X-User-Id", admin().user_id}},
      {{"X-Auth-Token", valid.token}, {"X-User-Id", "nobody"}},
      {{"X-Auth-Token", valid.token}, {"X-User-Id", valid.user_id + "a"}},
      {{"X-Auth-Token", valid.token}, {"X-User-Id", std::string(4000, 'a')}},
      {{"X-Auth-Token", valid.token}, {"X-User-Id", person.username}},
      {{"X-Auth-Token", removed.token}, {"X-User-Id", removed.user_id}},
      {{"X-Auth-Token", "undefined"}, {"X-User-Id", "undefined"}},
      {{"X-Auth-Token", valid.user_id}, {"X-User-Id", valid.token}},
      // Repeated headers (contract 9.3), alike or not.
      {{"X-Auth-Token", valid.token}, {"X-Auth-Token", valid.token}, {"X-User-Id", valid.user_id}},
      {{"X-Auth-Token", altered}, {"x-auth-token", valid.token}, {"X-User-Id", valid.user_id}},
      {{"X-Auth-Token", valid.token}, {"X-User-Id", valid.user_id}, {"X-User-Id", valid.user_id}},
      {{"X-Auth-Token", valid.token}, {"X-User-Id", "nobody"}, {"x-user-id", valid.user_id}},
  };
  for (std::size_t row = 0; row < table.size(); ++row) {
    const Response response = client().call({.method = "POST",
                                             .target = kCreateToken,
                                             .headers = table[row],
                                             .body = json_pair("userId", person.id)});
    EXPECT_TRUE(answers(response, 401, kMustBeLoggedIn)) << "row " << row;
    EXPECT_EQ(response.header("Content-Type"), "application/json") << "row " << row;
    EXPECT_EQ(response.header("Cache-Control"), "no-store") << "row " << row;
  }
  EXPECT_TRUE(client().authenticates(valid));
}

TEST_F(CreateToken, HeaderNamesHaveNoCase) {
  const Person person = make_user();
  const Response response =
      client().call({.method = "POST",
                     .target = kCreateToken,
                     .headers = {{"x-AUTH-token", admin().token}, {"X-USER-ID", admin().user_id}},
                     .body = json_pair("userId", person.id)});
  EXPECT_TRUE(answers(response, 200, kIssued));
}

TEST_F(CreateToken, LoginIsAskedForBeforeTheBodyIsRead) {
  EXPECT_TRUE(answers(create_token("{not json", nullptr), 401, kMustBeLoggedIn));
  EXPECT_TRUE(
      answers(client().post(kCreateToken, "x", nullptr, "text/plain"), 401, kMustBeLoggedIn));
}

}  // namespace
}  // namespace tokend::tests
