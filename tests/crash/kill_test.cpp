// SIGKILL under load, at a random moment, many times over on the same data: what was acknowledged
// holds, what was revoked stays so, and what a request does to many tokens it does to all or none.
//
// TOKEND_CRASH_CYCLES: how many times (30; 15 beside tables). TOKEND_CRASH_SEED: repeats a run's
// choices.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <random>
#include <system_error>
#include <thread>

#include "tests/crash/bulk_load.h"
#include "tests/crash/load.h"

namespace tokend::tests {
namespace {

constexpr std::chrono::seconds kTimeMax{150};
// Until the server makes a table, and how long it may then go on.
constexpr std::chrono::seconds kTableTimeout{20};
constexpr unsigned kTableUsMax = 60'000;

class Kill : public testing::Test {
 protected:
  void start() { ASSERT_TRUE(server_.start()) << server_.report(); }

  void kill_under_load(CrashLoad& load, int cycle) {
    const auto problems = load.run(cycle, [this] {
      std::this_thread::sleep_for(std::chrono::microseconds(20'000 + random_() % 600'000));
      server_.kill();
    });
    ASSERT_TRUE(problems.empty()) << joined(problems) << server_.report();
  }

  // Tables lie there until RocksDB has taken them.
  [[nodiscard]] bool makes_tables() const {
    std::error_code error;
    return !std::filesystem::is_empty(server_.data_path() + "/ingest", error) && !error;
  }

  void kill_while_tables_are_made(CrashLoad& load, BulkLoad& bulk, int cycle) {
    const std::uint64_t before = bulk.answers();
    // How often it is drawn depends on the machine.
    std::mt19937_64 moments(random_());
    const auto problems = load.run(cycle, [&] {
      std::thread issues([&] { bulk.run(); });
      const auto end = std::chrono::steady_clock::now() + kTableTimeout;
      const auto is_early = [&] { return bulk.answers() == before || !makes_tables(); };
      // Every third time perhaps when RocksDB has just taken them.
      const bool may_have_ended = cycle % 3 == 0;
      do {
        while (is_early() && std::chrono::steady_clock::now() < end) {
          std::this_thread::sleep_for(std::chrono::microseconds(100));
        }
        std::this_thread::sleep_for(std::chrono::microseconds(moments() % kTableUsMax));
      } while (!makes_tables() && !may_have_ended && std::chrono::steady_clock::now() < end);
      server_.kill();
      issues.join();
    });
    ASSERT_TRUE(problems.empty()) << joined(problems) << server_.report();
    ASSERT_TRUE(bulk.problems().empty()) << joined(bulk.problems()) << server_.report();
    ASSERT_GT(bulk.answers(), before) << server_.report();
  }

  void check(CrashLoad& load, int cycle) {
    const auto found = load.contradictions(cycle);
    ASSERT_TRUE(found.empty()) << "cycle " << cycle << ", seed " << seed_ << ":\n"
                               << joined(found) << server_.report();
  }

