// The header Idempotency-Key against the real server: the same answer on every core, after a stop
// and after a kill, and nothing of it on the disk.

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;

constexpr const char* kCreateTokens = "/api/v1/users.createTokens";
constexpr std::size_t kTargetsMax = 10'000;

std::string reused() {
  return R"({"success":false,"error":"The \"Idempotency-Key\" was used for another request )"
         R"([error-idempotency-key-reused]","errorType":"error-idempotency-key-reused"})";
}

class IdempotencyKeys : public ServerSuite<IdempotencyKeys> {
 protected:
  static std::string fresh_key() { return fresh_name("3e7c2f4a-90ab-4d0c-8f27-5b1d9a6e"); }
  Response ask(ApiClient& from, const char* path, const std::string& body, const std::string& key,
               const Credentials& caller) {
    HeaderList headers = headers_of(caller);
    headers.emplace_back("Content-Type", "application/json");
    headers.emplace_back("Idempotency-Key", key);
    const Response response =
        from.call({.method = "POST", .target = path, .headers = headers, .body = body});
    server().remember_secret(key);
    for (std::size_t at = 0; (at = response.body.find(kToken, at)) != std::string::npos;) {
      at += kToken.size();
      server().remember_secret(response.body.substr(at, 43));
    }
    return response;
  }
  Response ask(const std::string& body, const std::string& key) {
    return ask(client(), kCreateToken, body, key, admin());
  }
  std::vector<std::string> many(std::size_t people) {
    std::vector<std::string> made;
    while (made.size() < people) made.push_back(make_user().id);
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < kTargetsMax; ++i) ids.push_back(made[i % people]);
    return ids;
  }
  static std::string list_of(const std::vector<std::string>& ids) {
    std::string body = R"({"userIds":[)";
    for (const std::string& id : ids) {
      if (body.back() != '[') body += ',';
      body += '"' + id + '"';
    }
    return body + "]}";
  }
  std::int64_t tokens_of(const Person& person) {
    // Of its own: the server may have been started anew.
    ApiClient connection(server());
    const Response response =
        connection.get("/api/v1/users.listTokens?userId=" + person.id, &admin());
    EXPECT_EQ(response.status, 200) << response;
    return integer_field(response.body, "total");
  }
  static Credentials issued(const Response& response) {
    return {string_field(response.body, "userId"), string_field(response.body, "authToken")};
  }

  static constexpr std::string_view kToken = R"("authToken":")";
};

TEST_F(IdempotencyKeys, TheSameAnswerOnEveryCoreAfterAStopAndAfterAKill) {
  const Person person = make_user();
  const std::string key = fresh_key();
  const std::string body = R"({"userId":")" + person.id + R"(","lifetime":"1h"})";
  const Response first = ask(body, '"' + key + '"');
  ASSERT_EQ(first.status, 200) << first;
  const auto repeats = [&] {
    // The kernel spreads connections over the two cores.
    for (int connection = 0; connection < 8; ++connection) {
      ApiClient another(server());
      const Response again = ask(another, kCreateToken, body, key, admin());
      EXPECT_TRUE(answers(again, 200, first.body));
      EXPECT_TRUE(another.authenticates(issued(again)));
    }
  };
  repeats();
  server().kill();
  ASSERT_TRUE(server().start()) << server().report();
  repeats();
  ASSERT_EQ(server().stop(), 0);
  ASSERT_TRUE(server().start()) << server().report();
  repeats();
  EXPECT_EQ(tokens_of(person), 1);
}

TEST_F(IdempotencyKeys, AnotherRequestOrAnotherIssuer) {
  const Person person = make_user();
  const Person issuer = make_user(R"(,"roles":["admin"])");
  const Credentials other = log_in(issuer);
  const std::string key = fresh_key();
  const std::string body = json_pair("userId", person.id);
  const Response first = ask(body, key);
  ASSERT_EQ(first.status, 200) << first;
  EXPECT_TRUE(answers(ask(json_pair("username", person.username), key), 400, reused()));
  EXPECT_TRUE(
      answers(ask(client(), kCreateTokens, list_of({person.id}), key, admin()), 400, reused()));
  const Response others = ask(client(), kCreateToken, body, key, other);
  ASSERT_EQ(others.status, 200) << others;
  EXPECT_NE(others.body, first.body);
  EXPECT_EQ(tokens_of(person), 2);
}

TEST_F(IdempotencyKeys, MalformedOnesAreRefused) {
  const std::string body = json_pair("userId", make_user().id);
  for (const std::string& key : {std::string("\"x"), std::string("x y"), std::string(256, 'x')}) {
    const Response refused = ask(body, key);
    EXPECT_EQ(refused.status, 400) << refused;
    EXPECT_THAT(refused.body, HasSubstr("[error-invalid-idempotency-key]"));
  }
}

