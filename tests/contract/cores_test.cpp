// One truth on every core (DESIGN 3.2 and 3.3): what is issued on one is valid on all, what is
// revoked on one is refused on all, from the moment of the answer on. The kernel spreads
// connections over the cores' listeners, so that of 24 connections four cores all have some.

#include <deque>
#include <thread>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

constexpr int kConnections = 24;

class Cores : public ServerSuite<Cores> {
 public:
  static ServerSettings settings() { return {.flags = {"--cores", "4"}}; }

 protected:
  void SetUp() override {
    ServerSuite<Cores>::SetUp();
    for (int count = 0; count < kConnections; ++count) connections_.emplace_back(server());
  }
  ApiClient& connection(int index) {
    return connections_[static_cast<std::size_t>(index % kConnections)];
  }
  // On how many connections the token is taken.
  int taken_by(const Credentials& caller) {
    int count = 0;
    for (ApiClient& each : connections_) count += each.authenticates(caller);
    return count;
  }

 private:
  std::deque<ApiClient> connections_;
};

TEST_F(Cores, TokenIssuedOnOneIsValidOnAllAtOnce) {
  const Person person = make_user();
  for (int round = 0; round < 40; ++round) {
    const Credentials token = connection(round).issue(admin(), person.id);
    ASSERT_EQ(taken_by(token), kConnections) << "round " << round;
  }
}

TEST_F(Cores, TokenRevokedOnOneIsRefusedOnAllAtOnce) {
  const Person person = make_user();
  for (int round = 0; round < 100; ++round) {
    const Credentials token = connection(round).issue(admin(), person.id);
    ASSERT_EQ(taken_by(token), kConnections) << "round " << round;
    ASSERT_EQ(connection(round * 7 + 3).post("/api/v1/logout", "", &token).status, 200);
    ASSERT_EQ(taken_by(token), 0) << "round " << round;
  }
}

// The race of DESIGN 3.3: readers miss their caches while the token is being revoked.
TEST_F(Cores, RevocationHoldsAgainstReadersThatRaceWithIt) {
  const Person person = make_user();
  for (int round = 0; round < 100; ++round) {
    const Credentials token = client().issue(admin(), person.id);
    std::vector<HttpClient> readers;
    const std::string me =
        bytes_of({.method = "GET", .target = "/api/v1/me", .headers = headers_of(token)});
    for (int count = 0; count < 8; ++count) readers.push_back(connect());
    for (HttpClient& reader : readers) ASSERT_TRUE(reader.send(me + me + me));
    ASSERT_EQ(client().post("/api/v1/logout", "", &token).status, 200);
    for (HttpClient& reader : readers) {
      for (int count = 0; count < 3; ++count) {
        const int status = reader.read_response().status;
        ASSERT_TRUE(status == 200 || status == 401) << status;
      }
      ASSERT_EQ(
          reader.exchange({.method = "GET", .target = "/api/v1/me", .headers = headers_of(token)})
              .status,
          401)
          << "round " << round;
    }
  }
}

TEST_F(Cores, DeactivationOnOneIsRefusalOnAllAtOnce) {
  const Person person = make_user();
  for (int round = 0; round < 30; ++round) {
    const Credentials token = connection(round).issue(admin(), person.id);
    ASSERT_EQ(taken_by(token), kConnections);
    set_active(person, false);
    ASSERT_EQ(taken_by(token), 0) << "round " << round;
    ASSERT_TRUE(
        answers(connection(round + 1).post(kCreateToken, json_pair("userId", person.id), &admin()),
                400, kNotAuthorized));
    set_active(person, true);
    ASSERT_EQ(taken_by(token), 0) << "round " << round;
  }
}

TEST_F(Cores, UsersLogoutAndRemoveOthersCountOnAllAtOnce) {
  const Person person = make_user();
  for (int round = 0; round < 20; ++round) {
    const Credentials kept = connection(round).issue(admin(), person.id);
    const Credentials other = connection(round + 5).issue(admin(), person.id);
    ASSERT_EQ(taken_by(kept), kConnections);
    ASSERT_EQ(taken_by(other), kConnections);
    ASSERT_EQ(connection(round + 9).post("/api/v1/users.removeOtherTokens", "", &kept).status, 200);
    ASSERT_EQ(taken_by(other), 0) << "round " << round;
    ASSERT_EQ(taken_by(kept), kConnections) << "round " << round;
    ASSERT_EQ(connection(round + 11).post("/api/v1/users.logout", "", &kept).status, 200);
    ASSERT_EQ(taken_by(kept), 0) << "round " << round;
  }
}

TEST_F(Cores, DeletionOnOneIsRefusalOnAllAtOnce) {
  for (int round = 0; round < 20; ++round) {
    const Person person = make_user();
    const Credentials token = connection(round).issue(admin(), person.id);
    ASSERT_EQ(taken_by(token), kConnections);
    ASSERT_EQ(connection(round + 3)
                  .post("/api/v1/users.delete", json_pair("userId", person.id), &admin())
                  .status,
              200);
    ASSERT_EQ(taken_by(token), 0) << "round " << round;
    ASSERT_TRUE(
        answers(connection(round + 6).post(kCreateToken, json_pair("userId", person.id), &admin()),
                400, kUnknownTarget));
  }
}

TEST_F(Cores, IssuersAtTheSameTimeKeepExactlyTheLimit) {
  const Person person = make_user();
  constexpr int kThreads = 6;
  constexpr int kEach = 25;
  std::vector<std::vector<Credentials>> issued(kThreads);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      ApiClient own(server());
      for (int count = 0; count < kEach; ++count) {
        issued[static_cast<std::size_t>(thread)].push_back(own.issue(admin(), person.id));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int alive = 0;
  for (const auto& tokens : issued) {
    for (const Credentials& token : tokens) alive += client().authenticates(token);
  }
  EXPECT_EQ(alive, 50);
}

}  // namespace
}  // namespace tokend::tests
