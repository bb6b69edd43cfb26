// Issuing by shards, step by step: who gets what, who waits for whom, and in which order it lasts.
// That a store with shards does all that one without them does, the other suites show, which run
// with them once more.

#include "store/issuing_shard.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/meta.h"
#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

class IssuingShardTest : public StoreFixture {
 protected:
  static constexpr std::size_t kShards = 3;

  IssuingShardTest() {
    close();
    shards_count = kShards;
    open();
    // So that every shard has someone.
    for (std::size_t shard = 0; shard < kShards; ++shard) {
      for (int i = 0; users.size() <= shard; ++i) {
        const UserId id = create("user" + std::to_string(shard) + "-" + std::to_string(i));
        if (shard_of(id, kShards) == shard) users.push_back(id);
      }
    }
    settle();
  }

  std::unique_ptr<Asked<IssueToken>> ask(const UserId& user, std::size_t core = 0) {
    auto operation = std::make_unique<Asked<IssueToken>>();
    operation->user = operation->issuer = user;
    store(core).write(*operation);
    return operation;
  }
  IssuingShard& shard(std::size_t number) { return *committer->shards()[number]; }
  void turns() {
    for (std::size_t core = 0; core < cores.size(); ++core) turn(core);
  }
  void step_committer() {
    while (committer->step()) {
    }
    turns();
  }

  std::vector<UserId> users;
};

TEST_F(IssuingShardTest, EachUserHasItsShardAndAllElseIsTheCommitters) {
  Asked<IssueToken> issue;
  for (std::size_t i = 0; i < kShards; ++i) {
    issue.user = users[i];
    EXPECT_EQ(&committer->mailbox_for(issue), &shard(i).mailbox());
  }
  KeyedRequest request;
  issue.keyed = &request;
  EXPECT_EQ(&committer->mailbox_for(issue), &committer->mailbox());
  EXPECT_EQ(&committer->mailbox_for(Asked<IssuePersonalToken>()), &committer->mailbox());
  EXPECT_EQ(&committer->mailbox_for(Asked<RevokeToken>()), &committer->mailbox());
  EXPECT_EQ(&committer->mailbox_for(Asked<CollectTokens>()), &committer->mailbox());
}

