// What a logged-in user does with tokens: me, logout, users.logout, users.removeOtherTokens
// (contract sections 2 and 4.2).

#include <gmock/gmock.h>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

class SessionCalls : public ServerSuite<SessionCalls> {
 public:
  static ServerSettings settings() { return {}; }

 protected:
  void expect_alive(std::initializer_list<const Credentials*> all) {
    for (const Credentials* caller : all) EXPECT_TRUE(client().authenticates(*caller));
  }
  void expect_refused(std::initializer_list<const Credentials*> all) {
    for (const Credentials* caller : all) EXPECT_FALSE(client().authenticates(*caller));
  }
};

TEST_F(SessionCalls, MeIsFlatWithSuccessLast) {
  const Person person = make_user();
  const Credentials caller = log_in(person);
  const Response response = client().get("/api/v1/me", &caller);
  EXPECT_TRUE(answers(response, 200, R"({"_id":"<id>",<any>,"success":true})"));
  EXPECT_EQ(string_field(response.body, "_id"), person.id);
  EXPECT_EQ(string_field(response.body, "username"), person.username);
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  for (const char* part : {R"("emails":[{"address":")", R"("active":true)", R"("roles":["user"])",
                           R"("profile":{})", R"("preferences":{})", R"("avatarUrl":")"}) {
    EXPECT_THAT(response.body, testing::HasSubstr(part));
  }
}

TEST_F(SessionCalls, MeWithoutLoginIs401) {
  EXPECT_TRUE(answers(client().get("/api/v1/me"), 401, kMustBeLoggedIn));
}

TEST_F(SessionCalls, LogoutRevokesThePresentedTokenOnly) {
  const Person person = make_user();
  for (const char* method : {"POST", "GET"}) {
    const Credentials presented = log_in(person);
    const Credentials other = log_in(person);
    const Response response = client().call(
        {.method = method, .target = "/api/v1/logout", .headers = headers_of(presented)});
    EXPECT_TRUE(answers(response, 200, kLoggedOut)) << method;
    EXPECT_EQ(response.header("Content-Type"), "application/json");
    expect_refused({&presented});
    expect_alive({&other});
  }
}

TEST_F(SessionCalls, SecondLogoutIs401) {
  const Credentials caller = log_in(make_user());
  EXPECT_EQ(client().post("/api/v1/logout", "", &caller).status, 200);
  EXPECT_TRUE(answers(client().post("/api/v1/logout", "", &caller), 401, kMustBeLoggedIn));
  EXPECT_TRUE(answers(client().get("/api/v1/logout"), 401, kMustBeLoggedIn));
}

TEST_F(SessionCalls, UsersLogoutRevokesEveryTokenOfTheCaller) {
  const Person person = make_user();
  const Credentials first = log_in(person);
  const Credentials second = client().issue(admin(), person.id);
  const Credentials others = log_in(make_user());
  const Response response = client().post("/api/v1/users.logout", "", &first);
  EXPECT_TRUE(
      answers(response, 200,
              R"({"message":"User )" + person.id + R"( has been logged out!","success":true})"));
  expect_refused({&first, &second});
  expect_alive({&others});
  const Credentials later = log_in(person);
  expect_alive({&later});
}

TEST_F(SessionCalls, UsersLogoutOfOneselfByIdNeedsNoPermission) {
  const Person person = make_user();
  const Credentials caller = log_in(person);
  EXPECT_EQ(client().post("/api/v1/users.logout", json_pair("userId", person.id), &caller).status,
            200);
  expect_refused({&caller});
}

TEST_F(SessionCalls, UsersLogoutOfAnotherNeedsThePermission) {
  const Person target = make_user();
  const Credentials token = log_in(target);
  const Credentials outsider = log_in(make_user());
  const std::string body = json_pair("userId", target.id);
  EXPECT_TRUE(answers(client().post("/api/v1/users.logout", body, &outsider), 403, kForbidden));
  EXPECT_TRUE(
      answers(client().post("/api/v1/users.logout", json_pair("userId", "nobody"), &outsider), 403,
              kForbidden));
  expect_alive({&token});
  EXPECT_TRUE(
      answers(client().post("/api/v1/users.logout", body, &admin()), 200,
              R"({"message":"User )" + target.id + R"( has been logged out!","success":true})"));
  expect_refused({&token});
  EXPECT_TRUE(client().authenticates(admin()));
}

