// users.create, users.delete, users.info, users.list, users.setActiveStatus: contract section 4.3
// with 9.14 to 9.16.

#include <gmock/gmock.h>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

class Users : public ServerSuite<Users> {
 public:
  static ServerSettings settings() { return {}; }

 protected:
  static std::string new_user(const std::string& username, const std::string& email,
                              const std::string& more = "") {
    return R"({"email":")" + email + R"(","name":"Some One","username":")" + username +
           R"(","password":"a-pass-phrase")" + more + "}";
  }
  Response create(const std::string& body, const Credentials& caller) {
    return client().post("/api/v1/users.create", body, &caller);
  }
  Response create(const std::string& body) { return create(body, admin()); }
  Response remove(const std::string& body, const Credentials& caller) {
    return client().post("/api/v1/users.delete", body, &caller);
  }
  Response activate(const std::string& id, const std::string& status, const Credentials& caller) {
    return client().post("/api/v1/users.setActiveStatus",
                         R"({"userId":")" + id + R"(","activeStatus":)" + status + "}", &caller);
  }
};

constexpr const char* kSomeError =
    R"({"success":false,"error":"<any>[<text>]","errorType":"<text>"<any>})";
constexpr const char* kLastAdmin =
    R"({"success":false,"error":"<text> [error-last-admin]","errorType":"error-last-admin"})";

TEST_F(Users, CreateAnswersToTheByte) {
  const std::string name = fresh_name();
  const Response response = create(new_user(name, name + "@example.com"));
  EXPECT_TRUE(answers(
      response, 200,
      R"({"user":{"_id":"<id>","createdAt":"<time>","username":")" + name +
          R"(","emails":[{"address":")" + name +
          R"(@example.com","verified":false}],"type":"user","status":"<text>","active":true,)"
          R"("roles":["user"],"_updatedAt":"<time>","name":"Some One","settings":{<any>}},)"
          R"("success":true})"));
  EXPECT_THAT(response.body, Not(HasSubstr("password")));
}

TEST_F(Users, CreateTakesTheOptionalFields) {
  const std::string name = fresh_name();
  const Response response =
      create(new_user(name, name + "@example.com",
                      R"(,"active":false,"roles":["bot","user"],"verified":true,)"
                      R"("joinDefaultChannels":false,"requirePasswordChange":true,)"
                      R"("sendWelcomeEmail":true,"unknownField":{"a":[]})"));
  ASSERT_EQ(response.status, 200) << response;
  EXPECT_THAT(response.body, HasSubstr(R"("active":false)"));
  EXPECT_THAT(response.body, HasSubstr(R"("verified":true)"));
  EXPECT_THAT(response.body, HasSubstr(R"("bot")"));
  EXPECT_THAT(response.body, HasSubstr(R"("user")"));
}

TEST_F(Users, CreatedUserLogsInAndIsFound) {
  const Person person = make_user();
  EXPECT_TRUE(client().authenticates(log_in(person)));
}

TEST_F(Users, DisplayNameIsFreeTextAndComesBackUnharmed) {
  const std::string name = fresh_name();
  const Response response = create(R"({"email":")" + name +
                                   R"(@example.com","name":"a \"b\" \\ <\u0001> \u2028☃ 😀",)"
                                   R"("username":")" +
                                   name + R"(","password":"a-pass-phrase"})");
  ASSERT_EQ(response.status, 200) << response;
  EXPECT_THAT(response.body, HasSubstr("a \\\"b\\\" \\\\ <\\u0001> \u2028☃ 😀\""));
}

TEST_F(Users, CreateWithoutThePermissionIs400) {
  const Credentials outsider = log_in(make_user());
  const std::string name = fresh_name();
  EXPECT_TRUE(answers(create(new_user(name, name + "@example.com"), outsider), 400,
                      R"({"success":false,"error":"<text> [error-action-not-allowed]",)"
                      R"("errorType":"error-action-not-allowed"<any>})"));
  EXPECT_EQ(client().get("/api/v1/users.info?username=" + name, &admin()).status, 400);
}

TEST_F(Users, CreateWithoutLoginIs401) {
  EXPECT_TRUE(answers(client().post("/api/v1/users.create", new_user("x", "x@example.com")), 401,
                      kMustBeLoggedIn));
}

