// How many tokens a user keeps and how long they live: contract section 2 with 9.10 and 9.11.

#include <deque>
#include <thread>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

constexpr std::size_t kTokensMax = 50;

class TokenLimit : public ServerSuite<TokenLimit> {
 public:
  static ServerSettings settings() { return {}; }

 protected:
  void expect_newest_alive(const std::vector<Credentials>& tokens, std::size_t alive) {
    for (std::size_t index = 0; index < tokens.size(); ++index) {
      EXPECT_EQ(client().authenticates(tokens[index]), index + alive >= tokens.size())
          << "token " << index << " of " << tokens.size();
    }
  }
};

TEST_F(TokenLimit, ExactlyTheNewestFiftyStay) {
  const Person person = make_user();
  std::vector<Credentials> tokens;
  for (std::size_t count = 0; count < kTokensMax; ++count) {
    tokens.push_back(client().issue(admin(), person.id));
  }
  expect_newest_alive(tokens, kTokensMax);
  for (int count = 0; count < 7; ++count) tokens.push_back(client().issue(admin(), person.id));
  expect_newest_alive(tokens, kTokensMax);
}

TEST_F(TokenLimit, TiesAreBrokenByTheOrderOfIssue) {
  const Person person = make_user();
  HttpClient raw = connect();
  // In one write, so that many are issued within one millisecond and one commit.
  std::string bytes;
  constexpr std::size_t kIssued = 60;
  for (std::size_t count = 0; count < kIssued; ++count) {
    bytes += bytes_of({.method = "POST",
                       .target = kCreateToken,
                       .headers = headers_of(admin()),
                       .body = json_pair("userId", person.id)});
  }
  ASSERT_TRUE(raw.send(bytes));
  std::vector<Credentials> tokens;
  for (std::size_t count = 0; count < kIssued; ++count) {
    const Response response = raw.read_response();
    ASSERT_EQ(response.status, 200) << response;
    tokens.push_back({person.id, string_field(response.body, "authToken")});
  }
  expect_newest_alive(tokens, kTokensMax);
}

TEST_F(TokenLimit, LoginCountsAndEnforcesToo) {
  const Person person = make_user();
  std::vector<Credentials> tokens;
  for (std::size_t count = 0; count < kTokensMax; ++count) {
    tokens.push_back(count % 2 == 0 ? client().issue(admin(), person.id) : log_in(person));
  }
  tokens.push_back(log_in(person));
  tokens.push_back(log_in(person));
  expect_newest_alive(tokens, kTokensMax);
}

TEST_F(TokenLimit, ALifetimeOfItsOwnIsToldAndKept) {
  const Person person = make_user();
  const Response response =
      create_token(R"({"userId":")" + person.id + R"(","lifetime":2})", &admin());
  const auto issued = std::chrono::steady_clock::now();
  EXPECT_TRUE(answers(response, 200,
                      R"({"data":{"userId":"<id>","authToken":"<token>","expiresAt":"<time>"},)"
                      R"("success":true})"));
  const Credentials token{person.id, string_field(response.body, "authToken")};
  EXPECT_TRUE(client().authenticates(token));
  const Response longer = client().post(kCreateToken, "userId=" + person.id + "&lifetime=7d",
                                        &admin(), "application/x-www-form-urlencoded");
  EXPECT_TRUE(answers(longer, 200, R"({"data":{<any>"expiresAt":"<time>"},"success":true})"));
  std::this_thread::sleep_until(issued + std::chrono::milliseconds(2020));
  EXPECT_FALSE(client().authenticates(token));
  EXPECT_TRUE(client().authenticates({person.id, string_field(longer.body, "authToken")}));
}

TEST(TokenLifetimeMax, IsASettingOfTheServer) {
  ServerProcess own({.environment = {{"TOKEND_TOKEN_LIFETIME_MAX", "1h"}}});
  ASSERT_TRUE(own.start()) << own.report();
  ApiClient client(own);
  const Credentials admin = client.login_admin();
  const auto with = [&](const std::string& value) {
    return client.post(kCreateToken,
                       R"({"userId":")" + admin.user_id + R"(","lifetime":")" + value + R"("})",
                       &admin);
  };
  EXPECT_TRUE(answers(with("1h"), 200, R"({"data":{<any>"expiresAt":"<time>"},"success":true})"));
  EXPECT_TRUE(answers(with("2h"), 400,
                      R"({"success":false,"error":"<text>at most 3600 seconds )"
                      R"([error-invalid-lifetime]","errorType":"error-invalid-lifetime"})"));
  EXPECT_EQ(own.stop(), 0) << own.report();
}

TEST_F(TokenLimit, RemovedTokensMakeRoom) {
  const Person person = make_user();
  std::vector<Credentials> tokens;
  for (std::size_t count = 0; count < kTokensMax; ++count) {
    tokens.push_back(client().issue(admin(), person.id));
  }
  ASSERT_EQ(client().post("/api/v1/logout", "", &tokens[10]).status, 200);
  tokens.erase(tokens.begin() + 10);
  tokens.push_back(client().issue(admin(), person.id));
  expect_newest_alive(tokens, kTokensMax);
}

