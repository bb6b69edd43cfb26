// permissions.listAll, permissions.update, roles.*: contract sections 3 and 4.4 with 9.16, 9.17.

#include <gmock/gmock.h>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;

class Permissions : public ServerSuite<Permissions> {
 public:
  static ServerSettings settings() { return {}; }

 protected:
  Response update(const std::string& body, const Credentials& caller) {
    return client().post("/api/v1/permissions.update", body, &caller);
  }
  static std::string one(const std::string& permission, const std::string& roles) {
    return R"({"permissions":[{"_id":")" + permission + R"(","roles":)" + roles + "}]}";
  }
  Response change_role(const std::string& verb, const std::string& role,
                       const std::string& username, const Credentials& caller) {
    return client().post("/api/v1/roles." + verb,
                         R"({"roleId":")" + role + R"(","username":")" + username + "\"}", &caller);
  }
};

TEST_F(Permissions, ListAllAnswersToTheByteForAnyUser) {
  const Credentials caller = log_in(make_user());
  const Response response = client().get("/api/v1/permissions.listAll", &caller);
  EXPECT_TRUE(answers(response, 200, R"({"update":[{<any>}],"remove":[],"success":true})"));
  EXPECT_TRUE(answers(client().get("/api/v1/permissions.listAll"), 401, kMustBeLoggedIn));
}

TEST_F(Permissions, DefaultsAreTheOriginals) {
  const std::string body = client().get("/api/v1/permissions.listAll", &admin()).body;
  for (const auto& [permission, roles] : std::vector<std::pair<std::string, std::string>>{
           {"user-generate-access-token", R"(["admin"])"},
           {"create-personal-access-tokens", R"(["admin","user"])"},
           {"api-bypass-rate-limit", R"(["admin","bot","app"])"},
           {"create-user", R"(["admin"])"},
           {"delete-user", R"(["admin"])"},
           {"edit-other-user-active-status", R"(["admin"])"},
           {"logout-other-user", R"(["admin"])"},
           {"view-full-other-user-info", R"(["admin"])"},
           {"access-permissions", R"(["admin"])"},
           {"edit-other-user-info", R"(["admin"])"},
           {"edit-other-user-password", R"(["admin"])"},
           {"assign-roles", R"(["admin"])"},
           {"assign-admin-role", R"(["admin"])"},
           {"view-privileged-setting", R"(["admin"])"},
           {"edit-privileged-setting", R"(["admin"])"},
           {"introspect-tokens", R"(["admin"])"},
           {"edit-issuing-policies", R"(["admin"])"},
           {"revoke-tokens-in-bulk", R"(["admin"])"}}) {
    EXPECT_TRUE(matches(body, R"(<any>{"_id":")" + permission +
                                  R"(","_updatedAt":"<time>","roles":)" + roles + "}<any>"))
        << permission << body;
  }
}

TEST_F(Permissions, UpdateAnswersWithAllAndCountsAtOnce) {
  const Person target = make_user();
  const Credentials bot = log_in(make_user(R"(,"roles":["bot"])"));
  const std::string body = json_pair("userId", target.id);
  EXPECT_TRUE(answers(create_token(body, &bot), 400, kNotAuthorized));

  const Response response =
      update(one("user-generate-access-token", R"(["admin","bot"])"), admin());
  EXPECT_TRUE(answers(response, 200, R"({"permissions":[{<any>}],"success":true})"));
  EXPECT_THAT(response.body,
              HasSubstr(R"({"_id":"user-generate-access-token","roles":["admin","bot"]})"));
  EXPECT_THAT(response.body, HasSubstr(R"({"_id":"create-user","roles":["admin"]})"));
  // Every core has its own copy; new connections come to other cores.
  for (int time = 0; time < 20; ++time) {
    ApiClient fresh(server());
    EXPECT_TRUE(answers(fresh.post(kCreateToken, body, &bot), 200, kIssued));
  }
  EXPECT_EQ(update(one("user-generate-access-token", R"(["admin"])"), admin()).status, 200);
  for (int time = 0; time < 20; ++time) {
    ApiClient fresh(server());
    EXPECT_TRUE(answers(fresh.post(kCreateToken, body, &bot), 400, kNotAuthorized));
  }
}

TEST_F(Permissions, InvalidUpdatesChangeNothing) {
  const std::string before = client().get("/api/v1/permissions.listAll", &admin()).body;
  for (const std::string& body :
       {std::string("{}"), std::string(R"({"permissions":5})"),
        std::string(R"({"permissions":[5]})"), std::string(R"({"permissions":[{}]})"),
        std::string(R"({"permissions":[{"_id":"create-user"}]})"), one("create-user", R"("admin")"),
        one("create-user", "[5]"), one("no-such-permission", R"(["admin"])"),
        one("create-user", R"(["no-such-role"])"),
        std::string(R"({"permissions":[{"_id":"create-user","roles":["bot"]},)"
                    R"({"_id":"nothing","roles":[]}]})")}) {
    EXPECT_TRUE(answers(update(body, admin()), 400,
                        R"({"success":false,"error":"Invalid body params<any>})"))
        << body;
  }
  EXPECT_EQ(client().get("/api/v1/permissions.listAll", &admin()).body, before);
}