TEST_F(Users, CreateNeedsItsFields) {
  for (const char* body :
       {"{}", R"({"name":"n","username":"u.missing","password":"p"})",
        R"({"email":"m1@example.com","username":"u.missing","password":"p"})",
        R"({"email":"m2@example.com","name":"n","password":"p"})",
        R"({"email":"m3@example.com","name":"n","username":"u.missing"})",
        R"({"email":5,"name":"n","username":"u.missing","password":"p"})",
        R"({"email":"m4@example.com","name":"n","username":"","password":"p"})"}) {
    EXPECT_TRUE(answers(create(body), 400, kSomeError)) << body;
  }
}

TEST_F(Users, UsernamesHaveARule) {
  int count = 0;
  const auto status_of = [&](const std::string& username) {
    return create(new_user(username, "rule" + std::to_string(++count) + "@example.com")).status;
  };
  for (const std::string& username :
       {std::string("a"), std::string("A-b_c.9"), std::string("日本語"), std::string("Ωμέγα"),
        std::string("ünï-1"), std::string(128, 'm'), std::string("٣٤٥")}) {
    EXPECT_EQ(status_of(username), 200) << username;
  }
  for (const std::string& username :
       {std::string("has space"), std::string("at@sign"), std::string("slash/"),
        std::string("quote\\\"d"), std::string("emoji😀"), std::string("ta\\tb"),
        std::string("nul\\u0000"), std::string("zero\\u200bwidth"), std::string(129, 'n'),
        std::string("a+b"), std::string("a:b")}) {
    EXPECT_EQ(status_of(username), 400) << username;
  }
}

TEST_F(Users, DuplicatesByCaseAreRefused) {
  const std::string name = fresh_name("dup");
  ASSERT_EQ(create(new_user(name, name + "@example.com")).status, 200);
  std::string upper = name;
  for (char& byte : upper) byte = static_cast<char>(std::toupper(byte));
  for (const std::string& taken : {name, upper}) {
    EXPECT_TRUE(answers(create(new_user(taken, fresh_name() + "@example.com")), 400, kSomeError));
    EXPECT_TRUE(answers(create(new_user(fresh_name(), taken + "@example.com")), 400, kSomeError));
    EXPECT_TRUE(answers(create(new_user(fresh_name(), taken + "@EXAMPLE.com")), 400, kSomeError));
  }
  const std::string script = fresh_name("STRASSE-Ä");
  const std::string number = script.substr(script.rfind('.'));
  ASSERT_EQ(create(new_user(script, fresh_name() + "@example.com")).status, 200);
  EXPECT_EQ(create(new_user("strasse-a\u0308" + number, fresh_name() + "@example.com")).status,
            400);
}

TEST_F(Users, DuplicatesMadeAtTheSameTimeAreOne) {
  const std::string name = fresh_name("race");
  HttpClient raw = connect();
  std::string bytes;
  constexpr int kTimes = 8;
  for (int time = 0; time < kTimes; ++time) {
    bytes += bytes_of({.method = "POST",
                       .target = "/api/v1/users.create",
                       .headers = headers_of(admin()),
                       .body = new_user(name, name + std::to_string(time) + "@example.com")});
  }
  ASSERT_TRUE(raw.send(bytes));
  int made = 0;
  for (int time = 0; time < kTimes; ++time) made += raw.read_response().status == 200;
  EXPECT_EQ(made, 1);
}

TEST_F(Users, InvalidEmailIsRefused) {
  for (const char* email : {"", "nobody", "@example.com", "a@", "a b@example.com", "a@b@c"}) {
    EXPECT_EQ(create(new_user(fresh_name(), email)).status, 400) << email;
  }
}

TEST_F(Users, UnknownRoleIsRefused) {
  const std::string name = fresh_name();
  EXPECT_EQ(create(new_user(name, name + "@example.com", R"(,"roles":["emperor"])")).status, 400);
}

TEST_F(Users, DeleteTakesEveryFormOfTarget) {
  for (const char* key : {"userId", "username", "user"}) {
    const Person person = make_user();
    const std::string& value = std::string(key) == "userId" ? person.id : person.username;
    EXPECT_TRUE(answers(remove(json_pair(key, value), admin()), 200, R"({"success":true})"));
    EXPECT_EQ(client().get("/api/v1/users.info?userId=" + person.id, &admin()).status, 400);
    EXPECT_TRUE(answers(remove(json_pair(key, value), admin()), 400, kUnknownTarget));
  }
  EXPECT_TRUE(answers(remove("{}", admin()), 400, kNoTarget));
}

