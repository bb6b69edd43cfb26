#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "http/api/text.h"
#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using ::testing::HasSubstr;
using testing::Reply;
using testing::World;

class UsersUpdate : public ::testing::Test {
 protected:
  Reply update(const Credentials& caller, std::string_view id, std::string_view data) {
    return world.post(
        "/api/v1/users.update", caller,
        R"({"userId":")" + std::string(id) + R"(","data":)" + std::string(data) + "}");
  }
  // Lets role `bot` have the permission too.
  void permit(std::string_view permission) {
    const Reply reply = world.post("/api/v1/permissions.update", world.admin(),
                                   R"({"permissions":[{"_id":")" + std::string(permission) +
                                       R"(","roles":["admin","bot"]}]})");
    ASSERT_EQ(reply.status, 200) << reply.body;
  }
  std::string info(std::string_view id) {
    return world.get("/api/v1/users.info?userId=" + std::string(id), world.admin()).body;
  }

  World world;
};

TEST_F(UsersUpdate, ChangesAllInOneWriteAndShowsTheUserWithoutAHash) {
  const Credentials bob = world.new_user("bob");
  const std::string time(view_of(iso_time(world.clock.wall_ms())));
  const Reply reply = update(
      world.admin(), bob.user_id,
      R"({"name":" Robert ","username":" rob ","email":" rob@example.org ","verified":true,)"
      R"("password":"new","roles":["bot","user"],"active":true,"requirePasswordChange":true,)"
      R"("setRandomPassword":false,"bio":"ignored","statusText":5})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            R"({"user":{"_id":")" + bob.user_id + R"(","createdAt":")" + time +
                R"(","username":"rob","emails":[{"address":"rob@example.org","verified":true}],)"
                R"("type":"user","status":"offline","active":true,"roles":["user","bot"],)"
                R"("_updatedAt":")" +
                time +
                R"(","name":"Robert","requirePasswordChange":true,)"
                R"("settings":{"profile":{},"preferences":{}}},"success":true})");
  EXPECT_FALSE(world.is_logged_in(bob));
  EXPECT_TRUE(world.is_logged_in(world.login("rob", "new")));
  EXPECT_TRUE(world.is_logged_in(world.login("rob@example.org", "new")));
  for (const char* gone :
       {R"({"user":"bob","password":"new"})", R"({"user":"bob@example.org","password":"new"})",
        R"({"user":"rob","password":"pw-bob"})"}) {
    EXPECT_EQ(world.post("/api/v1/login", "", gone).status, 401) << gone;
  }
}

TEST_F(UsersUpdate, WhatIsAbsentNullOrBlankStays) {
  const Credentials bob = world.new_user("bob");
  const std::string before = info(bob.user_id);
  for (
      const char* data :
      {"{}", R"({"email":"","password":""})", R"({"email":"  ","password":"  "})",
       R"({"name":null,"username":null,"email":null,"password":null,"roles":null,)"
       R"("active":null,"verified":null,"requirePasswordChange":null,"setRandomPassword":null})"}) {
    const Reply reply = update(world.admin(), bob.user_id, data);
    EXPECT_EQ(reply.status, 200) << data;
    EXPECT_EQ(reply.body, before) << data;
  }
  EXPECT_TRUE(world.is_logged_in(bob));
}

