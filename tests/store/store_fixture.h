#pragma once
// A whole store in one thread: a database in memory, a committer that is stepped, cores whose
// mailboxes are emptied by hand and workers that run when told. Every interleaving of their steps
// can so be written down in a test.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/mailbox.h"
#include "core/timers.h"
#include "store/bootstrap.h"
#include "store/committer.h"
#include "store/miss_guard.h"
#include "store/store.h"
#include "tests/support/memory_database.h"

namespace tokend::store {

class FixedClock final : public core::Clock {
 public:
  [[nodiscard]] std::int64_t monotonic_ns() const noexcept override { return now_ms * 1'000'000; }
  [[nodiscard]] std::int64_t wall_ms() const noexcept override { return now_ms; }
  std::int64_t now_ms = 1'800'000'000'000;
};

class CountingWaker final : public core::Waker {
 public:
  void wake() noexcept override { ++wakes; }
  std::size_t wakes = 0;
};

// Jobs wait until run_all().
class ManualExecutor final : public Executor {
 public:
  [[nodiscard]] bool submit(Job& job) noexcept override {
    if (jobs.size() >= limit) {
      ++refused;
      return false;
    }
    jobs.push_back(&job);
    return true;
  }
  void run_all() {
    while (!jobs.empty()) {
      Job* job = jobs.front();
      jobs.pop_front();
      job->run(*job);
    }
  }
  std::deque<Job*> jobs;
  std::size_t limit = 1000;
  std::size_t refused = 0;
};

// So that all that is tested of a store is tested of one with shards as well
// (tests/CMakeLists.txt).
inline std::size_t shards_of_environment() {
  const char* const text = std::getenv("TOKEND_TEST_SHARDS");
  return text ? static_cast<std::size_t>(std::atoi(text)) : 0;
}

// An operation and whether it has come home.
template <class Kind>
struct Asked : Kind {
  Asked() { this->template then<&Asked::on_done>(*this); }
  void on_done() noexcept {
    ++times_done;
    if (at_done) at_done();
  }
  [[nodiscard]] bool done() const noexcept { return times_done == 1; }
  [[nodiscard]] bool succeeded() const noexcept { return done() && this->result.has_value(); }
  [[nodiscard]] bool failed_with(core::Errc code) const noexcept {
    return done() && !this->result && this->result.error() == code;
  }
  int times_done = 0;
  std::function<void()> at_done;
};

class RecordingLog final : public core::Log {
 public:
  void write(core::Severity, std::string_view line) noexcept override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

struct TestCore {
  explicit TestCore(std::int64_t now_ms = 0)
      : clock{now_ms * core::kNanosecondsPerMillisecond, now_ms} {}
  core::TurnClock clock;
  core::TimerWheel timers{clock.monotonic_ns};
  RecordingLog log;
  CountingWaker waker;
  core::Mailbox mailbox{waker};
  std::unique_ptr<Store> store;

  void take_turn(std::int64_t now_ms) {
    // The one never goes back, the other may.
    clock = {std::max(clock.monotonic_ns, now_ms * core::kNanosecondsPerMillisecond), now_ms};
    core::MessageList messages = mailbox.take();
    while (core::Message* message = messages.pop_front()) message->deliver(*message);
    timers.advance_to(clock.monotonic_ns);
  }
};

class StoreFixture : public testing::Test {
 protected:
  StoreFixture() { open(); }

  void open() {
    auto prepared = prepare_store(database, clock, random, {"root", "secret", "root@x.org", ""}, 4);
    ASSERT_TRUE(prepared) << prepared.error().message;
    identity = prepared->identity;
    if (prepared->created_admin) root = prepared->created_admin->id;
    CommitterParts parts{database, clock, committer_waker, random};
    for (std::size_t i = 0; i < shards_count; ++i) parts.shards.push_back({shard_waker, random});
    auto opened = Committer::open(parts, identity, options);
    ASSERT_TRUE(opened) << opened.error().message;
    committer = *std::move(opened);
    for (std::size_t i = 0; i < cores_count; ++i) {
      auto& core = cores.emplace_back(std::make_unique<TestCore>(clock.now_ms));
      core->store = std::make_unique<Store>(
          StoreParts{database, *committer, readers, hashers, core->mailbox, core->clock, guard,
                     nullptr, &core->timers, &core->log},
          store_options);
    }
  }
  void close() {
    cores.clear();
    committer.reset();
  }
  void restart() {
    close();
    database.crash();
    open();
  }

