// The audit end to end: every event once, who may read it, its pages, that no secret is in it or in
// the data directory, and what a crash leaves.

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kList = "/api/v1/audit.list";
constexpr const char* kSecret = "the-shared-secret-of-issuers";

// What `list` says of a query, all pages of it.
std::string all_of(ApiClient& client, const Credentials& admin, const std::string& query = "") {
  std::string all;
  std::string cursor;
  do {
    const Response page = client.get(
        kList + std::string("?count=100") + query + (cursor.empty() ? "" : "&cursor=" + cursor),
        &admin);
    EXPECT_EQ(page.status, 200) << page;
    all += page.body;
    cursor = string_field(page.body, "cursor");
  } while (!cursor.empty());
  return all;
}

// Refusals are there a quarter of a second later.
std::string wait_for(ApiClient& client, const Credentials& admin, const std::string& text) {
  std::string all;
  for (int waited = 0; waited < 50; ++waited) {
    all = all_of(client, admin);
    if (all.find(text) != std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return all;
}

class Audit : public ServerSuite<Audit> {
 public:
  static ServerSettings settings() {
    return {.environment = {{"CREATE_TOKENS_FOR_USERS_SECRET", kSecret}}};
  }

 protected:
  std::string body_for(const std::string& user) {
    return R"({"secret":")" + std::string(kSecret) + R"(","userId":")" + user + R"("})";
  }
  void post(const std::string& path, const std::string& body, const Credentials& caller,
            int status = 200) {
    const Response response = client().post("/api/v1/" + path, body, &caller);
    EXPECT_EQ(response.status, status) << path << response;
  }
};

TEST_F(Audit, HoldsEveryEventAndNoSecret) {
  const Person person = make_user();
  const std::string who = R"({"userId":")" + person.id + R"(")";
  const Credentials login = log_in(person);
  std::set<std::string> secrets = {login.token,
                                   admin().token,
                                   kSecret,
                                   person.password,
                                   kAdminPassword,
                                   "a-wrong-secret",
                                   "a-wrong-password",
                                   "typed-in-the-wrong-field"};
  const Response issued = create_token(body_for(person.id), &admin());
  ASSERT_EQ(issued.status, 200) << issued;
  const Credentials token{person.id, string_field(issued.body, "authToken")};
  secrets.insert(token.token);
  const Response personal = client().post("/api/v1/users.generatePersonalAccessToken",
                                          json_pair("tokenName", "robot"), &login);
  ASSERT_EQ(personal.status, 200) << personal;
  secrets.insert(string_field(personal.body, "token"));

  create_token(R"({"secret":"a-wrong-secret","userId":"x"})", &admin());
  post("login", R"({"user":")" + person.username + R"(","password":"a-wrong-password"})", {}, 401);
  post("login", R"({"user":"typed-in-the-wrong-field","password":"x"})", {}, 401);
  post("login", json_pair("resume", login.token), {});
  EXPECT_EQ(client().get("/api/v1/policies.list", &login).status, 403);
  post("users.removePersonalAccessToken", json_pair("tokenName", "robot"), login);
  post("users.revokeToken", json_pair("token", token.token), admin());
  post("users.update", who + R"(,"data":{"name":"New","password":"another-password"}})", admin());
  secrets.insert("another-password");
  const Credentials again = client().login(person.username, "another-password");
  secrets.insert(again.token);
  post("logout", "", again);
  post("users.logout", who + "}", admin());
  post("roles.addUserToRole", R"({"roleId":"bot","username":")" + person.username + R"("})",
       admin());
  post("users.setActiveStatus", who + R"(,"activeStatus":false})", admin());
  post("users.setActiveStatus", who + R"(,"activeStatus":true})", admin());
  post("permissions.update", R"({"permissions":[{"_id":"create-user","roles":["admin"]}]})",
       admin());
  post("policies.update", R"({"policies":[{"_id":"bot","excludeAdmins":true}]})", admin());
  post("settings/Accounts_LoginExpiration", R"({"value":80})", admin());
  post("users.revokeTokens", json_pair("issuerId", person.id), admin());
  post("users.delete", who + "}", admin());

  // The last of the refusals.
  const std::string all = wait_for(client(), admin(), "/api/v1/policies.list");
  for (const char* event : {"login",
                            "token-issue",
                            "personal-token-issue",
                            "resume",
                            "logout",
                            "token-revoke",
                            "tokens-revoke",
                            "personal-token-remove",
                            "user-create",
                            "user-update",
                            "user-activate",
                            "user-deactivate",
                            "user-delete",
                            "password-change",
                            "roles-change",
                            "permission-update",
                            "policy-update",
                            "setting-update",
                            "call",
                            "tokens-revoke-bulk"}) {
    EXPECT_THAT(all, HasSubstr(R"("event":")" + std::string(event) + R"(")"));
  }
  for (const char* reason : {"secret-wrong", "password-wrong", "user-unknown", "no-permission"}) {
    EXPECT_THAT(all, HasSubstr(R"("reason":")" + std::string(reason) + R"(")"));
  }
  EXPECT_THAT(all, HasSubstr(R"("actor":{"_id":")" + admin().user_id + R"("},"target":{"_id":")" +
                             person.id + R"("},"address":"127.0.0.1")"));
  EXPECT_THAT(all, HasSubstr(R"("details":"robot")"));
  EXPECT_THAT(all, HasSubstr(R"("details":"Accounts_LoginExpiration=6912000000")"));
  for (const std::string& secret : secrets) EXPECT_THAT(all, Not(HasSubstr(secret)));
  // Nor in what is written: not in the journal either.
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(server().data_path())) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    ++files;
    for (const std::string& secret : secrets) {
      EXPECT_EQ(bytes.find(secret), std::string::npos) << secret << " in " << entry.path();
    }
  }
  EXPECT_GT(files, 5U);
}