TEST_F(SessionCalls, UsersLogoutOfAnUnknownIdIsTheUnknownUserError) {
  EXPECT_TRUE(
      answers(client().post("/api/v1/users.logout", json_pair("userId", "nobody"), &admin()), 400,
              kUnknownTarget));
}

TEST_F(SessionCalls, RemoveOtherTokensKeepsThePresentedOne) {
  const Person person = make_user();
  const Credentials first = log_in(person);
  const Credentials presented = client().issue(admin(), person.id);
  const Credentials last = log_in(person);
  const Credentials others = log_in(make_user());
  EXPECT_TRUE(answers(client().post("/api/v1/users.removeOtherTokens", "", &presented), 200,
                      R"({"success":true})"));
  expect_refused({&first, &last});
  expect_alive({&presented, &others});
  const Credentials later = log_in(person);
  expect_alive({&later, &presented});
}

TEST_F(SessionCalls, RemoveOtherTokensKeepsTheNewlyPresentedOneOnly) {
  const Person person = make_user();
  const Credentials first = log_in(person);
  const Credentials second = log_in(person);
  ASSERT_EQ(client().post("/api/v1/users.removeOtherTokens", "", &first).status, 200);
  const Credentials third = log_in(person);
  ASSERT_EQ(client().post("/api/v1/users.removeOtherTokens", "", &third).status, 200);
  expect_refused({&first, &second});
  expect_alive({&third});
}

TEST_F(SessionCalls, LogoutOtherClientsKeepsThePresentedTokenAndSaysWhenItExpires) {
  const Person person = make_user();
  const Credentials first = log_in(person);
  const Credentials presented = client().issue(admin(), person.id);
  const Credentials last = log_in(person);
  const Credentials others = log_in(make_user());
  EXPECT_TRUE(
      answers(client().post("/api/v1/users.logoutOtherClients", "", &presented), 200,
              R"({"token":")" + presented.token + R"(","tokenExpires":"<time>","success":true})"));
  expect_refused({&first, &last});
  expect_alive({&presented, &others});
  const Credentials later = log_in(person);
  expect_alive({&later, &presented});
}

TEST_F(SessionCalls, KeptTokenCanStillBeLoggedOut) {
  const Person person = make_user();
  const Credentials kept = log_in(person);
  ASSERT_EQ(client().post("/api/v1/users.removeOtherTokens", "", &kept).status, 200);
  ASSERT_EQ(client().post("/api/v1/logout", "", &kept).status, 200);
  expect_refused({&kept});
}

TEST_F(SessionCalls, DeactivationRevokesForGood) {
  const Person person = make_user();
  const Credentials caller = log_in(person);
  const Credentials issued = client().issue(admin(), person.id);
  set_active(person, false);
  expect_refused({&caller, &issued});
  set_active(person, true);
  expect_refused({&caller, &issued});
  const Credentials later = log_in(person);
  expect_alive({&later});
}

TEST_F(SessionCalls, DeletionRevokesForGoodAlsoWhenTheNameIsTakenAgain) {
  const Person person = make_user();
  const Credentials caller = log_in(person);
  EXPECT_TRUE(
      answers(client().post("/api/v1/users.delete", json_pair("userId", person.id), &admin()), 200,
              R"({"success":true})"));
  expect_refused({&caller});
  const Person again = client().create_user(admin(), person.username);
  EXPECT_NE(again.id, person.id);
  expect_refused({&caller});
  const Credentials stranger{again.id, caller.token};
  expect_refused({&stranger});
}

TEST(SessionCallsAfterACrash, OtherClientsStayLoggedOut) {
  ServerProcess own;
  ASSERT_TRUE(own.start()) << own.report();
  ApiClient before(own);
  const Credentials admin = before.login_admin();
  const Person person = before.create_user(admin, "anna");
  const Credentials other = before.issue(admin, person.id);
  const Credentials presented = before.login(person.username, person.password);
  ASSERT_EQ(before.post("/api/v1/users.logoutOtherClients", "", &presented).status, 200);
  own.kill();
  ASSERT_TRUE(own.start()) << own.report();
  ApiClient after(own);
  EXPECT_FALSE(after.authenticates(other));
  EXPECT_TRUE(after.authenticates(presented));
  EXPECT_EQ(own.stop(), 0) << own.report();
}

}  // namespace
}  // namespace tokend::tests
