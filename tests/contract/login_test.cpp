// POST /api/v1/login: contract section 4.1 with 9.10, 9.11 and 9.13.

#include <gmock/gmock.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

class Login : public ServerSuite<Login> {
 public:
  static ServerSettings settings() { return {}; }

 protected:
  Response login(const std::string& body, const std::string& type = "application/json") {
    return client().post("/api/v1/login", body, nullptr, type);
  }
};

constexpr const char* kLoggedIn =
    R"({"status":"success","data":{"userId":"<id>","authToken":"<token>","me":{<any>}},"success":true})";

// What a client makes of kAdminPassword.
constexpr const char* kAdminPasswordSha256 =
    "87cbebfeebc05f7c54ac9336c4b4bbec831227a641951a4bde7edd56020f8590";

TEST_F(Login, AnswersToTheByte) {
  const Person person = make_user();
  const Response response =
      login(R"({"user":")" + person.username + R"(","password":")" + person.password + "\"}");
  EXPECT_TRUE(answers(response, 200, kLoggedIn));
  EXPECT_EQ(string_field(response.body, "userId"), person.id);
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_TRUE(client().authenticates({person.id, string_field(response.body, "authToken")}));
}

TEST_F(Login, MeHasTheContractsFields) {
  const Person person = make_user();
  const Response response =
      login(R"({"user":")" + person.username + R"(","password":")" + person.password + "\"}");
  const auto begin = response.body.find("\"me\":");
  ASSERT_NE(begin, std::string::npos);
  const std::string me = response.body.substr(begin);
  EXPECT_EQ(string_field(me, "_id"), person.id);
  EXPECT_EQ(string_field(me, "username"), person.username);
  EXPECT_EQ(string_field(me, "name"), "Name of " + person.username);
  for (const char* part :
       {R"("emails":[{"address":")", R"("verified":false)", R"("status":")", R"("utcOffset":)",
        R"("active":true)", R"("roles":["user"])", R"("profile":{})", R"("preferences":{})",
        R"("avatarUrl":")", R"("email":")"}) {
    EXPECT_THAT(me, testing::HasSubstr(part));
  }
  for (const char* secret : {"password", "bcrypt", "hash", "$2"}) {
    EXPECT_THAT(me, testing::Not(testing::HasSubstr(secret)));
  }
}

TEST_F(Login, EveryFormOfNameAndPasswordIsTaken) {
  const std::string username = kAdminUsername;
  const std::string email = kAdminEmail;
  const std::string password = "\"password\":\"" + std::string(kAdminPassword) + "\"";
  const std::string digest = R"("password":{"digest":")" + std::string(kAdminPasswordSha256) +
                             R"(","algorithm":"sha-256"})";
  for (const std::string& name :
       {"\"user\":\"" + username + "\"", "\"user\":\"" + email + "\"",
        "\"user\":{\"username\":\"" + username + "\"}", "\"user\":{\"email\":\"" + email + "\"}",
        "\"username\":\"" + username + "\"", "\"email\":\"" + email + "\""}) {
    EXPECT_TRUE(answers(login("{" + name + "," + password + "}"), 200, kLoggedIn)) << name;
    EXPECT_TRUE(answers(login("{" + digest + "," + name + "}"), 200, kLoggedIn)) << name;
  }
}

TEST_F(Login, NamesIgnoreCase) {
  for (const char* name : {"ROOT.Admin", "Root.Admin@EXAMPLE.com"}) {
    EXPECT_TRUE(answers(
        login(R"({"user":")" + std::string(name) + R"(","password":")" + kAdminPassword + "\"}"),
        200, kLoggedIn))
        << name;
  }
}

TEST_F(Login, FormIsReadLikeJson) {
  const std::string type = "application/x-www-form-urlencoded";
  const std::string password = std::string("&password=") + kAdminPassword;
  for (const std::string& name :
       {std::string("user=") + kAdminUsername, std::string("username=") + kAdminUsername,
        std::string("email=root.admin%40example.com"),
        std::string("user=root.admin%40example.com")}) {
    EXPECT_TRUE(answers(login(name + password, type), 200, kLoggedIn)) << name;
  }
}

TEST_F(Login, EveryFailureIsTheSame401) {
  const Person person = make_user();
  const std::string name = "\"user\":\"" + person.username + "\"";
  for (const std::string& body : std::vector<std::string>{
           "{" + name + R"(,"password":"wrong"})", "{" + name + R"(,"password":""})",
           R"({"user":"nobody","password":"x"})", R"({"username":"nobody","password":"x"})",
           R"({"email":"nobody@example.com","password":"x"})",
           R"({"user":"not a name!","password":"x"})",
           "{" + name + R"(,"password":{"digest":")" + std::string(64, '0') +
               R"(","algorithm":"sha-256"}})",
           std::string(R"({"resume":"wrong"})"), R"({"resume":")" + std::string(43, 'A') + "\"}"}) {
    const Response response = login(body);
    EXPECT_TRUE(answers(response, 401, kUnauthorizedLogin)) << body;
    EXPECT_EQ(response.header("Content-Type"), "application/json");
  }
}

