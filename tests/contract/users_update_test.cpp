// users.update: the original's call with contract 9.14 to 9.16.

#include <gmock/gmock.h>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

class UsersUpdate : public ServerSuite<UsersUpdate> {
 protected:
  Response update(const Credentials& caller, const std::string& id, const std::string& data) {
    return client().post("/api/v1/users.update",
                         R"({"userId":")" + id + R"(","data":)" + data + "}", &caller);
  }
};

TEST_F(UsersUpdate, AnswersToTheByte) {
  const Person person = make_user();
  const std::string name = fresh_name("renamed");
  const Response response = update(admin(), person.id,
                                   R"({"username":")" + name + R"(","name":"Some Else","email":")" +
                                       name + R"(@example.com","verified":true,"roles":["bot"]})");
  EXPECT_TRUE(answers(
      response, 200,
      R"({"user":{"_id":")" + person.id + R"(","createdAt":"<time>","username":")" + name +
          R"(","emails":[{"address":")" + name +
          R"(@example.com","verified":true}],"type":"user","status":"<text>","active":true,)"
          R"("roles":["bot"],"_updatedAt":"<time>","name":"Some Else","settings":{<any>}},)"
          R"("success":true})"));
  EXPECT_THAT(response.body, Not(HasSubstr("password")));
  EXPECT_EQ(response.header("Content-Type"), "application/json");
}

TEST_F(UsersUpdate, RefusesAsTheOriginal) {
  const Person person = make_user();
  const Person other = make_user();
  const Credentials outsider = log_in(other);
  EXPECT_TRUE(answers(client().post("/api/v1/users.update", "{}"), 401, kMustBeLoggedIn));
  EXPECT_EQ(client().get("/api/v1/users.update", &admin()).status, 405);
  EXPECT_TRUE(answers(
      update(outsider, person.id, "{}"), 400,
      R"({"success":false,"error":"Editing user is not allowed [error-action-not-allowed]",)"
      R"("errorType":"error-action-not-allowed",)"
      R"("details":{"method":"insertOrUpdateUser","action":"Editing_user"}})"));
  EXPECT_TRUE(answers(
      update(outsider, other.id, R"({"roles":["bot"]})"), 400,
      R"({"success":false,"error":"Assign roles is not allowed [error-action-not-allowed]",)"
      R"("errorType":"error-action-not-allowed",)"
      R"("details":{"method":"insertOrUpdateUser","action":"Assign_role"}})"));
  EXPECT_TRUE(answers(
      update(outsider, other.id, R"({"roles":["admin"]})"), 400,
      R"({"success":false,"error":"Assigning admin is not allowed [error-action-not-allowed]",)"
      R"("errorType":"error-action-not-allowed",)"
      R"("details":{"method":"insertOrUpdateUser","action":"Assign_admin"}})"));
  EXPECT_TRUE(answers(update(admin(), person.id, R"({"username":")" + other.username + R"("})"),
                      400,
                      R"({"success":false,"error":")" + other.username +
                          R"( is already in use :( [error-field-unavailable]",)"
                          R"("errorType":"error-field-unavailable"})"));
  EXPECT_TRUE(answers(update(admin(), "nobody", "{}"), 400,
                      R"({"success":false,"error":"Invalid user [error-invalid-user]",)"
                      R"("errorType":"error-invalid-user"})"));
  EXPECT_TRUE(answers(
      update(admin(), admin().user_id, R"({"active":false})"), 400,
      R"({"success":false,"error":"<text> [error-last-admin]","errorType":"error-last-admin"})"));
}

// Every core has its own caches; new connections come to other cores.
TEST_F(UsersUpdate, CountsOnEveryCoreAtOnce) {
  constexpr int kConnections = 20;
  const Person person = make_user();
  const Credentials token = log_in(person);
  for (int time = 0; time < kConnections; ++time) {
    ApiClient fresh(server());
    ASSERT_TRUE(fresh.authenticates(token));
    ASSERT_EQ(fresh.get("/api/v1/users.info?username=" + person.username, &admin()).status, 200);
  }
  const std::string name = fresh_name("renamed");
  server().remember_secret("a-new-pass-phrase");
  ASSERT_EQ(
      update(admin(), person.id, R"({"username":")" + name + R"(","password":"a-new-pass-phrase"})")
          .status,
      200);
  for (int time = 0; time < kConnections; ++time) {
    ApiClient fresh(server());
    EXPECT_FALSE(fresh.authenticates(token));
    EXPECT_EQ(fresh.get("/api/v1/users.info?username=" + person.username, &admin()).status, 400);
    EXPECT_EQ(fresh.get("/api/v1/users.info?username=" + name, &admin()).status, 200);
  }
  EXPECT_TRUE(client().authenticates(client().login(name, "a-new-pass-phrase")));
}

TEST_F(UsersUpdate, LastsThroughACrash) {
  const Person person = make_user();
  const std::string name = fresh_name("renamed");
  ASSERT_EQ(update(admin(), person.id, R"({"username":")" + name + R"(","active":false})").status,
            200);
  server().kill();
  ASSERT_TRUE(server().start()) << server().report();
  ApiClient fresh(server());
  const Credentials again = fresh.login_admin();
  EXPECT_EQ(fresh.get("/api/v1/users.info?username=" + person.username, &again).status, 400);
  EXPECT_THAT(fresh.get("/api/v1/users.info?username=" + name, &again).body,
              HasSubstr(R"("active":false)"));
}

}  // namespace
}  // namespace tokend::tests