// The ids of the tokens in a list, in its order.
std::vector<std::string> tokens_in(const std::string& list) {
  constexpr std::string_view kToken = R"("token":")";
  std::vector<std::string> tokens;
  for (std::size_t at = 0; (at = list.find(kToken, at)) != std::string::npos;) {
    at += kToken.size();
    tokens.push_back(list.substr(at, list.find('"', at) - at));
  }
  return tokens;
}

// Its pages go on where the one before ended, whatever is committed meanwhile.
TEST_F(Audit, ItsPagesHaveEachEventOnceWhileTokensAreIssued) {
  const Person person = make_user();
  const std::string body = body_for(person.id);
  const std::string query = "&userId=" + person.id + "&event=token-issue";
  for (int token = 0; token < 45; ++token) post("users.createToken", body, admin());
  const std::vector<std::string> before = tokens_in(all_of(client(), admin(), query));
  ASSERT_EQ(before.size(), 45U);

  std::atomic<bool> ends = false;
  std::atomic<int> more = 0;
  std::thread issuer([&] {
    ApiClient other(server());
    while (!ends) more += other.post("/api/v1/users.createToken", body, &admin()).status == 200;
  });
  for (int round = 0; round < 10; ++round) {
    const int issued_before = more;
    std::vector<std::string> found;
    std::string cursor;
    do {
      const Response page = client().get(
          kList + ("?count=7" + query) + (cursor.empty() ? "" : "&cursor=" + cursor), &admin());
      ASSERT_EQ(page.status, 200) << page;
      std::ranges::move(tokens_in(page.body), std::back_inserter(found));
      cursor = string_field(page.body, "cursor");
    } while (!cursor.empty());
    EXPECT_GE(found.size(), before.size() + static_cast<std::size_t>(issued_before));
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()).size(), found.size());
    ASSERT_GE(found.size(), before.size());
    EXPECT_TRUE(std::ranges::equal(before, std::span(found).last(before.size())));
  }
  ends = true;
  issuer.join();
  EXPECT_GT(more, 0);
}

TEST_F(Audit, IsForThoseWithThePermission) {
  const Credentials user = log_in(make_user());
  EXPECT_TRUE(answers(client().get(kList, &user), 403, kForbidden));
  EXPECT_TRUE(answers(client().get(kList), 401, kMustBeLoggedIn));
  post("permissions.update", R"({"permissions":[{"_id":"view-audit","roles":["admin","user"]}]})",
       admin());
  EXPECT_EQ(client().get(kList, &user).status, 200);
  post("permissions.update", R"({"permissions":[{"_id":"view-audit","roles":["admin"]}]})",
       admin());
}

