// Whether users.createToken issues at all: off by default, on by CREATE_TOKENS_FOR_USERS, or by
// the secret of the 8.x form, whose rule wins when both are set (contract 9.1 and 9.2).

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

class CreateTokenOff : public ServerSuite<CreateTokenOff> {
 public:
  static ServerSettings settings() {
    // Only `yes` and `true` to the letter turn it on.
    return {.flags = {}, .environment = {{"CREATE_TOKENS_FOR_USERS", "TRUE"}}};
  }
};

TEST_F(CreateTokenOff, EverythingReadableIsNotAuthorized) {
  const Person person = make_user();
  const Credentials self = log_in(person);
  for (const std::string& body :
       {json_pair("userId", person.id), json_pair("userId", "nobody"), std::string("{}"),
        R"({"secret":"","userId":")" + person.id + "\"}"}) {
    EXPECT_TRUE(answers(create_token(body, &admin()), 400, kNotAuthorized)) << body;
    EXPECT_TRUE(answers(create_token(body, &self), 400, kNotAuthorized)) << body;
  }
}

TEST_F(CreateTokenOff, LoginAndBodyAreCheckedFirst) {
  EXPECT_TRUE(answers(create_token("{}", nullptr), 401, kMustBeLoggedIn));
  EXPECT_TRUE(answers(create_token("{", &admin()), 400, kInvalidJson));
  EXPECT_TRUE(answers(client().post(kCreateToken, "x", &admin(), "text/plain"), 415,
                      kUnsupportedMediaType));
}

class CreateTokenUnset : public ServerSuite<CreateTokenUnset> {
 public:
  static ServerSettings settings() {
    return {.flags = {},
            .environment = {{"ADMIN_USERNAME", kAdminUsername},
                            {"ADMIN_PASS", kAdminPassword},
                            {"ADMIN_EMAIL", kAdminEmail}},
            .default_environment = false};
  }
};

TEST_F(CreateTokenUnset, IsOff) {
  EXPECT_TRUE(
      answers(create_token(json_pair("userId", admin().user_id), &admin()), 400, kNotAuthorized));
}

class CreateTokenYes : public ServerSuite<CreateTokenYes> {
 public:
  static ServerSettings settings() {
    return {.flags = {},
            .environment = {{"CREATE_TOKENS_FOR_USERS", "yes"},
                            {"CREATE_TOKENS_FOR_USERS_SECRET", ""}}};
  }
};

TEST_F(CreateTokenYes, IssuesBecauseAnEmptySecretIsNone) {
  const Person person = make_user();
  EXPECT_TRUE(answers(create_token(json_pair("userId", person.id), &admin()), 200, kIssued));
  EXPECT_TRUE(answers(create_token(R"({"secret":"any","userId":")" + person.id + "\"}", &admin()),
                      200, kIssued));
}

constexpr const char* kSecret = " s3cret-of-the-operator ";

class CreateTokenSecret : public ServerSuite<CreateTokenSecret> {
 public:
  static ServerSettings settings() {
    return {.flags = {},
            .environment = {{"CREATE_TOKENS_FOR_USERS", "true"},
                            {"CREATE_TOKENS_FOR_USERS_SECRET", kSecret}}};
  }

 protected:
  static std::string with_secret(const std::string& secret, const std::string& rest) {
    return R"({"secret":")" + secret + "\"," + rest + "}";
  }
};

TEST_F(CreateTokenSecret, RightSecretIssuesForEveryFormOfTarget) {
  const Person person = make_user();
  for (const std::string& rest :
       {"\"userId\":\"" + person.id + "\"", "\"username\":\"" + person.username + "\"",
        "\"user\":\"" + person.username + "\""}) {
    EXPECT_TRUE(answers(create_token(with_secret(kSecret, rest), &admin()), 200, kIssued)) << rest;
  }
}

TEST_F(CreateTokenSecret, WrongSecretAndNoneAreNotAuthorizedEvenWithTheOldVariableSet) {
  const Person person = make_user();
  const std::string target = "\"userId\":\"" + person.id + "\"";
  const std::string secret = kSecret;
  for (const std::string& body :
       {"{" + target + "}", with_secret("", target), with_secret("wrong", target),
        with_secret(secret + "x", target), with_secret(secret.substr(0, 5), target),
        with_secret("s3cret-of-the-operator", target),  // never trimmed, on neither side
        with_secret(" S3CRET-of-the-operator ", target), with_secret("true", target),
        "{\"secret\":true," + target + "}", "{\"secret\":null," + target + "}",
        "{\"secret\":[\"" + secret + "\"]," + target + "}", std::string("{}"),
        with_secret("wrong", R"("userId":"nobody")")}) {
    EXPECT_TRUE(answers(create_token(body, &admin()), 400, kNotAuthorized)) << body;
  }
}

TEST_F(CreateTokenSecret, SecretIsCheckedBeforeTheTargetAndNotInsteadOfThePermission) {
  const Person person = make_user();
  const Credentials outsider = log_in(make_user());
  EXPECT_TRUE(answers(create_token(with_secret(kSecret, "\"x\":1"), &admin()), 400, kNoTarget));
  EXPECT_TRUE(answers(create_token(with_secret(kSecret, R"("userId":"nobody")"), &admin()), 400,
                      kUnknownTarget));
  EXPECT_TRUE(
      answers(create_token(with_secret(kSecret, "\"userId\":\"" + person.id + "\""), &outsider),
              400, kNotAuthorized));
  EXPECT_TRUE(
      answers(create_token(with_secret(kSecret, "\"x\":1"), nullptr), 401, kMustBeLoggedIn));
}

TEST_F(CreateTokenSecret, OneselfNeedsTheSecretToo) {
  const Person person = make_user();
  const Credentials self = log_in(person);
  const std::string target = "\"userId\":\"" + person.id + "\"";
  EXPECT_TRUE(answers(create_token("{" + target + "}", &self), 400, kNotAuthorized));
  EXPECT_TRUE(answers(create_token(with_secret(kSecret, target), &self), 200, kIssued));
}

TEST_F(CreateTokenSecret, SecretOfAFormCountsToo) {
  const Person person = make_user();
  const std::string type = "application/x-www-form-urlencoded";
  EXPECT_TRUE(
      answers(client().post(kCreateToken, "secret=%20s3cret-of-the-operator+&userId=" + person.id,
                            &admin(), type),
              200, kIssued));
  EXPECT_TRUE(
      answers(client().post(kCreateToken, "secret=wrong&userId=" + person.id, &admin(), type), 400,
              kNotAuthorized));
}

class CreateTokenSecretOnly : public ServerSuite<CreateTokenSecretOnly> {
 public:
  static ServerSettings settings() {
    return {.flags = {},
            .environment = {{"CREATE_TOKENS_FOR_USERS", "false"},
                            {"CREATE_TOKENS_FOR_USERS_SECRET", "the-only-secret"}}};
  }
};

TEST_F(CreateTokenSecretOnly, TurnsIssuingOnByItself) {
  EXPECT_TRUE(answers(
      create_token(R"({"secret":"the-only-secret","userId":")" + admin().user_id + "\"}", &admin()),
      200, kIssued));
}

}  // namespace
}  // namespace tokend::tests