  const std::uint64_t seed_ = crash_seed();
  std::mt19937_64 random_{seed_};
  ServerProcess server_;
};

TEST_F(Kill, WhatWasAcknowledgedHoldsAndWhatWasRevokedStaysSo) {
  const auto begin = std::chrono::steady_clock::now();
  const int cycles = crash_cycles(30);
  int cycle = 0;
  ASSERT_NO_FATAL_FAILURE(start());
  CrashLoad load(server_, random_);
  while (cycle < cycles && std::chrono::steady_clock::now() - begin < kTimeMax) {
    ASSERT_NO_FATAL_FAILURE(kill_under_load(load, ++cycle));
    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_NO_FATAL_FAILURE(check(load, cycle));
  }
  ASSERT_NO_FATAL_FAILURE(check(load, CrashLoad::kAll));
  // A load that issued nothing would prove nothing.
  EXPECT_GT(load.acknowledged(), static_cast<std::uint64_t>(cycle) * 20);
  std::cout << cycle << " cycles, " << load.acknowledged() << " tokens acknowledged\n";
  EXPECT_EQ(server_.stop(), 0) << server_.report();
}

// Between the journal, the tables that the keeper makes of it, and RocksDB that takes them, a token
// is in one place or another, or in two.
TEST_F(Kill, KilledWhileTablesAreMadeItLosesNothing) {
  const auto begin = std::chrono::steady_clock::now();
  const int cycles = crash_cycles(15);
  // A segment, which becomes a table when it is full, has room for some ten thousand tokens. Each
  // start that replays them makes tables as well.
  server_.settings().flags = {"--journal-bytes", "16MiB", "--write-buffer-bytes", "1MiB"};
  ASSERT_NO_FATAL_FAILURE(start());
  CrashLoad load(server_, random_);
  BulkLoad bulk(server_, load.admin());
  int cycle = 0;
  int in_between = 0;
  while (cycle < cycles && std::chrono::steady_clock::now() - begin < kTimeMax) {
    ASSERT_NO_FATAL_FAILURE(kill_while_tables_are_made(load, bulk, ++cycle));
    in_between += makes_tables();
    ASSERT_NO_FATAL_FAILURE(start());
    ASSERT_NO_FATAL_FAILURE(check(load, cycle));
    const BulkLoad::Found found = bulk.contradictions();
    ASSERT_EQ(found.lost, 0U) << "cycle " << cycle << ", seed " << seed_ << ":\n"
                              << server_.report();
    ASSERT_EQ(found.kept, 0U) << "cycle " << cycle << ", seed " << seed_ << ":\n"
                              << server_.report();
  }
  ASSERT_NO_FATAL_FAILURE(check(load, CrashLoad::kAll));
  EXPECT_GT(in_between, 0) << "it was never killed in the middle of it";
  std::cout << cycle << " cycles, in " << in_between << " of them beside a table of the keeper's; "
            << load.acknowledged() << " single tokens and " << bulk.acknowledged()
            << " in bulk were acknowledged\n";
  EXPECT_EQ(server_.stop(), 0) << server_.report();
}

TEST_F(Kill, KilledWhileStartingItStartsAgain) {
  Credentials admin;
  for (int time = 0; time < 10; ++time) {
    {
      ChildProcess child(server_.launch());
      std::this_thread::sleep_for(std::chrono::microseconds(random_() % 150'000));
    }
    ASSERT_NO_FATAL_FAILURE(start());
    ApiClient client(server_);
    if (admin.token.empty()) admin = client.login_admin();
    EXPECT_TRUE(client.authenticates(admin));
    server_.kill();
  }
}

// The first start makes an admin and a file with the password: neither may be without the other.
TEST_F(Kill, KilledInItsFirstStartTheAdminIsNotLost) {
  for (int time = 0; time < 15; ++time) {
    ServerProcess server({.default_environment = false});
    {
      ChildProcess child(server.launch());
      std::this_thread::sleep_for(std::chrono::microseconds(random_() % 120'000));
    }
    ASSERT_TRUE(server.start()) << server.report();
    std::string password = read_whole_file(server.data_path() + "/initial-admin-password");
    while (!password.empty() && password.back() == '\n') password.pop_back();
    ASSERT_FALSE(password.empty()) << server.report();
    HttpClient client(Endpoint{.port = server.port()});
    const Response response =
        client.exchange({.method = "POST",
                         .target = "/api/v1/login",
                         .body = R"({"user":"admin","password":")" + password + "\"}"});
    EXPECT_EQ(response.status, 200) << "time " << time << ", seed " << seed_ << response;
  }
}

// A check that cannot fail would find nothing for ever.
class CrashCheck : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.start()) << server_.report();
    client_ = std::make_unique<ApiClient>(server_);
    admin_ = client_->login_admin();
    user_ = client_->create_user(admin_, "somebody");
    fact_.id = user_.id;
    fact_.username = user_.username;
    for (int count = 0; count < 3; ++count) {
      fact_.tokens.push_back({client_->issue(admin_, user_.id).token, Fate::alive});
    }
    ASSERT_EQ(found(), std::vector<std::string>{});
  }
  std::vector<std::string> found() { return contradictions(server_.port(), admin_, {&fact_}); }
  void log_out(std::size_t token) {
    const Credentials caller{user_.id, fact_.tokens[token].token};
    ASSERT_EQ(client_->post("/api/v1/logout", "", &caller).status, 200);
  }

  ServerProcess server_;
  std::unique_ptr<ApiClient> client_;
  Credentials admin_;
  Person user_;
  UserFact fact_;
};

TEST_F(CrashCheck, ReportsATokenThatWasNeverIssued) {
  fact_.tokens.push_back({std::string(43, 'A'), Fate::alive});
  EXPECT_EQ(found().size(), 1U);
}

TEST_F(CrashCheck, ReportsAnIssuedTokenThatTheAuditDoesNotHold) {
  log_out(1);
  const auto check = [this] {
    return contradictions_of_audit(server_.port(), admin_, {&fact_}).size();
  };
  EXPECT_EQ(check(), 0U);
  fact_.tokens.push_back({.token = {}, .fate = Fate::open});
  EXPECT_EQ(check(), 0U);
  fact_.tokens.push_back({std::string(43, 'A'), Fate::gone});
  EXPECT_EQ(check(), 1U);
  fact_.tokens.resize(2);
  EXPECT_EQ(check(), 1U);
}

TEST_F(CrashCheck, ReportsALostToken) {
  log_out(1);
  EXPECT_EQ(found().size(), 1U);
}

TEST_F(CrashCheck, ReportsARevokedTokenThatLives) {
  fact_.tokens[2].fate = Fate::gone;
  EXPECT_EQ(found().size(), 1U);
}

TEST_F(CrashCheck, ReportsARevocationThatWasDoneInPart) {
  for (TokenFact& token : fact_.tokens) token.fate = Fate::grouped;
  log_out(0);
  EXPECT_EQ(found().size(), 1U);
}

TEST_F(CrashCheck, ReportsADeletionThatDidNotHappen) {
  fact_.existence = Fate::gone;
  for (TokenFact& token : fact_.tokens) token.fate = Fate::open;
  EXPECT_EQ(found().size(), 1U);
}

TEST_F(CrashCheck, ReportsADeactivationThatDidNotHappen) {
  fact_.activity = Fate::gone;
  EXPECT_EQ(found().size(), 1U);
}

TEST_F(CrashCheck, ReportsATokenBeyondTheLimitThatLives) {
  fact_.overfull = true;
  for (std::size_t count = 0; count < kTokensOfAUserMax; ++count) {
    fact_.tokens.push_back({fact_.tokens[2].token, Fate::alive});
  }
  // Three should have been dropped by the fifty behind them; they live.
  EXPECT_EQ(found().size(), 3U);
}

TEST_F(CrashCheck, SettlesWhatWasOpenAndHoldsTheServerToIt) {
  fact_.tokens[0].fate = Fate::open;
  EXPECT_EQ(found(), std::vector<std::string>{});
  EXPECT_EQ(fact_.tokens[0].fate, Fate::alive);
  log_out(0);
  EXPECT_EQ(found().size(), 1U);
}

}  // namespace
}  // namespace tokend::tests