TEST_F(Users, DeleteWithoutThePermissionIs403ForEveryTarget) {
  const Person person = make_user();
  const Credentials outsider = log_in(make_user());
  for (const std::string& body : {json_pair("userId", person.id), json_pair("userId", "nobody")}) {
    EXPECT_TRUE(answers(remove(body, outsider), 403, kForbidden));
  }
  EXPECT_EQ(client().get("/api/v1/users.info?userId=" + person.id, &admin()).status, 200);
}

TEST_F(Users, InfoFindsByIdAndByName) {
  const Person person = make_user();
  for (const std::string& query :
       {"userId=" + person.id, "username=" + person.username, "x=y&username=" + person.username,
        "username=%55ser" + person.username.substr(4)}) {
    const Response response = client().get("/api/v1/users.info?" + query, &admin());
    EXPECT_TRUE(answers(response, 200, R"({"user":{"_id":"<id>",<any>},"success":true})")) << query;
    EXPECT_EQ(string_field(response.body, "_id"), person.id);
    EXPECT_THAT(response.body, HasSubstr("\"emails\""));
  }
}

TEST_F(Users, InfoOfNobody) {
  for (const char* query : {"userId=nobody", "username=nobody", "userId=%F0%9F%98%80"}) {
    EXPECT_TRUE(answers(client().get(std::string("/api/v1/users.info?") + query, &admin()), 400,
                        R"({"success":false,"error":"User not found."})"))
        << query;
  }
  EXPECT_TRUE(answers(client().get("/api/v1/users.info", &admin()), 400, kNoTarget));
  EXPECT_TRUE(answers(client().get("/api/v1/users.info?userId=x"), 401, kMustBeLoggedIn));
}

TEST_F(Users, InfoWithoutThePermissionSaysLittleOfOthers) {
  const Person person = make_user();
  const Person caller = make_user();
  const Credentials outsider = log_in(caller);
  EXPECT_TRUE(answers(client().get("/api/v1/users.info?userId=" + person.id, &outsider), 200,
                      R"({"user":{"_id":")" + person.id + R"(","username":")" + person.username +
                          R"(","name":"Name of )" + person.username +
                          R"(","active":true},"success":true})"));
  EXPECT_THAT(client().get("/api/v1/users.info?userId=" + caller.id, &outsider).body,
              HasSubstr("\"emails\""));
}

TEST_F(Users, ListPagesThroughEveryUserOnce) {
  for (int count = 0; count < 5; ++count) static_cast<void>(make_user());
  const Response all = client().get("/api/v1/users.list?count=100", &admin());
  EXPECT_TRUE(answers(all, 200,
                      R"({"users":[{<any>}],"count":<int>,"offset":0,"total":<int>,)"
                      R"("success":true})"));
  const std::int64_t total = integer_field(all.body, "total");
  ASSERT_GE(total, 6);
  std::set<std::string> seen;
  for (std::int64_t offset = 0; offset < total; offset += 2) {
    const Response page =
        client().get("/api/v1/users.list?count=2&offset=" + std::to_string(offset), &admin());
    ASSERT_EQ(page.status, 200) << page;
    EXPECT_EQ(integer_field(page.body, "count"), std::min<std::int64_t>(2, total - offset));
    EXPECT_EQ(integer_field(page.body, "offset"), offset);
    EXPECT_EQ(integer_field(page.body, "total"), total);
    std::string_view rest = page.body;
    for (std::string id; !(id = string_field(rest, "_id")).empty();) {
      EXPECT_TRUE(seen.insert(id).second) << id << " stands on two pages";
      rest.remove_prefix(rest.find("\"_id\":\"" + id) + 8);
    }
  }
  EXPECT_EQ(static_cast<std::int64_t>(seen.size()), total);
}

