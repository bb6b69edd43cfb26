// Committer and shards with threads of their own, beside cores' threads; run under TSan too.

#include "store/committer_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

// A store whose cores are run by threads of the test.
class CommitterThreads {
 public:
  explicit CommitterThreads(std::size_t shards, std::size_t tokens_per_user_max)
      : thread(shards),
        shards_random_(shards) {
    const auto prepared = prepare_store(database, clock, random_, {"root", "secret", "", ""}, 4);
    CHECK(prepared.has_value());
    root = prepared->created_admin->id;
    CommitterParts parts{database, clock, thread, random_};
    for (std::size_t i = 0; i < shards; ++i) {
      parts.shards.push_back({thread.shard_waker(i), shards_random_[i]});
    }
    CommitterOptions options;
    options.tokens_per_user_max = tokens_per_user_max;
    auto opened = Committer::open(parts, prepared->identity, options);
    CHECK(opened.has_value());
    committer = *std::move(opened);
    for (int i = 0; i < 2; ++i) {
      auto& core = cores.emplace_back(std::make_unique<TestCore>());
      core->store = std::make_unique<Store>(
          StoreParts{database, *committer, no_workers_, no_workers_, core->mailbox, core->clock},
          StoreOptions{64, 64, 4});
    }
    CHECK(thread.start(*committer).has_value());
  }

  void take_turn(TestCore& core) { core.take_turn(clock.wall_ms()); }
  void wait(TestCore& core, const auto& operation) {
    while (operation.times_done == 0) {
      take_turn(core);
      std::this_thread::yield();
    }
  }
  // Runs it on a thread for each core. A core acknowledges until all are done.
  void run(const std::function<void(TestCore&, std::size_t)>& work) {
    std::atomic<std::size_t> finished{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < cores.size(); ++i) {
      threads.emplace_back([&, i] {
        work(*cores[i], i);
        ++finished;
        while (finished < cores.size()) {
          take_turn(*cores[i]);
          std::this_thread::yield();
        }
      });
    }
    for (std::thread& each : threads) each.join();
  }

  core::SystemClock clock;
  tests::MemoryDatabase database;
  UserId root;
  CommitterThread thread;
  std::unique_ptr<Committer> committer;
  std::vector<std::unique_ptr<TestCore>> cores;

 private:
  RandomBytes random_;
  std::vector<RandomBytes> shards_random_;
  ManualExecutor no_workers_;
};

// What was posted before stop() is committed and answered.
void stop_drains_everything(std::size_t shards) {
  CommitterThreads store(shards, 1000);
  TestCore& core = *store.cores[0];
  std::vector<std::unique_ptr<Asked<IssueToken>>> operations;
  for (int i = 0; i < 500; ++i) {
    operations.push_back(std::make_unique<Asked<IssueToken>>());
    operations.back()->user = store.root;
    core.store->write(*operations.back());
    if (i % 100 == 0) std::this_thread::yield();
  }
  Asked<CollectTokens> collect;
  collect.user = store.root;
  core.store->write(collect);
  store.thread.stop();
  store.take_turn(core);
  store.take_turn(core);
  for (const auto& operation : operations) EXPECT_TRUE(operation->succeeded());
  EXPECT_TRUE(collect.succeeded());
}
TEST(CommitterThread, StopDrainsEverything) { stop_drains_everything(0); }
TEST(CommitterThread, StopDrainsTheShardsToo) { stop_drains_everything(3); }

TEST(CommitterThread, CoresAndCommitterWorkBesideEachOther) {
  constexpr int kTokens = 100;
  CommitterThreads store(0, 3);
  std::atomic<int> alive_after_revocation{0};
  store.run([&](TestCore& core, std::size_t) {
    const UserId user = store.root;
    for (int i = 0; i < kTokens; ++i) {
      Asked<IssueToken> issue;
      issue.user = user;
      core.store->write(issue);
      store.wait(core, issue);
      Asked<RevokeToken> revoke;
      revoke.user = user;
      revoke.locator = issue.locator;
      core.store->write(revoke);
      store.wait(core, revoke);
      Asked<Authenticate> authenticate;
      authenticate.token = view_of(issue.token);
      authenticate.user_id = user.view();
      core.store->authenticate(authenticate);
      alive_after_revocation += authenticate.succeeded();
    }
  });
  store.thread.stop();
  EXPECT_EQ(alive_after_revocation, 0);
  EXPECT_EQ(store.committer->counters().tokens_issued, 2U * kTokens);
  EXPECT_EQ(store.database.size(Family::tokens), 0U);
}

// Cores issue for everybody while users are deactivated and come back. At each answered
// deactivation nothing of before it is valid.
TEST(CommitterThread, ShardsIssueBesideWhatTheCommitterWrites) {
  constexpr int kRounds = 60;
  CommitterThreads store(3, 3);
  std::atomic<int> wrong{0};
  store.run([&](TestCore& core, std::size_t number) {
    const std::string name = "of-core-" + std::to_string(number) + "-";
    std::vector<UserId> users;
    for (int i = 0; i < 6; ++i) {
      Asked<CreateUser> create;
      create.user.username = name + std::to_string(i);
      core.store->write(create);
      store.wait(core, create);
      users.push_back(create.user.id);
    }
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::unique_ptr<Asked<IssueToken>>> issued;
      for (const UserId& user : users) {
        issued.push_back(std::make_unique<Asked<IssueToken>>());
        issued.back()->user = user;
        core.store->write(*issued.back());
      }
      const std::size_t chosen = static_cast<std::size_t>(round) % users.size();
      Asked<UpdateUser> closed;
      closed.id = users[chosen];
      closed.active = false;
      core.store->write(closed);
      store.wait(core, closed);
      for (const auto& operation : issued) store.wait(core, *operation);
      for (std::size_t i = 0; i < users.size(); ++i) {
        Asked<Authenticate> authenticate;
        authenticate.token = view_of(issued[i]->token);
        authenticate.user_id = users[i].view();
        core.store->authenticate(authenticate);
        store.wait(core, authenticate);
        wrong += authenticate.succeeded() != (i != chosen);
      }
      Asked<UpdateUser> opened;
      opened.id = users[chosen];
      opened.active = true;
      core.store->write(opened);
      store.wait(core, opened);
    }
  });
  store.thread.stop();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tokend::store
