#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "http/api/text.h"
#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Reply;
using testing::text_after;
using testing::World;

std::string create_body(std::string_view username, std::string_view email,
                        std::string_view more = {}) {
  return R"({"username":")" + std::string(username) + R"(","email":")" + std::string(email) +
         R"(","name":"N","password":"pw")" + std::string(more) + "}";
}

std::string full_user(const World& world, const std::string& id, std::string_view name,
                      std::string_view roles = R"(["user"])", bool active = true) {
  const std::string time(view_of(iso_time(world.clock.wall_ms())));
  const std::string text(name);
  return R"({"_id":")" + id + R"(","createdAt":")" + time + R"(","username":")" + text +
         R"(","emails":[{"address":")" + text +
         R"(@example.org","verified":false}],"type":"user","status":"offline","active":)" +
         (active ? "true" : "false") + R"(,"roles":)" + std::string(roles) + R"(,"_updatedAt":")" +
         time + R"(","name":"Name of )" + text + R"(","settings":{"profile":{},"preferences":{}}})";
}

TEST(UsersCreate, TheAnswerShowsTheUserAndNoHash) {
  World world;
  const Reply reply =
      world.post("/api/v1/users.create", world.admin(),
                 R"({"username":" bob ","name":" Name of bob ","email":" bob@example.org ",)"
                 R"("password":"pw","joinDefaultChannels":false,"sendWelcomeEmail":1})");
  EXPECT_EQ(reply.status, 200);
  const std::string id = text_after(reply.body, R"("_id":")");
  EXPECT_EQ(id.size(), 17U);
  EXPECT_EQ(reply.body, R"({"user":)" + full_user(world, id, "bob") + R"(,"success":true})");
}