TEST_F(Users, ListIsBounded) {
  while (integer_field(client().get("/api/v1/users.list?count=1", &admin()).body, "total") < 103) {
    static_cast<void>(make_user());
  }
  const auto returned = [&](const std::string& query) {
    return integer_field(client().get("/api/v1/users.list" + query, &admin()).body, "count");
  };
  EXPECT_EQ(returned(""), 50);
  EXPECT_EQ(returned("?count=1000"), 100);
  EXPECT_EQ(returned("?count=100"), 100);
  EXPECT_EQ(returned("?offset=1000000"), 0);
}

TEST_F(Users, ListWithoutThePermissionSaysLittleOfOthers) {
  static_cast<void>(make_user());
  const Credentials outsider = log_in(make_user());
  const Response response = client().get("/api/v1/users.list?count=100", &outsider);
  ASSERT_EQ(response.status, 200) << response;
  EXPECT_THAT(response.body, Not(HasSubstr(kAdminEmail)));
  EXPECT_TRUE(answers(client().get("/api/v1/users.list"), 401, kMustBeLoggedIn));
}

TEST_F(Users, SetActiveStatusAnswersToTheByte) {
  const Person person = make_user();
  for (const char* status : {"false", "false", "true", "true"}) {
    EXPECT_TRUE(answers(
        activate(person.id, status, admin()), 200,
        R"({"user":{"_id":")" + person.id + R"(","active":)" + status + R"(},"success":true})"));
  }
}

TEST_F(Users, SetActiveStatusIsRefusedAsTheContractSays) {
  const Person person = make_user();
  const Credentials outsider = log_in(make_user());
  EXPECT_TRUE(answers(activate(person.id, "false", outsider), 403, kForbidden));
  EXPECT_TRUE(answers(activate("nobody", "false", outsider), 403, kForbidden));
  EXPECT_TRUE(answers(activate("nobody", "false", admin()), 400, kUnknownTarget));
  EXPECT_EQ(activate(person.id, "\"no\"", admin()).status, 400);
  EXPECT_EQ(client()
                .post("/api/v1/users.setActiveStatus", json_pair("userId", person.id), &admin())
                .status,
            400);
  EXPECT_TRUE(client().authenticates(log_in(person)));
}

TEST_F(Users, LastActiveAdminStays) {
  EXPECT_TRUE(answers(activate(admin().user_id, "false", admin()), 400, kLastAdmin));
  EXPECT_TRUE(answers(remove(json_pair("userId", admin().user_id), admin()), 400, kLastAdmin));
  // An admin who is not active is no replacement.
  const Person second = make_user(R"(,"roles":["admin","user"],"active":false)");
  EXPECT_TRUE(answers(activate(admin().user_id, "false", admin()), 400, kLastAdmin));
  EXPECT_EQ(activate(second.id, "true", admin()).status, 200);
  const Credentials other = log_in(second);
  EXPECT_EQ(activate(admin().user_id, "false", other).status, 200);
  EXPECT_TRUE(answers(activate(second.id, "false", other), 400, kLastAdmin));
  EXPECT_EQ(activate(admin().user_id, "true", other).status, 200);
  const Credentials again = client().login_admin();
  EXPECT_EQ(remove(json_pair("userId", second.id), again).status, 200);
}

TEST_F(Users, TwoAdminsCannotRemoveEachOtherAtTheSameTime) {
  const Person second = make_user(R"(,"roles":["admin","user"])");
  const Credentials other = log_in(second);
  HttpClient left = connect();
  HttpClient right = connect();
  const auto deactivate = [](const std::string& target, const Credentials& caller) {
    return bytes_of({.method = "POST",
                     .target = "/api/v1/users.setActiveStatus",
                     .headers = headers_of(caller),
                     .body = R"({"userId":")" + target + R"(","activeStatus":false})"});
  };
  ASSERT_TRUE(left.send(deactivate(second.id, admin())));
  ASSERT_TRUE(right.send(deactivate(admin().user_id, other)));
  const int first_status = left.read_response().status;
  const int second_status = right.read_response().status;
  EXPECT_EQ((first_status == 200) + (second_status == 200), 1)
      << first_status << " " << second_status;
  // Who remains lets the first admin back in and goes.
  if (second_status == 200) {
    ASSERT_EQ(activate(admin().user_id, "true", other).status, 200);
  }
  ASSERT_EQ(remove(json_pair("userId", second.id), client().login_admin()).status, 200);
}

}  // namespace
}  // namespace tokend::tests