TEST_F(Permissions, UpdateNeedsThePermission) {
  const Credentials outsider = log_in(make_user());
  EXPECT_TRUE(answers(update(one("create-user", R"(["user"])"), outsider), 400,
                      R"({"success":false,"error":"Editing permissions is not allowed<any>})"));
  EXPECT_TRUE(answers(client().post("/api/v1/permissions.update", "{}"), 401, kMustBeLoggedIn));
}

TEST_F(Permissions, UpdateOutlivesARestart) {
  ServerProcess own;
  ASSERT_TRUE(own.start()) << own.report();
  {
    ApiClient client(own);
    const Credentials admin = client.login_admin();
    ASSERT_EQ(
        client.post("/api/v1/permissions.update", one("create-user", R"(["admin","bot"])"), &admin)
            .status,
        200);
  }
  ASSERT_EQ(own.stop(), 0) << own.report();
  ASSERT_TRUE(own.start()) << own.report();
  ApiClient client(own);
  const Credentials admin = client.login_admin();
  EXPECT_TRUE(
      matches(client.get("/api/v1/permissions.listAll", &admin).body,
              R"(<any>"_id":"create-user","_updatedAt":"<time>","roles":["admin","bot"]<any>)"));
}

TEST_F(Permissions, RolesListAnswersToTheByteForAnyUser) {
  const Credentials caller = log_in(make_user());
  const Response response = client().get("/api/v1/roles.list", &caller);
  EXPECT_TRUE(answers(response, 200, R"({"roles":[{<any>}],"success":true})"));
  for (const char* role :
       {"admin", "user", "bot", "app", "moderator", "leader", "owner", "guest", "anonymous"}) {
    EXPECT_TRUE(matches(response.body,
                        R"(<any>{"_id":")" + std::string(role) +
                            R"(","description":"<text>","mandatory2fa":false,"protected":true,)"
                            R"("scope":"<text>","name":")" +
                            role + R"("}<any>)"))
        << role << response.body;
  }
}

TEST_F(Permissions, RoleIsGivenAndTakenAtOnce) {
  const Person person = make_user();
  const Person target = make_user();
  const Credentials caller = log_in(person);
  const std::string body = json_pair("userId", target.id);
  EXPECT_TRUE(answers(create_token(body, &caller), 400, kNotAuthorized));
  const Response added = change_role("addUserToRole", "admin", person.username, admin());
  EXPECT_TRUE(answers(added, 200, R"({"role":{"_id":"admin",<any>},"success":true})"));
  for (int time = 0; time < 20; ++time) {
    ApiClient fresh(server());
    EXPECT_TRUE(answers(fresh.post(kCreateToken, body, &caller), 200, kIssued));
  }
  EXPECT_TRUE(answers(change_role("removeUserFromRole", "admin", person.username, admin()), 200,
                      R"(<any>"success":true})"));
  for (int time = 0; time < 20; ++time) {
    ApiClient fresh(server());
    EXPECT_TRUE(answers(fresh.post(kCreateToken, body, &caller), 400, kNotAuthorized));
  }
}

TEST_F(Permissions, RoleChangesAreRefusedAsTheContractSays) {
  const Person person = make_user();
  const Credentials outsider = log_in(person);
  for (const char* verb : {"addUserToRole", "removeUserFromRole"}) {
    EXPECT_TRUE(answers(change_role(verb, "admin", person.username, outsider), 403, kForbidden));
    EXPECT_EQ(change_role(verb, "emperor", person.username, admin()).status, 400);
    EXPECT_EQ(change_role(verb, "bot", "nobody", admin()).status, 400);
    EXPECT_EQ(client().post(std::string("/api/v1/roles.") + verb, "{}", &admin()).status, 400);
    EXPECT_TRUE(
        answers(client().post(std::string("/api/v1/roles.") + verb, "{}"), 401, kMustBeLoggedIn));
  }
}

TEST_F(Permissions, LastActiveAdminIsNotDemoted) {
  EXPECT_TRUE(answers(change_role("removeUserFromRole", "admin", kAdminUsername, admin()), 400,
                      R"({"success":false,"error":"<text> [error-last-admin]",)"
                      R"("errorType":"error-last-admin"})"));
}

}  // namespace
}  // namespace tokend::tests