TEST(UsersCreate, OptionalFieldsAreObeyed) {
  World world;
  const Reply reply =
      world.post("/api/v1/users.create", world.admin(),
                 create_body("bob", "b@example.org",
                             R"(,"active":false,"verified":true,"requirePasswordChange":true,)"
                             R"("roles":["bot","user"])"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, HasSubstr(R"("emails":[{"address":"b@example.org","verified":true}])"));
  EXPECT_THAT(reply.body, HasSubstr(R"("active":false,"roles":["user","bot"])"));
  EXPECT_THAT(reply.body, HasSubstr(R"("requirePasswordChange":true)"));
}

TEST(UsersCreate, NamesInUseAreRefusedByCase) {
  World world;
  world.create_user("bob");
  const Reply name =
      world.post("/api/v1/users.create", world.admin(), create_body("BOB", "other@example.org"));
  EXPECT_EQ(name.status, 400);
  EXPECT_EQ(name.body,
            R"({"success":false,"error":"BOB is already in use :( [error-field-unavailable]",)"
            R"("errorType":"error-field-unavailable"})");
  const Reply email =
      world.post("/api/v1/users.create", world.admin(), create_body("other", "Bob@Example.org"));
  EXPECT_EQ(email.status, 400);
  EXPECT_EQ(email.body, R"({"success":false,"error":"Bob@Example.org is already in use :( )"
                        R"([error-field-unavailable]","errorType":"error-field-unavailable"})");
}

TEST(UsersCreate, BadFieldsAreRefusedWithTheirCodes) {
  World world;
  const struct {
    std::string body;
    const char* code;
  } table[] = {
      {"{}", "error-invalid-params"},
      {R"({"username":"a","email":"a@example.org","name":"N"})", "error-invalid-params"},
      {R"({"username":"a","email":"a@example.org","name":"N","password":""})",
       "error-invalid-params"},
      {R"({"username":"a","email":"a@example.org","name":"N","password":1})",
       "error-invalid-params"},
      {R"({"username":"a","email":"a@example.org","name":" ","password":"x"})",
       "error-invalid-params"},
      {R"({"username":1,"email":"a@example.org","name":"N","password":"x"})",
       "error-invalid-params"},
      {create_body("a b", "a@example.org"), "error-invalid-username"},
      {create_body("a\\\"b", "a@example.org"), "error-invalid-username"},
      {create_body(std::string(129, 'a'), "a@example.org"), "error-invalid-username"},
      {create_body("a", "nothing"), "error-invalid-email"},
      {create_body("a", std::string(300, 'a') + "@example.org"), "error-invalid-email"},
      {create_body("a", "a@example.org", R"(,"name":")" + std::string(1025, 'n') + '"'),
       "error-invalid-params"},
      {create_body("a", "a@example.org", R"(,"active":"yes")"), "error-invalid-params"},
      {create_body("a", "a@example.org", R"(,"roles":"user")"), "error-invalid-params"},
      {create_body("a", "a@example.org", R"(,"roles":["king"])"), "error-invalid-params"},
      {create_body("a", "a@example.org", R"(,"roles":[1])"), "error-invalid-params"},
  };
  for (const auto& row : table) {
    const Reply reply = world.post("/api/v1/users.create", world.admin(), row.body);
    EXPECT_EQ(reply.status, 400) << row.body;
    EXPECT_EQ(text_after(reply.body, R"("errorType":")"), row.code) << row.body;
  }
  EXPECT_THAT(
      world.post("/api/v1/users.create", world.admin(), create_body("a\\\"b", "a@example.org"))
          .body,
      HasSubstr(R"("error":"a\"b is not a valid username [error-invalid-username]")"));
}

TEST(UsersCreate, WithoutThePermissionItIsNotAllowed) {
  World world;
  const Credentials bob = world.new_user("bob");
  for (const std::string& body : {create_body("c", "c@example.org"), std::string("{}")}) {
    const Reply reply = world.post("/api/v1/users.create", bob, body);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body,
              R"({"success":false,"error":"Adding user is not allowed [error-action-not-allowed]",)"
              R"("errorType":"error-action-not-allowed"})");
  }
}

TEST(UsersCreate, WhoMayOnlyCreateUsersCanNotMakeAdmins) {
  World world;
  const Credentials bot = world.new_user("bot", R"(,"roles":["bot"])");
  world.post("/api/v1/permissions.update", world.admin(),
             R"({"permissions":[{"_id":"create-user","roles":["admin","bot"]}]})");
  EXPECT_EQ(world.post("/api/v1/users.create", bot, create_body("c", "c@example.org")).status, 200);
  const Reply reply = world.post("/api/v1/users.create", bot,
                                 create_body("d", "d@example.org", R"(,"roles":["admin"])"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body, kAssigningRolesNotAllowed.body);
}

TEST(UsersDelete, RemovesTheUserWithItsTokens) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Reply reply =
      world.post("/api/v1/users.delete", world.admin(), R"({"userId":")" + bob.user_id + R"("})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"success":true})");
  EXPECT_FALSE(world.is_logged_in(bob));
  EXPECT_EQ(world.post("/api/v1/login", "", R"({"user":"bob","password":"pw-bob"})").status, 401);
  EXPECT_EQ(world.post("/api/v1/users.delete", world.admin(), R"({"username":"bob"})").body,
            kInvalidUser.body);
  world.create_user("bob");
  EXPECT_EQ(world.post("/api/v1/users.delete", world.admin(), R"({"username":"BOB"})").status, 200);
  EXPECT_EQ(world.post("/api/v1/users.delete", world.admin(), "{}").body,
            kUserParamNotProvided.body);
}

TEST(UsersDelete, NeedsThePermissionAndNeverTakesTheLastAdmin) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Reply refused = world.post("/api/v1/users.delete", bob, R"({"username":"bob"})");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body,
            R"({"success":false,"error":"User does not have the permissions required for this )"
            R"(action [error-unauthorized]"})");
  const Reply last = world.post("/api/v1/users.delete", world.admin(), R"({"username":"admin"})");
  EXPECT_EQ(last.status, 400);
  EXPECT_EQ(text_after(last.body, R"("errorType":")"), "error-last-admin");
  EXPECT_THAT(last.body, HasSubstr(" [error-last-admin]\""));
  EXPECT_TRUE(world.is_logged_in(world.admin()));
}

TEST(SetActiveStatus, DeactivatesAndActivates) {
  World world;
  const Credentials bob = world.new_user("bob");
  const std::string off = R"({"userId":")" + bob.user_id + R"(","activeStatus":false})";
  const Reply reply = world.post("/api/v1/users.setActiveStatus", world.admin(), off);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            R"({"user":{"_id":")" + bob.user_id + R"(","active":false},"success":true})");
  EXPECT_FALSE(world.is_logged_in(bob));
  const Reply on =
      world.post("/api/v1/users.setActiveStatus",
                 world.admin().headers() + "Content-Type: application/x-www-form-urlencoded\r\n",
                 "activeStatus=true&userId=" + bob.user_id);
  EXPECT_EQ(on.body, R"({"user":{"_id":")" + bob.user_id + R"(","active":true},"success":true})");
  // What was revoked stays revoked.
  EXPECT_FALSE(world.is_logged_in(bob));
  EXPECT_TRUE(world.is_logged_in(world.login("bob", "pw-bob")));
}

