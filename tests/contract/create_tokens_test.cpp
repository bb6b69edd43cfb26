// POST users.createTokens against the real server: what it answers is durable and valid on every
// core, and others are served meanwhile.

#include <gmock/gmock.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;

constexpr const char* kCreateTokens = "/api/v1/users.createTokens";
constexpr std::size_t kTargetsMax = 10'000;

class CreateTokens : public ServerSuite<CreateTokens> {
 protected:
  static std::vector<Credentials> issued(const Response& response) {
    auto tokens = issued_in_bulk(response.body);
    for (const Credentials& token : tokens) server().remember_secret(token.token);
    return tokens;
  }
  // Of `people` by turns, as many as a request may name. With a token limit of 50 and 250 people,
  // all of them stay valid.
  static std::vector<std::string> many(const std::vector<Person>& people) {
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < kTargetsMax; ++i) ids.push_back(people[i % people.size()].id);
    return ids;
  }
  std::vector<Person> make_users(std::size_t count) {
    std::vector<Person> people;
    while (people.size() < count) people.push_back(make_user());
    return people;
  }
};

TEST_F(CreateTokens, TenThousandInOrderAreValidOnEveryCoreAndSurviveAKill) {
  const std::vector<std::string> ids = many(make_users(250));
  const Response response = client().post(kCreateTokens, bulk_body("userIds", ids), &admin());
  ASSERT_EQ(response.status, 200) << response.body.substr(0, 300);
  server().kill();
  const std::vector<Credentials> tokens = issued(response);
  ASSERT_TRUE(server().start()) << server().report();
  ASSERT_EQ(tokens.size(), kTargetsMax);
  for (std::size_t i = 0; i < tokens.size(); ++i) ASSERT_EQ(tokens[i].user_id, ids[i]) << i;
  // The kernel spreads connections over the two cores.
  for (int connection = 0; connection < 8; ++connection) {
    ApiClient another(server());
    for (std::size_t i = static_cast<std::size_t>(connection); i < tokens.size(); i += 101) {
      ASSERT_TRUE(another.authenticates(tokens[i])) << i;
    }
  }
}

TEST_F(CreateTokens, ValidOnEveryCoreAtOnce) {
  const Person person = make_user();
  const Person second = make_user();
  std::vector<ApiClient> connections;
  for (int count = 0; count < 12; ++count) connections.emplace_back(server());
  for (int round = 0; round < 20; ++round) {
    const Response response = client().post(
        kCreateTokens, bulk_body("usernames", {person.username, second.username}), &admin());
    const std::vector<Credentials> tokens = issued(response);
    ASSERT_EQ(tokens.size(), 2U) << response;
    for (ApiClient& connection : connections) {
      ASSERT_TRUE(connection.authenticates(tokens[0]));
      ASSERT_TRUE(connection.authenticates(tokens[1]));
    }
  }
}

TEST_F(CreateTokens, AnEntryThatFailsSpoilsNoOther) {
  const Person active = make_user();
  const Person inactive = make_user();
  set_active(inactive, false);
  const Response response = client().post(
      kCreateTokens, bulk_body("usernames", {"nobody", active.username, inactive.username, " "}),
      &admin());
  const auto entry = [](const std::string& refusal) {
    return "{" + refusal.substr(std::string(R"({"success":false,)").size());
  };
  EXPECT_TRUE(answers(response, 200,
                      R"({"tokens":[)" + entry(kUnknownTarget) +
                          R"(,{"userId":"<id>","authToken":"<token>"},)" + entry(kNotAuthorized) +
                          "," + entry(kNoTarget) + R"(],"success":true})"));
  const std::vector<Credentials> tokens = issued(response);
  ASSERT_EQ(tokens.size(), 1U);
  EXPECT_EQ(tokens[0].user_id, active.id);
  EXPECT_TRUE(client().authenticates(tokens[0]));
}

TEST_F(CreateTokens, LimitsOfTheListAndOfTheBody) {
  const std::vector<std::string> too_many(kTargetsMax + 1, "nobody");
  const Response refused = client().post(kCreateTokens, bulk_body("userIds", too_many), &admin());
  EXPECT_EQ(refused.status, 400) << refused;
  EXPECT_THAT(refused.body, HasSubstr("[error-too-many-users]"));

  const std::string text(1024 * 1024, 'x');
  const Response too_large = client().post(kCreateTokens, bulk_body("userIds", {text}), &admin());
  EXPECT_EQ(too_large.status, 413) << too_large;
  const Response elsewhere =
      client().post(kCreateToken, json_pair("userId", std::string(100'000, 'x')), &admin());
  EXPECT_EQ(elsewhere.status, 413) << elsewhere;
  EXPECT_TRUE(client().authenticates(admin()));
}

TEST_F(CreateTokens, NeedsAnAdminAndALogin) {
  const Person person = make_user();
  const Credentials user = log_in(person);
  const std::string body = bulk_body("userIds", {person.id});
  EXPECT_TRUE(answers(client().post(kCreateTokens, body), 401, kMustBeLoggedIn));
  EXPECT_TRUE(answers(client().post(kCreateTokens, body, &user), 400, kNotAuthorized));
}

TEST_F(CreateTokens, OthersAreServedMeanwhile) {
  const std::string body = bulk_body("userIds", many(make_users(250)));
  const Person person = make_user();
  std::atomic<bool> stop{false};
  std::atomic<int> whole{0};
  std::vector<std::thread> issuers;
  for (int issuer = 0; issuer < 2; ++issuer) {
    issuers.emplace_back([&] {
      ApiClient own(server());
      while (!stop) {
        const Response response = own.post(kCreateTokens, body, &admin());
        if (response.status == 200) ++whole;
      }
    });
  }
  // Each on a connection of its own, so that both cores are asked.
  int served = 0;
  while ((served < 200 || whole < 10) && served < 20'000) {
    ApiClient other(server());
    ASSERT_TRUE(other.authenticates(admin()));
    ASSERT_EQ(other.post(kCreateToken, json_pair("userId", person.id), &admin()).status, 200);
    ++served;
  }
  stop = true;
  for (std::thread& issuer : issuers) issuer.join();
  EXPECT_GE(whole, 10);
}

}  // namespace
}  // namespace tokend::tests