TEST_F(Audit, IsReadInPages) {
  const Person person = make_user();
  for (int count = 0; count < 7; ++count) create_token(body_for(person.id), &admin());
  const std::string query = "?event=token-issue&count=3&userId=" + person.id;
  std::set<std::string> tokens;
  std::string cursor;
  for (const int expected : {3, 3, 1}) {
    const Response page =
        client().get(kList + query + (cursor.empty() ? "" : "&cursor=" + cursor), &admin());
    ASSERT_EQ(page.status, 200) << page;
    EXPECT_EQ(integer_field(page.body, "count"), expected);
    for (std::size_t at = 0; (at = page.body.find(R"("token":")", at)) != std::string::npos; ++at) {
      tokens.insert(page.body.substr(at + 9, 32));
    }
    cursor = string_field(page.body, "cursor");
  }
  EXPECT_EQ(cursor, "");
  EXPECT_EQ(tokens.size(), 7U);
}

// Faster than a core may record: repetitions become a few records with their numbers.
TEST_F(Audit, CountsRepetitionsAndDropsNothing) {
  const Credentials user = log_in(make_user());
  const Person person = make_user();
  HttpClient connection = connect();
  const std::string refused =
      bytes_of({.target = "/api/v1/policies.list", .headers = headers_of(user)});
  constexpr int kRounds = 60;
  constexpr int kPipelined = 50;
  int issued = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string bytes;
    for (int count = 0; count < kPipelined; ++count) bytes += refused;
    ASSERT_TRUE(connection.send(bytes));
    for (int count = 0; count < kPipelined; ++count) {
      ASSERT_EQ(connection.read_response().status, 403);
    }
    if (round % 10 == 0) issued += create_token(body_for(person.id), &admin()).status == 200;
  }
  const auto told = [&] {
    std::int64_t sum = 0;
    const std::string all = all_of(client(), admin(), "&event=call&actor=" + user.user_id);
    constexpr std::string_view kPath = "/api/v1/policies.list";
    constexpr std::string_view kCount = R"("count":)";
    for (std::size_t at = 0; (at = all.find(kPath, at)) != std::string::npos; at += kPath.size()) {
      const std::size_t begin = all.rfind(R"("time")", at);
      const std::size_t count = all.find(kCount, begin);
      sum += count < all.find(R"("time")", at) ? std::stoll(all.substr(count + kCount.size())) : 1;
    }
    return sum;
  };
  for (int waited = 0; waited < 50 && told() < kRounds * kPipelined; ++waited) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(told(), kRounds * kPipelined);
  EXPECT_THAT(all_of(client(), admin(), "&event=dropped"),
              Not(HasSubstr(R"("outcome":"dropped")")));
  const std::string tokens = all_of(client(), admin(), "&event=token-issue&userId=" + person.id);
  int found = 0;
  for (std::size_t at = 0; (at = tokens.find(R"("token":")", at)) != std::string::npos; ++at)
    ++found;
  EXPECT_EQ(found, issued);
}

TEST(AuditOfAServer, IsWholeAfterACrashAndAfterAnEnd) {
  ServerProcess own;
  ASSERT_TRUE(own.start()) << own.report();
  Credentials admin;
  Person person;
  {
    ApiClient client(own);
    admin = client.login_admin();
    person = client.create_user(admin, "anna");
    for (int count = 0; count < 60; ++count) static_cast<void>(client.issue(admin, person.id));
  }
  own.kill();
  ASSERT_TRUE(own.start()) << own.report();
  {
    ApiClient client(own);
    const std::string issued = all_of(client, admin, "&event=token-issue&userId=" + person.id);
    std::size_t tokens = 0;
    for (std::size_t at = 0; (at = issued.find(R"("token":")", at)) != std::string::npos; ++at)
      ++tokens;
    EXPECT_EQ(tokens, 60U) << "ten of them were displaced";
    EXPECT_THAT(all_of(client, admin), HasSubstr("user-create"));
    // Asked for last, and the server is told to end before its quarter of a second is over.
    EXPECT_EQ(client.post("/api/v1/login", R"({"user":"anna","password":"wrong"})").status, 401);
  }
  EXPECT_EQ(own.stop(), 0) << own.report();
  ASSERT_TRUE(own.start()) << own.report();
  ApiClient client(own);
  EXPECT_THAT(all_of(client, admin), HasSubstr("password-wrong"));
  EXPECT_EQ(own.stop(), 0) << own.report();
}

TEST(AuditOfAServer, CanBeSwitchedOff) {
  ServerProcess own({.flags = {"--audit-retention", "0"}});
  ASSERT_TRUE(own.start()) << own.report();
  ApiClient client(own);
  const Credentials admin = client.login_admin();
  static_cast<void>(client.create_user(admin, "anna"));
  EXPECT_TRUE(answers(client.get(kList, &admin), 200,
                      R"({"events":[],"count":0,"cursor":null,"success":true})"));
  EXPECT_EQ(own.stop(), 0) << own.report();
}

}  // namespace
}  // namespace tokend::tests