  [[nodiscard]] Store& store(std::size_t core = 0) { return *cores[core]->store; }
  void turn(std::size_t core) { cores[core]->take_turn(clock.now_ms); }
  // For what is written down of the order of one mailbox, or of the committer's own steps.
  void without_shards() {
    if (shards_count == 0) return;
    close();
    shards_count = 0;
    open();
  }
  // One step of the committer, and in front of it of each of its shards.
  bool step() {
    bool any = false;
    for (const auto& shard : committer->shards()) any = shard->step() || any;
    return committer->step() || any;
  }
  // Everything runs until nothing is left to do.
  void settle() {
    for (int round = 0; round < 20; ++round) {
      while (step()) {
      }
      readers.run_all();
      hashers.run_all();
      for (std::size_t core = 0; core < cores.size(); ++core) turn(core);
    }
  }

  struct Token {
    std::string text;
    Locator locator;
    std::int64_t expires_ms = 0;
  };
  Token issued_by(IssueToken& operation, std::size_t core) {
    store(core).write(operation);
    settle();
    EXPECT_TRUE(operation.result.has_value());
    return {std::string(view_of(operation.token)), operation.locator, operation.expires_ms};
  }
  Token issue(const UserId& user, std::size_t core = 0, std::int64_t lifetime_ms = 0,
              TokenKind kind = TokenKind::issued) {
    if (kind == TokenKind::personal) {
      return issue_personal(user, "token " + std::to_string(named++), core);
    }
    Asked<IssueToken> operation;
    operation.user = operation.issuer = user;
    operation.token_kind = kind;
    operation.lifetime_ms = lifetime_ms;
    return issued_by(operation, core);
  }
  Token issue_personal(const UserId& user, const std::string& name, std::size_t core = 0,
                       bool regenerate = false) {
    Asked<IssuePersonalToken> operation;
    operation.user = operation.issuer = user;
    operation.name = name;
    operation.regenerate = regenerate;
    return issued_by(operation, core);
  }
  UserId create(const std::string& username, RoleSet roles = {}) {
    Asked<CreateUser> operation;
    operation.user.username = username;
    operation.user.roles = roles;
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
    return operation.user.id;
  }
  bool authenticates(const std::string& token, const UserId& user, std::size_t core = 0) {
    Asked<Authenticate> operation;
    operation.token = token;
    operation.user_id = user.view();
    cores[core]->clock.wall_ms = clock.now_ms;
    store(core).authenticate(operation);
    settle();
    EXPECT_TRUE(operation.succeeded() || operation.failed_with(core::Errc::not_found));
    return operation.succeeded();
  }
  bool authenticates_anywhere(const std::string& token, const UserId& user) {
    bool any = false;
    for (std::size_t core = 0; core < cores.size(); ++core) {
      any = authenticates(token, user, core) || any;
    }
    return any;
  }
  // A token that is in every cache.
  Token known_token(const UserId& user) {
    const Token token = issue(user);
    for (std::size_t core = 0; core < cores.size(); ++core) {
      EXPECT_TRUE(authenticates(token.text, user, core));
    }
    return token;
  }

  FixedClock clock;
  RandomBytes random;
  tests::MemoryDatabase database;
  CommitterOptions options;
  StoreOptions store_options{1024, 256, 4};
  std::size_t cores_count = 2;
  std::size_t shards_count = shards_of_environment();
  MissGuard* guard = nullptr;

  Identity identity;
  UserId root;
  int named = 0;  // personal tokens that were given a name here
  ManualExecutor readers;
  ManualExecutor hashers;
  CountingWaker committer_waker;
  CountingWaker shard_waker;
  std::unique_ptr<Committer> committer;
  std::vector<std::unique_ptr<TestCore>> cores;
};

}  // namespace tokend::store
