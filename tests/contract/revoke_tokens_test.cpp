// POST users.revokeTokens against the real server: an issuer's tokens, and all before a moment, end
// on every core at once, and stay ended after a crash.

#include <gmock/gmock.h>

#include <atomic>
#include <ctime>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;

constexpr const char* kRevoke = "/api/v1/users.revokeTokens";
constexpr const char* kDone = R"({"success":true})";
constexpr int kConnections = 24;

// What was issued so far lies before it, what is issued from now on does not.
std::string moment_between() {
  std::this_thread::sleep_for(Milliseconds(3));
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::this_thread::sleep_for(Milliseconds(3));
  std::tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char text[32];
  std::string moment(text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.", &parts));
  return moment + std::to_string(1000 + now.tv_nsec / 1'000'000).substr(1) + "Z";
}

class RevokeTokens : public ServerSuite<RevokeTokens> {
 public:
  static ServerSettings settings() { return {.flags = {"--cores", "4"}}; }

 protected:
  void SetUp() override {
    ServerSuite<RevokeTokens>::SetUp();
    for (int count = 0; count < kConnections; ++count) connections_.emplace_back(server());
  }
  // On how many connections, which spread over the cores, the token is taken.
  int taken_by(const Credentials& caller) {
    int count = 0;
    for (ApiClient& each : connections_) count += each.authenticates(caller);
    return count;
  }

 private:
  std::deque<ApiClient> connections_;
};

TEST_F(RevokeTokens, AnIssuersEndOnEveryCoreAtOnceAndNoOthers) {
  const Credentials issuer = log_in(make_user(R"(,"roles":["admin"])"));
  const Person person = make_user();
  const Credentials login = log_in(person);
  for (int round = 0; round < 10; ++round) {
    std::vector<Credentials> issued;
    for (int i = 0; i < 5; ++i) issued.push_back(client().issue(issuer, person.id));
    const Credentials by_admin = client().issue(admin(), person.id);
    for (const Credentials& token : issued) ASSERT_EQ(taken_by(token), kConnections);
    ASSERT_EQ(taken_by(by_admin), kConnections);
    EXPECT_TRUE(answers(client().post(kRevoke, json_pair("issuerId", issuer.user_id), &admin()),
                        200, kDone));
    for (const Credentials& token : issued) EXPECT_EQ(taken_by(token), 0) << "round " << round;
    EXPECT_EQ(taken_by(by_admin), kConnections);
    EXPECT_EQ(taken_by(login), kConnections);
    EXPECT_EQ(taken_by(issuer), kConnections);
    EXPECT_THAT(client().get("/api/v1/users.listTokens", &login).body,
                HasSubstr(R"("total":)" + std::to_string(2 + round)));
    EXPECT_EQ(taken_by(client().issue(issuer, person.id)), kConnections);
    ASSERT_EQ(client().post(kRevoke, json_pair("issuerId", issuer.user_id), &admin()).status, 200);
  }
}

// Readers that miss their caches while the tokens end.
TEST_F(RevokeTokens, AnIssuersEndAgainstReadersThatRaceWithIt) {
  const Credentials issuer = log_in(make_user(R"(,"roles":["admin"])"));
  const Person person = make_user();
  for (int round = 0; round < 20; ++round) {
    const Credentials token = client().issue(issuer, person.id);
    std::vector<std::thread> readers;
    std::atomic<bool> stop{false};
    for (int reader = 0; reader < 4; ++reader) {
      readers.emplace_back([&] {
        ApiClient own(server());
        while (!stop.load()) static_cast<void>(own.authenticates(token));
      });
    }
    const Response response =
        client().post(kRevoke, json_pair("issuerId", issuer.user_id), &admin());
    stop.store(true);
    for (std::thread& reader : readers) reader.join();
    ASSERT_TRUE(answers(response, 200, kDone));
    ASSERT_EQ(taken_by(token), 0) << "round " << round;
  }
}

TEST_F(RevokeTokens, TheCallIsRefusedAsDescribed) {
  const Credentials user = log_in(make_user());
  EXPECT_TRUE(
      answers(client().post(kRevoke, json_pair("issuerId", user.user_id), &user), 403, kForbidden));
  EXPECT_TRUE(answers(client().post(kRevoke, "{}"), 401, kMustBeLoggedIn));
  EXPECT_TRUE(answers(client().post(kRevoke, "{}", &admin()), 400,
                      R"({"success":false,"error":"At least one of the params <any>)"
                      R"([error-invalid-params]","errorType":"error-invalid-params"})"));
  EXPECT_TRUE(answers(
      client().post(kRevoke, json_pair("before", "9999-01-01T00:00:00Z"), &admin()), 400,
      R"({"success":false,"error":"The param \"before\" must be a moment that has passed, as in )"
      R"(\"2026-01-31T23:59:59.999Z\" [error-invalid-params]","errorType":"error-invalid-params"})"));
  EXPECT_TRUE(answers(client().get(kRevoke, &admin()), 405, kMethodNotAllowed));
  EXPECT_TRUE(client().authenticates(user));
}

TEST_F(RevokeTokens, EverybodysOlderThanAMomentEndOnEveryCore) {
  const Person person = make_user();
  const Credentials login = log_in(person);
  const Credentials issued = client().issue(admin(), person.id);
  const Response personal = client().post("/api/v1/users.generatePersonalAccessToken",
                                          json_pair("tokenName", "ci"), &login);
  const Credentials pat{person.id, string_field(personal.body, "token")};
  for (const Credentials& token : {login, issued, pat}) ASSERT_EQ(taken_by(token), kConnections);
  const std::string moment = moment_between();
  const Credentials young = log_in(person);
  EXPECT_TRUE(answers(client().post(kRevoke, json_pair("before", moment), &admin()), 200, kDone));
  for (const Credentials& token : {login, issued, pat, admin()}) EXPECT_EQ(taken_by(token), 0);
  EXPECT_EQ(taken_by(young), kConnections);
  EXPECT_TRUE(answers(client().get("/api/v1/users.getPersonalAccessTokens", &young), 200,
                      R"({"tokens":[],"success":true})"));
  EXPECT_EQ(taken_by(client().login_admin()), kConnections);
}

TEST(RevokeTokensAfterACrash, StayAsTheyWereAnswered) {
  ServerProcess own;
  ASSERT_TRUE(own.start()) << own.report();
  std::vector<Credentials> ended;
  Credentials kept, admin;
  {
    ApiClient client(own);
    admin = client.login_admin();
    const Person issuer = client.create_user(admin, "issuer", R"(,"roles":["admin"])");
    const Credentials theirs = client.login(issuer.username, issuer.password);
    const Person person = client.create_user(admin, "anna");
    for (int i = 0; i < 40; ++i) ended.push_back(client.issue(theirs, person.id));
    kept = client.issue(admin, person.id);
    ASSERT_TRUE(
        answers(client.post(kRevoke, json_pair("issuerId", issuer.id), &admin), 200, kDone));
  }
  own.kill();
  ASSERT_TRUE(own.start()) << own.report();
  ApiClient client(own);
  for (const Credentials& token : ended) EXPECT_FALSE(client.authenticates(token));
  EXPECT_TRUE(client.authenticates(kept));
  EXPECT_TRUE(client.authenticates(admin));
  EXPECT_EQ(own.stop(), 0) << own.report();
}

}  // namespace
}  // namespace tokend::tests
