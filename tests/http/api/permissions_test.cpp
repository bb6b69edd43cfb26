#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "http/api/text.h"
#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::Reply;
using ::testing::StartsWith;
using testing::text_after;
using testing::World;

TEST(PermissionsListAll, ShowsEveryPermissionToWhoeverIsLoggedIn) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Reply reply = world.get("/api/v1/permissions.listAll", bob);
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, StartsWith(R"({"update":[{"_id":")"));
  EXPECT_THAT(reply.body, EndsWith(R"(}],"remove":[],"success":true})"));
  for (std::size_t index = 0; index < store::kPermissionCount; ++index) {
    const auto id = id_of(static_cast<store::Permission>(index));
    EXPECT_THAT(reply.body, HasSubstr(R"({"_id":")" + std::string(id) + R"(","_updatedAt":")"));
  }
  EXPECT_THAT(reply.body, HasSubstr(R"(Z","roles":["admin","bot","app"]})"));
  EXPECT_EQ(world.get("/api/v1/permissions.listAll").status, 401);
}

TEST(PermissionsUpdate, ChangesTakeEffectAndAllAreShown) {
  World world;
  const Credentials bob = world.new_user("bob");
  const std::string issue = R"({"username":"admin"})";
  EXPECT_EQ(world.post("/api/v1/users.createToken", bob, issue).status, 400);
  const Reply reply =
      world.post("/api/v1/permissions.update", world.admin(),
                 R"({"permissions":[{"_id":"user-generate-access-token","roles":[]},)"
                 R"({"_id":"user-generate-access-token","roles":["user","admin"]},)"
                 R"({"_id":"delete-user","roles":[]}]})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(
      reply.body,
      StartsWith(
          R"({"permissions":[{"_id":"user-generate-access-token","roles":["admin","user"]},)"));
  EXPECT_THAT(reply.body, HasSubstr(R"({"_id":"delete-user","roles":[]})"));
  EXPECT_THAT(reply.body, EndsWith(R"(}],"success":true})"));
  EXPECT_EQ(world.post("/api/v1/users.createToken", bob, issue).status, 200);
  EXPECT_EQ(world.post("/api/v1/users.delete", world.admin(), R"({"username":"bob"})").status, 403);
  EXPECT_THAT(
      world.get("/api/v1/permissions.listAll", bob).body,
      HasSubstr(R"({"_id":"delete-user","_updatedAt":")" +
                std::string(view_of(iso_time(world.clock.wall_ms()))) + R"(","roles":[]})"));
}

TEST(PermissionsUpdate, AnythingUnknownIsInvalidAndChangesNothing) {
  World world;
  const std::string before = world.get("/api/v1/permissions.listAll", world.admin()).body;
  const std::string good = R"({"_id":"delete-user","roles":["user"]},)";
  for (const std::string& body :
       {std::string("{}"), std::string(R"({"permissions":{}})"),
        std::string(R"({"permissions":1})"),
        R"({"permissions":[)" + good + R"({"_id":"nothing","roles":[]}]})",
        R"({"permissions":[)" + good + R"({"_id":"create-user","roles":["king"]}]})",
        R"({"permissions":[)" + good + R"({"_id":"create-user","roles":"user"}]})",
        R"({"permissions":[)" + good + R"({"_id":"create-user"}]})",
        R"({"permissions":[)" + good + R"({"_id":1,"roles":[]}]})",
        R"({"permissions":[)" + good + R"("create-user"]})"}) {
    const Reply reply = world.post("/api/v1/permissions.update", world.admin(), body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_THAT(reply.body, StartsWith(R"({"success":false,"error":"Invalid body params")"))
        << body;
  }
  EXPECT_EQ(world.get("/api/v1/permissions.listAll", world.admin()).body, before);
  const Reply nothing =
      world.post("/api/v1/permissions.update", world.admin(), R"({"permissions":[]})");
  EXPECT_EQ(nothing.status, 200);
}

TEST(PermissionsUpdate, NeedsThePermission) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Reply reply = world.post("/api/v1/permissions.update", bob, "{}");
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.body,
              StartsWith(R"({"success":false,"error":"Editing permissions is not allowed")"));
}

TEST(RolesList, ShowsEveryRoleToWhoeverIsLoggedIn) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Reply reply = world.get("/api/v1/roles.list", bob);
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(
      reply.body,
      MatchesRegex(
          R"re(\{"roles":\[\{"_id":"admin","description":"[^"]*","mandatory2fa":false,"protected":true,"scope":"Users","name":"admin"\},.*\],"success":true\})re"));
  for (std::size_t index = 0; index < store::kRoleCount; ++index) {
    const std::string id(id_of(static_cast<store::Role>(index)));
    EXPECT_THAT(reply.body, HasSubstr(R"({"_id":")" + id + R"(","description":")"));
  }
}

TEST(RolesAddUser, GivesTheRoleAtOnce) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Reply reply = world.post("/api/v1/roles.addUserToRole", world.admin(),
                                 R"({"roleId":"admin","username":"BOB"})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(
      reply.body,
      MatchesRegex(
          R"re(\{"role":\{"_id":"admin","description":"[^"]*","mandatory2fa":false,"protected":true,"scope":"Users","name":"admin"\},"success":true\})re"));
  EXPECT_EQ(world.post("/api/v1/users.createToken", bob, R"({"username":"admin"})").status, 200);
  EXPECT_EQ(world
                .post("/api/v1/roles.addUserToRole", world.admin(),
                      R"({"roleId":"admin","username":"bob"})")
                .body,
            kUserAlreadyInRole.body);
}

TEST(RolesRemoveUser, TakesTheRoleButNeverTheLastAdmins) {
  World world;
  const Credentials bob = world.new_user("bob", R"(,"roles":["user","admin"])");
  const std::string path = "/api/v1/roles.removeUserFromRole";
  const Reply reply = world.post(path, world.admin(), R"({"roleId":"admin","username":"bob"})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"success":true})");
  EXPECT_EQ(world.post("/api/v1/users.createToken", bob, R"({"username":"admin"})").status, 400);
  EXPECT_EQ(world.post(path, world.admin(), R"({"roleId":"admin","username":"bob"})").body,
            kUserNotInRole.body);
  EXPECT_EQ(world.post(path, world.admin(), R"({"roleId":"admin","username":"admin"})").body,
            kLastAdmin.body);
}

TEST(Roles, RefuseAsTheContractSays) {
  World world;
  const Credentials bob = world.new_user("bob");
  for (const std::string path :
       {"/api/v1/roles.addUserToRole", "/api/v1/roles.removeUserFromRole"}) {
    EXPECT_EQ(world.post(path, bob, R"({"roleId":"admin","username":"bob"})").body,
              kForbidden.body);
    EXPECT_EQ(world.post(path, world.admin(), R"({"username":"bob"})").body, kRoleIdMissing.body);
    EXPECT_EQ(world.post(path, world.admin(), R"({"roleId":"bot"})").body,
              kUserParamNotProvided.body);
    EXPECT_EQ(world.post(path, world.admin(), R"({"roleId":"king","username":"bob"})").body,
              kRoleNotFound.body);
    EXPECT_EQ(world.post(path, world.admin(), R"({"roleId":"bot","username":"nobody"})").body,
              kInvalidUser.body);
  }
}

}  // namespace
}  // namespace tokend::api