TEST_F(IdempotencyKeys, ARevokedTokenIsAnsweredAgainAndDoesNotAuthenticate) {
  const Person person = make_user();
  const std::string key = fresh_key();
  const std::string body = json_pair("userId", person.id);
  const Response first = ask(body, key);
  ASSERT_TRUE(client().authenticates(issued(first)));
  const Response revoked =
      client().post("/api/v1/users.revokeToken", json_pair("token", issued(first).token), &admin());
  ASSERT_EQ(revoked.status, 200) << revoked;
  EXPECT_TRUE(answers(ask(body, key), 200, first.body));
  EXPECT_FALSE(client().authenticates(issued(first)));
  EXPECT_EQ(tokens_of(person), 0);
}

TEST_F(IdempotencyKeys, ManyAtOnceGetOneToken) {
  const Person person = make_user();
  const std::string body = json_pair("userId", person.id);
  for (int round = 0; round < 20; ++round) {
    const std::string key = fresh_key();
    const std::int64_t before = tokens_of(person);
    std::vector<std::string> bodies(6);
    {
      std::vector<std::jthread> clients;
      for (std::string& answer : bodies) {
        clients.emplace_back([&] {
          ApiClient own(server());
          answer = ask(own, kCreateToken, body, key, admin()).body;
        });
      }
    }
    EXPECT_TRUE(matches(bodies[0], kIssued)) << bodies[0];
    for (const std::string& answer : bodies) EXPECT_EQ(answer, bodies[0]);
    EXPECT_EQ(tokens_of(person), before + 1);
  }
}

TEST_F(IdempotencyKeys, TenThousandAreRepeatedAlsoAtOnceAndAfterAKill) {
  const std::string body = list_of(many(250));
  const std::string key = fresh_key();
  std::vector<std::string> bodies(3);
  {
    std::vector<std::jthread> clients;
    for (std::string& answer : bodies) {
      clients.emplace_back([&] {
        ApiClient own(server());
        answer = ask(own, kCreateTokens, body, key, admin()).body;
      });
    }
  }
  EXPECT_THAT(bodies[0], HasSubstr(kToken));
  EXPECT_TRUE(bodies[0].ends_with(R"(],"success":true})"));
  for (const std::string& answer : bodies) EXPECT_TRUE(answer == bodies[0]);
  server().kill();
  ASSERT_TRUE(server().start()) << server().report();
  ApiClient another(server());
  EXPECT_TRUE(ask(another, kCreateTokens, body, key, admin()).body == bodies[0]);
}

TEST_F(IdempotencyKeys, NeitherKeyNorTokenIsInAnyFile) {
  const Person person = make_user();
  const std::string key = fresh_key();
  const Response one = ask(json_pair("userId", person.id), key);
  const Response two =
      ask(client(), kCreateTokens, list_of({person.id, person.id}), "b" + key, admin());
  ASSERT_EQ(two.status, 200) << two;
  // Once from the journal, and once from the tables that a clean stop writes.
  for (const bool cleanly : {false, true}) {
    cleanly ? static_cast<void>(server().stop()) : server().kill();
    bool finds_what_is_there = false;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(server().data_path())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes(std::istreambuf_iterator<char>(file), {});
      for (const std::string& secret : {key, issued(one).token, issued(two).token}) {
        EXPECT_EQ(bytes.find(secret), std::string::npos) << entry.path();
      }
      finds_what_is_there = finds_what_is_there || bytes.find(person.id) != std::string::npos;
    }
    EXPECT_TRUE(finds_what_is_there);
    ASSERT_TRUE(server().start()) << server().report();
  }
}

class ShortIdempotencyWindow : public ServerSuite<ShortIdempotencyWindow> {
 public:
  static ServerSettings settings() { return {.flags = {"--idempotency-window", "1s"}}; }
};

TEST_F(ShortIdempotencyWindow, BehindItsEndTheKeyIsANewOne) {
  const Person person = make_user();
  HeaderList headers = headers_of(admin());
  headers.emplace_back("Idempotency-Key", "the-key-of-a-short-window");
  const auto ask = [&](const std::string& target) {
    return client().call({.method = "POST",
                          .target = kCreateToken,
                          .headers = headers,
                          .body = json_pair("userId", target)});
  };
  const Response first = ask(person.id);
  ASSERT_TRUE(answers(first, 200, kIssued));
  std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
  // Its own request may be another one by now.
  const Person other = make_user();
  const Response second = ask(other.id);
  ASSERT_TRUE(answers(second, 200, kIssued));
  EXPECT_EQ(string_field(second.body, "userId"), other.id);
}

}  // namespace
}  // namespace tokend::tests