TEST_F(UsersUpdate, ANewPasswordEndsTheTokensButTheOneThatOneselfPresented) {
  const Credentials& admin = world.admin();
  const Credentials other = world.login("admin", World::kAdminPassword);
  const Reply personal =
      world.post("/api/v1/users.generatePersonalAccessToken", admin, R"({"tokenName":"script"})");
  const Credentials script{world.admin_id, testing::text_after(personal.body, R"("token":")")};
  ASSERT_TRUE(world.is_logged_in(other));
  ASSERT_TRUE(world.is_logged_in(script));
  EXPECT_EQ(update(admin, world.admin_id, R"({"password":"changed"})").status, 200);
  EXPECT_TRUE(world.is_logged_in(admin));
  EXPECT_FALSE(world.is_logged_in(other));
  EXPECT_FALSE(world.is_logged_in(script));
  EXPECT_TRUE(world.is_logged_in(world.login("admin", "changed")));
}

TEST_F(UsersUpdate, ADeactivatedUsersTokensEnd) {
  const Credentials bob = world.new_user("bob");
  EXPECT_THAT(update(world.admin(), bob.user_id, R"({"active":false})").body,
              HasSubstr(R"("active":false)"));
  EXPECT_FALSE(world.is_logged_in(bob));
}

TEST_F(UsersUpdate, NamesInUseAreRefusedAndNothingElseIsChanged) {
  const Credentials bob = world.new_user("bob");
  world.create_user("carl");
  const std::string before = info(bob.user_id);
  EXPECT_EQ(update(world.admin(), bob.user_id, R"({"username":"CARL","name":"x"})").body,
            R"({"success":false,"error":"CARL is already in use :( [error-field-unavailable]",)"
            R"("errorType":"error-field-unavailable"})");
  EXPECT_EQ(update(world.admin(), bob.user_id,
                   R"({"email":"Carl@Example.org","password":"x","active":false})")
                .body,
            R"({"success":false,"error":"Carl@Example.org is already in use :( )"
            R"([error-field-unavailable]","errorType":"error-field-unavailable"})");
  EXPECT_EQ(info(bob.user_id), before);
  EXPECT_TRUE(world.is_logged_in(bob));
  EXPECT_TRUE(world.is_logged_in(world.login("bob", "pw-bob")));
}

TEST_F(UsersUpdate, BadInputIsRefusedWithItsCode) {
  const std::string bob = world.create_user("bob");
  const std::string before = info(bob);
  const struct {
    std::string data;
    std::string answer;
  } cases[] = {
      {R"({"name":5})", std::string(kInvalidUpdateText.body)},
      {R"({"username":true})", std::string(kInvalidUpdateText.body)},
      {R"({"email":[]})", std::string(kInvalidUpdateText.body)},
      {R"({"password":{}})", std::string(kInvalidUpdateText.body)},
      {R"({"active":"true"})", std::string(kInvalidFlag.body)},
      {R"({"verified":1})", std::string(kInvalidFlag.body)},
      {R"({"requirePasswordChange":"x"})", std::string(kInvalidFlag.body)},
      {R"({"setRandomPassword":0})", std::string(kInvalidFlag.body)},
      {R"({"setRandomPassword":true})", std::string(kRandomPasswordNotSupported.body)},
      {R"({"roles":"admin"})", std::string(kInvalidRoleIds.body)},
      {R"({"roles":["user","emperor"]})", std::string(kInvalidRoleIds.body)},
      {R"({"roles":[5]})", std::string(kInvalidRoleIds.body)},
      {R"({"name":" "})", std::string(kIdentityNotSaved.body)},
      {R"({"username":""})", std::string(kIdentityNotSaved.body)},
      {R"({"username":"a b"})",
       R"({"success":false,"error":"a b is not a valid username )"
       R"([error-input-is-not-a-valid-field]","errorType":"error-input-is-not-a-valid-field"})"},
      {R"({"email":"nobody"})", R"({"success":false,"error":"Invalid email nobody )"
                                R"([error-invalid-email]","errorType":"error-invalid-email"})"},
      {R"({"name":")" + std::string(store::kDisplayNameBytesMax + 1, 'x') + R"("})",
       std::string(kInvalidDisplayName.body)},
  };
  for (const auto& [data, answer] : cases) {
    const Reply reply = update(world.admin(), bob, data);
    EXPECT_EQ(reply.status, 400) << data;
    EXPECT_EQ(reply.body, answer) << data;
  }
  for (const char* body : {"{}", R"({"userId":"x"})", R"({"data":{}})", R"({"userId":1,"data":{}})",
                           R"({"userId":"x","data":[]})", R"({"userId":" ","data":{}})"}) {
    EXPECT_EQ(world.post("/api/v1/users.update", world.admin(), body).body,
              kInvalidUpdateParams.body)
        << body;
  }
  EXPECT_EQ(info(bob), before);
}