TEST_F(IssuingShardTest, UsersSpreadEvenly) {
  std::vector<std::size_t> counts(7);
  for (int i = 0; i < 70'000; ++i) ++counts[shard_of(make_id(random), counts.size())];
  for (const std::size_t count : counts) EXPECT_NEAR(static_cast<double>(count), 10'000, 500);
}

// One shard, in the middle of its batch, has to read a user from the disk; the other one begins
// later and is done sooner.
TEST_F(IssuingShardTest, WhoeverIsDoneFirstBatchesLastInTheirOrder) {
  restart();  // so that no issuer knows its users
  std::unique_ptr<Asked<IssueToken>> other;
  bool began = false;
  database.during_disk_read = [&] {
    if (std::exchange(began, true)) return;
    other = ask(users[1]);
    EXPECT_TRUE(shard(1).step());
    step_committer();
    EXPECT_FALSE(other->done()) << "its batch comes behind one that is not there yet";
  };
  const auto first = ask(users[0]);
  EXPECT_TRUE(shard(0).step());
  database.during_disk_read = nullptr;
  EXPECT_TRUE(began);
  step_committer();
  EXPECT_TRUE(first->succeeded());
  EXPECT_TRUE(other->succeeded());
  EXPECT_GT(other->locator, first->locator);
}

TEST_F(IssuingShardTest, ABatchOfTheCommittersWaitsUntilAllShardsHold) {
  Asked<UpdateUser> update;
  update.id = users[0];
  update.revoke_tokens = true;
  const auto before = ask(users[0]);
  EXPECT_TRUE(shard(0).step());
  store().write(update);
  step_committer();
  EXPECT_TRUE(before->succeeded());
  for (std::size_t i = 0; i < kShards; ++i) {
    EXPECT_FALSE(update.done()) << "shard " << i << " may be issuing";
    EXPECT_TRUE(shard(i).step());
    step_committer();
  }
  step_committer();
  EXPECT_TRUE(update.succeeded());
  EXPECT_FALSE(authenticates_anywhere(std::string(view_of(before->token)), users[0]));
}

TEST_F(IssuingShardTest, AShardThatHoldsBeginsNothing) {
  Asked<UpdateUser> update;
  update.id = users[0];
  update.active = false;
  store().write(update);
  step_committer();
  EXPECT_TRUE(shard(0).step()) << "it says that it holds";
  const auto behind = ask(users[0]);
  const auto another = ask(users[1]);
  EXPECT_FALSE(shard(0).step());
  EXPECT_TRUE(shard(1).step());
  EXPECT_FALSE(shard(1).step());
  EXPECT_FALSE(behind->done() || another->done());
  settle();
  EXPECT_TRUE(update.succeeded());
  EXPECT_TRUE(behind->failed_with(Errc::refused)) << "it was deactivated in front of it";
  EXPECT_TRUE(another->succeeded());
}

TEST_F(IssuingShardTest, ShardsGoOnBeforeTheCommittersBatchIsDurable) {
  bool disk_is_done = false;
  database.disk_is_done = [&] { return disk_is_done; };
  Asked<UpdateUser> update;
  update.id = users[0];
  update.add_roles.add(Role::bot);
  store().write(update);
  for (int i = 0; i < 3; ++i) step();
  const auto behind = ask(users[1]);
  for (int i = 0; i < 3; ++i) step();
  turns();
  EXPECT_FALSE(update.done() || behind->done());
  EXPECT_FALSE(behind->locator.empty()) << "it is minted already";
  disk_is_done = true;
  settle();
  EXPECT_TRUE(update.succeeded());
  EXPECT_TRUE(behind->succeeded());
}

TEST_F(IssuingShardTest, AFailedCommitEndsWhatEveryShardHas) {
  bool disk_is_done = false;
  database.disk_is_done = [&] { return disk_is_done; };
  database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  const auto under_way = ask(users[0]);
  EXPECT_TRUE(shard(0).step());
  step_committer();
  const auto handed_in = ask(users[1]);
  EXPECT_TRUE(shard(1).step());
  const auto waiting = ask(users[2]);
  Asked<UpdateUser> update;
  update.id = users[2];
  store().write(update);
  step_committer();
  disk_is_done = true;
  settle();
  EXPECT_FALSE(committer->healthy());
  EXPECT_TRUE(under_way->failed_with(Errc::unavailable));
  EXPECT_TRUE(handed_in->failed_with(Errc::unavailable));
  EXPECT_TRUE(waiting->failed_with(Errc::unavailable));
  EXPECT_TRUE(update.failed_with(Errc::unavailable));
  EXPECT_EQ(under_way->token, TokenText{});
  EXPECT_EQ(handed_in->token, TokenText{});
  EXPECT_TRUE(committer->idle());
  const auto after = ask(users[0]);
  settle();
  EXPECT_TRUE(after->failed_with(Errc::unavailable));
}

// Behind a batch that is still being written, because its shard reads a user from the disk.
TEST_F(IssuingShardTest, AFailedCommitEndsWhatWaitsForAnEarlierBatch) {
  restart();  // so that no issuer knows its users
  static_cast<void>(issue(users[1]));
  static_cast<void>(issue(users[2]));
  bool disk_is_done = false;
  database.disk_is_done = [&] { return disk_is_done; };
  database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  const auto failing = ask(users[1]);
  EXPECT_TRUE(shard(1).step());
  step_committer();
  std::unique_ptr<Asked<IssueToken>> behind;
  bool began = false;
  database.during_disk_read = [&] {
    if (std::exchange(began, true)) return;
    behind = ask(users[2]);
    EXPECT_TRUE(shard(2).step());
    disk_is_done = true;
    step_committer();
  };
  const auto earlier = ask(users[0]);
  EXPECT_TRUE(shard(0).step());
  database.during_disk_read = nullptr;
  ASSERT_TRUE(began);
  EXPECT_TRUE(failing->failed_with(Errc::unavailable));
  EXPECT_TRUE(behind->failed_with(Errc::unavailable));
  EXPECT_FALSE(earlier->done());
  step_committer();
  EXPECT_TRUE(earlier->failed_with(Errc::unavailable));
  EXPECT_TRUE(committer->idle());
}

// Nobody steps a shard that sleeps: it has to be woken.
TEST_F(IssuingShardTest, WhoHoldsWhileACommitFailsIsWokenToAnswer) {
  database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  bool disk_is_done = false;
  database.disk_is_done = [&] { return disk_is_done; };
  const auto under_way = ask(users[1]);
  EXPECT_TRUE(shard(1).step());
  Asked<UpdateUser> update;
  update.id = users[0];
  store().write(update);
  step_committer();
  EXPECT_TRUE(shard(0).step());
  const auto waiting = ask(users[0]);
  EXPECT_FALSE(shard(0).step()) << "it holds";
  const std::size_t wakes = shard_waker.wakes;
  disk_is_done = true;
  step_committer();
  EXPECT_FALSE(committer->healthy());
  EXPECT_EQ(shard_waker.wakes, wakes + kShards);
  EXPECT_TRUE(shard(0).step());
  turns();
  EXPECT_TRUE(waiting->failed_with(Errc::unavailable));
}

// As many batches as the database takes, and more, are there at any time.
TEST_F(IssuingShardTest, BusyShardsDoNotKeepTheCommitterFromItsBatch) {
  close();
  options.batch_operations_max = 2;
  options.overlapping_operations_min = 0;
  open();
  bool disk_is_done = false;
  database.disk_is_done = [&] { return std::exchange(disk_is_done, false); };
  std::vector<std::unique_ptr<Asked<IssueToken>>> operations;
  const auto keep_busy = [&] {
    for (std::size_t i = 0; i < kShards; ++i) {
      for (int some = 0; some < 4; ++some) operations.push_back(ask(users[i]));
    }
    for (int i = 0; i < 4; ++i) step();
  };
  for (int i = 0; i < 3; ++i) keep_busy();
  Asked<CreateUser> create;
  create.user.username = "anna";
  store().write(create);
  for (int i = 0; i < 12 && !create.done(); ++i) {
    disk_is_done = true;
    keep_busy();
    turns();
  }
  EXPECT_TRUE(create.succeeded());
  database.disk_is_done = nullptr;
  settle();
  for (const auto& operation : operations) EXPECT_TRUE(operation->succeeded());
}

TEST_F(IssuingShardTest, ABusyCommitterDoesNotKeepShardsFromTheirs) {
  const auto ask_for_update = [&](Asked<UpdateUser>& update) {
    update.id = users[2];
    store().write(update);
  };
  Asked<UpdateUser> first, second;
  ask_for_update(first);
  step_committer();
  for (std::size_t i = 0; i < kShards; ++i) EXPECT_TRUE(shard(i).step());
  const auto waiting = ask(users[0]);
  EXPECT_TRUE(committer->step()) << "it writes the one and lets them go on";
  ask_for_update(second);
  step_committer();  // asks them to hold again
  EXPECT_TRUE(shard(0).step());
  step_committer();
  EXPECT_TRUE(first.done());
  EXPECT_FALSE(second.done());
  EXPECT_TRUE(waiting->succeeded()) << "between the two";
  settle();
  EXPECT_TRUE(second.succeeded());
}

TEST_F(IssuingShardTest, MoreThanABatchMayHaveGoesIntoSeveral) {
  close();
  options.batch_operations_max = 4;
  open();
  std::vector<std::unique_ptr<Asked<IssueToken>>> operations;
  for (int i = 0; i < 50; ++i) operations.push_back(ask(users[static_cast<std::size_t>(i) % 3]));
  settle();
  Locator last_of_user[3];
  for (std::size_t i = 0; i < operations.size(); ++i) {
    ASSERT_TRUE(operations[i]->succeeded());
    EXPECT_GT(operations[i]->locator, last_of_user[i % 3]) << "in the order of the asking";
    last_of_user[i % 3] = operations[i]->locator;
  }
}

TEST_F(IssuingShardTest, WithoutAFreeBroadcastItWaitsForOne) {
  close();
  options.broadcasts_max = 1;
  options.tokens_per_user_max = 1;
  open();
  static_cast<void>(issue(users[0]));
  const auto displaces = ask(users[0]);
  EXPECT_TRUE(shard(0).step());
  while (committer->step()) {
  }
  const auto waits = ask(users[0]);
  EXPECT_FALSE(shard(0).step()) << "no core has acknowledged";
  settle();
  EXPECT_TRUE(displaces->succeeded());
  EXPECT_TRUE(waits->succeeded());
  EXPECT_FALSE(authenticates_anywhere(std::string(view_of(displaces->token)), users[0]));
  EXPECT_TRUE(authenticates(std::string(view_of(waits->token)), users[0]));
}

// Seven for three: one of them has one more.
TEST_F(IssuingShardTest, TheLimitOfTheStoreIsSharedEqually) {
  close();
  options.indexed_tokens_max = 7;
  open();
  std::size_t issued = 0;
  for (std::size_t i = 0; i < kShards; ++i) {
    std::vector<std::unique_ptr<Asked<IssueToken>>> operations;
    for (int some = 0; some < 5; ++some) operations.push_back(ask(users[i]));
    settle();
    std::size_t of_this = 0;
    for (const auto& operation : operations) {
      of_this += operation->succeeded();
      EXPECT_TRUE(operation->succeeded() || operation->failed_with(Errc::full));
    }
    EXPECT_GE(of_this, 2U);
    issued += of_this;
  }
  EXPECT_EQ(issued, 7U);
  restart();
  EXPECT_EQ(committer->indexed_tokens(), 7U);
}

TEST_F(IssuingShardTest, WhoeverHoldsMostOfTheTokensTheStoreStarts) {
  close();
  shards_count = 0;
  options.indexed_tokens_max = 6;
  open();
  for (int i = 0; i < 6; ++i) static_cast<void>(issue(users[0]));
  close();
  shards_count = kShards;
  open();
  EXPECT_EQ(committer->indexed_tokens(), 6U);
  const auto beyond = ask(users[1]);
  settle();
  EXPECT_TRUE(beyond->failed_with(Errc::full)) << "whoever has it";
  close();
  options.indexed_tokens_max = 5;
  const auto opened =
      Committer::open({database, clock, committer_waker, random}, identity, options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::full);
  options.indexed_tokens_max = 6;
  open();
}

TEST_F(IssuingShardTest, AnotherNumberOfShardsFindsWhatThereIs) {
  options.tokens_per_user_max = 3;
  std::vector<std::vector<Token>> tokens(users.size());
  for (const std::size_t shards : {3U, 0U, 5U, 1U, 2U}) {
    shards_count = shards;
    restart();
    for (std::size_t i = 0; i < users.size(); ++i) {
      const Token token = issue(users[i]);
      for (const Token& older : tokens[i]) EXPECT_GT(token.locator, older.locator);
      tokens[i].push_back(token);
    }
  }
  for (std::size_t i = 0; i < users.size(); ++i) {
    for (std::size_t at = 0; at < tokens[i].size(); ++at) {
      EXPECT_EQ(authenticates_anywhere(tokens[i][at].text, users[i]), at + 3 >= tokens[i].size());
    }
  }
}

// The token itself may be gone by then, and the clock set back.
TEST_F(IssuingShardTest, NoLocatorComesAgainAfterACrash) {
  const auto operation = ask(users[0]);
  EXPECT_TRUE(shard(0).step());
  step_committer();
  ASSERT_TRUE(operation->succeeded());
  std::string last;
  ASSERT_TRUE(database.get(Family::meta, kMetaLastLocator, Reach::disk, last));
  EXPECT_GE(locator_from(last), operation->locator) << "by the shard's own batch";
  clock.now_ms -= 10'000;
  restart();
  EXPECT_GT(issue(users[1]).locator, operation->locator);
}

TEST_F(IssuingShardTest, WhoHasLeftIsNotWaitedFor) {
  shard(1).leave();
  Asked<UpdateUser> first, second;
  first.id = second.id = users[0];
  store().write(first);
  step_committer();
  shard(2).leave();  // asked already
  EXPECT_FALSE(committer->idle());
  EXPECT_TRUE(shard(0).step());
  step_committer();
  turns();
  EXPECT_TRUE(first.succeeded());
  shard(0).leave();
  store().write(second);
  step_committer();
  turns();
  EXPECT_TRUE(second.succeeded());
  EXPECT_TRUE(committer->idle());
}

}  // namespace
}  // namespace tokend::store