TEST(SetActiveStatus, RefusesAsTheContractSays) {
  World world;
  const Credentials bob = world.new_user("bob");
  const std::string path = "/api/v1/users.setActiveStatus";
  EXPECT_EQ(world.post(path, bob, R"({"userId":"x","activeStatus":false})").body, kForbidden.body);
  EXPECT_EQ(world.post(path, world.admin(), R"({"userId":"x","activeStatus":false})").body,
            kInvalidUser.body);
  const Reply last = world.post(path, world.admin(),
                                R"({"userId":")" + world.admin_id + R"(","activeStatus":false})");
  EXPECT_EQ(last.body, kLastAdmin.body);
  for (const char* body :
       {"{}", R"({"userId":"x"})", R"({"activeStatus":true})",
        R"({"userId":"x","activeStatus":"true"})", R"({"userId":1,"activeStatus":true})"}) {
    const Reply reply = world.post(path, world.admin(), body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(text_after(reply.body, R"("errorType":")"), "error-invalid-params") << body;
  }
}

TEST(UsersInfo, ShowsAllToAdminsAndOneselfAndLittleToOthers) {
  World world;
  const Credentials bob = world.new_user("bob");
  const std::string carl = world.create_user("carl");
  const std::string full = R"({"user":)" + full_user(world, carl, "carl") + R"(,"success":true})";
  EXPECT_EQ(world.get("/api/v1/users.info?userId=" + carl, world.admin()).body, full);
  EXPECT_EQ(world.get("/api/v1/users.info?username=CARL", world.admin()).body, full);
  EXPECT_EQ(world.get("/api/v1/users.info?x=1&username=%63arl+", world.admin()).body, full);
  EXPECT_EQ(world.get("/api/v1/users.info?username=bob", bob).body,
            R"({"user":)" + full_user(world, bob.user_id, "bob") + R"(,"success":true})");
  EXPECT_EQ(world.get("/api/v1/users.info?username=carl", bob).body,
            R"({"user":{"_id":")" + carl +
                R"(","username":"carl","name":"Name of carl","active":true},"success":true})");
}

TEST(UsersInfo, RefusesAsTheContractSays) {
  World world;
  const Reply unknown = world.get("/api/v1/users.info?username=nobody", world.admin());
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(unknown.body, R"({"success":false,"error":"User not found."})");
  for (const char* query : {"", "?", "?userId=", "?username=%20", "?name=admin"}) {
    const Reply reply = world.get("/api/v1/users.info" + std::string(query), world.admin());
    EXPECT_EQ(reply.status, 400) << query;
    EXPECT_EQ(reply.body, kUserParamNotProvided.body) << query;
  }
  const Reply malformed = world.get("/api/v1/users.info?userId=%zz", world.admin());
  EXPECT_EQ(malformed.status, 400);
  EXPECT_EQ(text_after(malformed.body, R"("errorType":")"), "error-invalid-params");
}

TEST(UsersList, PagesAreInOrderAndBounded) {
  World world;
  const Credentials bob = world.new_user("bob");
  const std::string carl = world.create_user("carl");
  const Reply page = world.get("/api/v1/users.list?count=1&offset=2", world.admin());
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, R"({"users":[)" + full_user(world, carl, "carl") +
                           R"(],"count":1,"offset":2,"total":3,"success":true})");
  const Reply others = world.get("/api/v1/users.list?offset=1", bob);
  EXPECT_EQ(others.body, R"({"users":[)" + full_user(world, bob.user_id, "bob") + R"(,{"_id":")" +
                             carl +
                             R"(","username":"carl","name":"Name of carl","active":true}],)"
                             R"("count":2,"offset":1,"total":3,"success":true})");
  EXPECT_THAT(others.body, Not(HasSubstr("carl@example.org")));
  EXPECT_EQ(world.get("/api/v1/users.list?offset=99999999999999999999", bob).body,
            R"({"users":[],"count":0,"offset":4294967295,"total":3,"success":true})");
  for (const char* query : {"?count=-1", "?count=x", "?offset=1.5", "?offset=0x1"}) {
    const Reply reply = world.get("/api/v1/users.list" + std::string(query), bob);
    EXPECT_EQ(reply.status, 400) << query;
    EXPECT_EQ(text_after(reply.body, R"("errorType":")"), "error-invalid-params") << query;
  }
}

TEST(UsersList, FiftyByDefaultAndAHundredAtMost) {
  World world;
  for (int index = 0; index < 104; ++index) world.create_user("user" + std::to_string(index));
  const auto told = [&world](std::string_view query) {
    const std::string body =
        world.get("/api/v1/users.list" + std::string(query), world.admin()).body;
    const std::size_t at = body.rfind(R"("count":)") + 8;
    return body.substr(at, body.find(',', at) - at);
  };
  EXPECT_EQ(told(""), "50");
  EXPECT_EQ(told("?count="), "50");
  EXPECT_EQ(told("?count=0"), "50");
  EXPECT_EQ(told("?count=100"), "100");
  EXPECT_EQ(told("?count=101"), "100");
  EXPECT_EQ(told("?count=100&offset=100"), "5");
}

}  // namespace
}  // namespace tokend::api