TEST_F(TokenLimit, DroppedTokenIsRefusedOnEveryConnection) {
  const Person person = make_user();
  const Credentials oldest = client().issue(admin(), person.id);
  std::deque<ApiClient> others;
  for (int count = 0; count < 8; ++count) {
    others.emplace_back(server());
    EXPECT_TRUE(others.back().authenticates(oldest));
  }
  for (std::size_t count = 0; count < kTokensMax; ++count) {
    static_cast<void>(client().issue(admin(), person.id));
  }
  for (ApiClient& other : others) EXPECT_FALSE(other.authenticates(oldest));
}

TEST_F(TokenLimit, LimitOutlivesARestart) {
  ServerProcess own({.flags = {"--max-resume-login-tokens", "3"}});
  ASSERT_TRUE(own.start()) << own.report();
  std::vector<Credentials> tokens;
  Credentials admin;
  std::string user_id;
  {
    ApiClient client(own);
    admin = client.login_admin();
    user_id = client.create_user(admin, "limited").id;
    for (int count = 0; count < 4; ++count) tokens.push_back(client.issue(admin, user_id));
  }
  ASSERT_EQ(own.stop(), 0) << own.report();
  ASSERT_TRUE(own.start()) << own.report();
  ApiClient client(own);
  EXPECT_FALSE(client.authenticates(tokens[0]));
  EXPECT_TRUE(client.authenticates(tokens[1]));
  tokens.push_back(client.issue(admin, user_id));
  EXPECT_FALSE(client.authenticates(tokens[1]));
  for (std::size_t index = 2; index < tokens.size(); ++index) {
    EXPECT_TRUE(client.authenticates(tokens[index])) << index;
  }
}

class Expiry : public ServerSuite<Expiry> {
 public:
  static ServerSettings settings() { return {.flags = {"--token-lifetime", "2s"}}; }
};

TEST_F(Expiry, TokenIsRefusedAtItsMomentAndNotBefore) {
  const Person person = make_user();
  const auto before = std::chrono::steady_clock::now();
  const Credentials issued = client().issue(admin(), person.id);
  const Credentials logged_in = log_in(person);
  const auto after = std::chrono::steady_clock::now();
  const auto lifetime = std::chrono::milliseconds(2000);
  std::this_thread::sleep_until(before + lifetime - std::chrono::milliseconds(300));
  EXPECT_TRUE(client().authenticates(issued));
  EXPECT_TRUE(client().authenticates(logged_in));
  std::this_thread::sleep_until(after + lifetime + std::chrono::milliseconds(20));
  // Both the connection that used it and one that never did.
  EXPECT_FALSE(client().authenticates(issued));
  EXPECT_FALSE(client().authenticates(logged_in));
  ApiClient fresh(server());
  EXPECT_FALSE(fresh.authenticates(issued));
  EXPECT_TRUE(answers(fresh.get("/api/v1/me", &issued), 401, kMustBeLoggedIn));
  EXPECT_TRUE(answers(fresh.post("/api/v1/login", json_pair("resume", issued.token)), 401,
                      kUnauthorizedLogin));
}

TEST_F(Expiry, UseAndResumeDoNotProlongIt) {
  const Person person = make_user();
  const Credentials issued = client().issue(admin(), person.id);
  const auto after = std::chrono::steady_clock::now();
  std::this_thread::sleep_until(after + std::chrono::milliseconds(1200));
  EXPECT_TRUE(client().authenticates(issued));
  EXPECT_EQ(client().post("/api/v1/login", json_pair("resume", issued.token)).status, 200);
  std::this_thread::sleep_until(after + std::chrono::milliseconds(2020));
  EXPECT_FALSE(client().authenticates(issued));
}

TEST_F(Expiry, ExpiredCallerIsNotIssuedFor) {
  const Person person = make_user();
  const Credentials issued = client().issue(admin(), person.id);
  std::this_thread::sleep_for(std::chrono::milliseconds(2020));
  EXPECT_TRUE(answers(create_token(json_pair("userId", person.id), &issued), 401, kMustBeLoggedIn));
}

TEST(ExpiryAcrossRestarts, MomentIsTheTokensOwnAndSurvives) {
  ServerProcess server({.flags = {"--token-lifetime", "1500ms"}});
  ASSERT_TRUE(server.start()) << server.report();
  Credentials token;
  {
    ApiClient client(server);
    token = client.login_admin();
  }
  const auto after = std::chrono::steady_clock::now();
  ASSERT_EQ(server.stop(), 0) << server.report();
  // A longer lifetime from now on changes nothing for a token that was issued before.
  server.settings().flags = {"--token-lifetime", "90d"};
  ASSERT_TRUE(server.start()) << server.report();
  std::this_thread::sleep_until(after + std::chrono::milliseconds(1520));
  ApiClient client(server);
  EXPECT_FALSE(client.authenticates(token));
  EXPECT_TRUE(client.authenticates(client.login_admin()));
}

}  // namespace
}  // namespace tokend::tests