TEST_F(Login, PasswordIsExact) {
  const Person person = make_user();
  for (const std::string& password :
       {" " + person.password, person.password + " ", "P" + person.password.substr(1)}) {
    EXPECT_TRUE(
        answers(login(R"({"user":")" + person.username + R"(","password":")" + password + "\"}"),
                401, kUnauthorizedLogin));
  }
}

TEST_F(Login, MissingFieldsAreInvalidParameters) {
  for (const char* body :
       {"", "{}", R"({"user":"x"})", R"({"password":"x"})", R"({"user":""})",
        R"({"username":5,"password":"x"})", R"({"user":"x","password":5})",
        R"({"user":"x","password":{}})", R"({"resume":5})", R"({"user":{},"password":"x"})"}) {
    EXPECT_TRUE(answers(login(body), 400,
                        R"({"success":false,"error":"<text> [error-invalid-params]",)"
                        R"("errorType":"error-invalid-params"})"))
        << body;
  }
}

TEST_F(Login, ResumeGivesThePresentedTokenBack) {
  const Credentials caller = log_in(make_user());
  const Response response = login(json_pair("resume", caller.token));
  EXPECT_TRUE(answers(response, 200, kLoggedIn));
  EXPECT_EQ(string_field(response.body, "authToken"), caller.token);
  EXPECT_EQ(string_field(response.body, "userId"), caller.user_id);
}

TEST_F(Login, RevokedTokenDoesNotResume) {
  const Credentials caller = log_in(make_user());
  ASSERT_EQ(client().post("/api/v1/logout", "", &caller).status, 200);
  EXPECT_TRUE(answers(login(json_pair("resume", caller.token)), 401, kUnauthorizedLogin));
}

TEST_F(Login, DeactivatedUserIsToldSoAfterTheRightPasswordOnly) {
  const Person person = make_user();
  const Credentials before = log_in(person);
  set_active(person, false);
  const std::string name = R"({"user":")" + person.username + R"(","password":")";
  EXPECT_TRUE(answers(login(name + person.password + "\"}"), 401,
                      R"({"success":false,"error":"error-user-is-not-activated","status":"error",)"
                      R"("message":"User is not activated"})"));
  EXPECT_TRUE(answers(login(name + "wrong\"}"), 401, kUnauthorizedLogin));
  EXPECT_TRUE(answers(login(json_pair("resume", before.token)), 401, kUnauthorizedLogin));
  set_active(person, true);
  EXPECT_TRUE(answers(login(name + person.password + "\"}"), 200, kLoggedIn));
}

TEST_F(Login, UserWithoutAPasswordOfTheirOwnIsNobodyElse) {
  const Person first = make_user();
  const Person second = make_user();
  EXPECT_TRUE(answers(
      login(R"({"user":")" + first.username + R"(","password":")" + second.password + "\"}"), 401,
      kUnauthorizedLogin));
}

TEST_F(Login, GetIsNotAllowed) {
  const Response response = client().get("/api/v1/login");
  EXPECT_TRUE(answers(response, 405, kMethodNotAllowed));
}

// The block after repeated failures, with limits that a test reaches soon.
class LoginBlock : public ServerSuite<LoginBlock> {
 public:
  static ServerSettings settings() {
    return {.flags = {"--login-block-user-failures=3", "--login-block-address-failures=6",
                      "--login-block-time=2s", "--forwarded-count=1"}};
  }

 protected:
  Response login(const std::string& name, const std::string& password, const std::string& from) {
    return client().call(
        {.method = "POST",
         .target = "/api/v1/login",
         .headers = {{"Content-Type", "application/json"}, {"X-Forwarded-For", from}},
         .body = R"({"user":")" + name + R"(","password":")" + password + "\"}"});
  }
};

TEST_F(LoginBlock, ANameIsBlockedForTheTimeEvenWithTheRightPassword) {
  const Person person = make_user();
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(answers(login(person.username, "wrong", "10.1.0.1"), 401, kUnauthorizedLogin));
  }
  EXPECT_EQ(login(person.username, person.password, "10.1.0.1").status, 200) << "resets the count";
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(answers(login(person.username, "wrong", "10.1.0.1"), 401, kUnauthorizedLogin));
  }
  const Response blocked = login(person.username, person.password, "10.1.0.2");
  EXPECT_EQ(blocked.status, 401);
  EXPECT_EQ(string_field(blocked.body, "error"), "error-login-blocked-for-user");
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (login(person.username, person.password, "10.1.0.2").status != 200) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

TEST_F(LoginBlock, AnAddressIsBlockedForEveryName) {
  const Person person = make_user();
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(
        answers(login("nobody" + std::to_string(i), "wrong", "10.2.0.1"), 401, kUnauthorizedLogin));
  }
  const Response blocked = login(person.username, person.password, "10.2.0.1");
  EXPECT_EQ(blocked.status, 401);
  EXPECT_EQ(string_field(blocked.body, "error"), "error-login-blocked-for-ip");
  EXPECT_EQ(login(person.username, person.password, "10.2.0.2").status, 200);
}

}  // namespace
}  // namespace tokend::tests