TEST_F(UsersUpdate, AnUnknownUserIsInvalid) {
  for (const std::string& id : {std::string("nobody"), std::string(200, 'x')}) {
    EXPECT_EQ(update(world.admin(), id, R"({"name":"x"})").body, kUserIsInvalid.body) << id;
  }
}

// Whoever may not edit others is not told either whether there is such a user.
TEST_F(UsersUpdate, AnotherUserNeedsThePermission) {
  const Credentials bob = world.new_user("bob");
  const std::string carl = world.create_user("carl");
  for (const std::string& id : {carl, std::string("nobody"), std::string(200, 'x')}) {
    const Reply reply = update(bob, id, R"({"name":"x"})");
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body, kEditingUserNotAllowed.body) << id;
  }
  EXPECT_TRUE(world.log.has("refused /api/v1/users.update: no permission to edit others"));
}

TEST_F(UsersUpdate, OneselfMayChangeItsNamesAndAddressButNotWhatNeedsAPermission) {
  const Credentials bob = world.new_user("bob");
  const Reply reply =
      update(bob, bob.user_id,
             R"({"name":"Robert","username":"rob","email":"rob@example.org","roles":["user"]})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, HasSubstr(R"("username":"rob")"));
  EXPECT_TRUE(world.is_logged_in(bob));
  const struct {
    const char* data;
    FixedAnswer answer;
  } cases[] = {
      {R"({"password":"x"})", kEditingPasswordNotAllowed},
      {R"({"active":true})", kChangingStatusNotAllowed},
      {R"({"verified":true})", kVerifyingOneselfNotAllowed},
      {R"({"roles":["user","bot"]})", kAssignRolesNotAllowed},
      {R"({"roles":[]})", kAssignRolesNotAllowed},
      {R"({"roles":["admin"]})", kAssigningAdminNotAllowed},
  };
  const std::string before = info(bob.user_id);
  for (const auto& [data, fixed] : cases) {
    const Reply refused = update(bob, bob.user_id, data);
    EXPECT_EQ(refused.status, 400) << data;
    EXPECT_EQ(refused.body, fixed.body) << data;
  }
  EXPECT_EQ(info(bob.user_id), before);
}

TEST_F(UsersUpdate, EachKindOfChangeNeedsItsOwnPermission) {
  const Credentials helper = world.new_user("helper", R"(,"roles":["bot"])");
  const std::string carl = world.create_user("carl");
  permit("edit-other-user-info");
  // Others' roles and addresses are not shown without the permission for that.
  EXPECT_EQ(update(helper, carl, R"({"name":"Charles","roles":["user"]})").body,
            R"({"user":{"_id":")" + carl +
                R"(","username":"carl","name":"Charles","active":true},"success":true})");
  const struct {
    const char* permission;
    const char* data;
    FixedAnswer refusal;
  } cases[] = {
      {"edit-other-user-password", R"({"password":"x"})", kEditingPasswordNotAllowed},
      {"edit-other-user-active-status", R"({"active":false})", kChangingStatusNotAllowed},
      {"assign-roles", R"({"roles":["bot"]})", kAssignRolesNotAllowed},
      {"assign-admin-role", R"({"roles":["admin"]})", kAssigningAdminNotAllowed},
  };
  for (const auto& [permission, data, refusal] : cases) {
    EXPECT_EQ(update(helper, carl, data).body, refusal.body) << data;
    permit(permission);
    EXPECT_EQ(update(helper, carl, data).status, 200) << data;
  }
}

TEST_F(UsersUpdate, TheLastActiveAdminStays) {
  for (const char* data : {R"({"roles":["user"]})", R"({"roles":[]})", R"({"active":false})"}) {
    EXPECT_EQ(update(world.admin(), world.admin_id, data).body, kLastAdmin.body) << data;
  }
  EXPECT_TRUE(world.is_logged_in(world.admin()));
}

TEST_F(UsersUpdate, AFullQueueOfHashersIs503AndChangesNothing) {
  const Credentials bob = world.new_user("bob");
  const std::string before = info(bob.user_id);
  world.workers.full = true;
  const Reply reply = update(world.admin(), bob.user_id, R"({"password":"x","name":"y"})");
  world.workers.full = false;
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(info(bob.user_id), before);
}

}  // namespace
}  // namespace tokend::api
