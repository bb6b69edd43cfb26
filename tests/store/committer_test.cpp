// Batches, failures and limits, step by step.

#include "store/committer.h"

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

class CommitterTest : public StoreFixture {
 protected:
  CommitterTest() { without_shards(); }
  std::vector<std::unique_ptr<Asked<IssueToken>>> ask_for_tokens(int count) {
    std::vector<std::unique_ptr<Asked<IssueToken>>> operations;
    for (int i = 0; i < count; ++i) {
      operations.push_back(std::make_unique<Asked<IssueToken>>());
      operations.back()->user = root;
      store(static_cast<std::size_t>(i) % cores.size()).write(*operations.back());
    }
    return operations;
  }
};

TEST_F(CommitterTest, EverythingThatWaitsIsOneCommit) {
  const std::size_t commits = database.commits();
  const auto operations = ask_for_tokens(40);
  settle();
  EXPECT_EQ(database.commits(), commits + 1);
  for (const auto& operation : operations) EXPECT_TRUE(operation->succeeded());
  for (std::size_t i = 1; i < operations.size(); ++i) {
    EXPECT_LT(operations[i - 1]->locator, operations[i]->locator) << "the order of issue";
  }
}

TEST_F(CommitterTest, ABatchHasItsLimitAndTheRestFollows) {
  close();
  options.batch_operations_max = 8;
  open();
  const std::size_t commits = database.commits();
  const auto operations = ask_for_tokens(20);
  EXPECT_TRUE(step());
  EXPECT_TRUE(step());
  EXPECT_TRUE(step());
  EXPECT_FALSE(step());
  EXPECT_EQ(database.commits(), commits + 3);
  settle();
  for (const auto& operation : operations) EXPECT_TRUE(operation->succeeded());
}

TEST_F(CommitterTest, BatchesAreWrittenWhileOthersAreSyncedAndAnsweredInOrder) {
  close();
  options.overlapping_operations_min = 1;
  open();
  bool disk_is_done = false;
  database.disk_is_done = [&] { return disk_is_done; };
  const UserId unknown("nobody");
  Asked<CreateUser> create_anna, create_again;
  Asked<IssueToken> for_anna, for_nobody;
  create_anna.user.username = create_again.user.username = "anna";
  store().write(create_anna);
  EXPECT_TRUE(step());
  // They rest on what is not durable yet, the refusals too.
  for_anna.user = create_anna.user.id;
  store().write(for_anna);
  EXPECT_TRUE(step());
  store().write(create_again);
  EXPECT_TRUE(step());
  for_nobody.user = unknown;
  store().write(for_nobody);
  EXPECT_TRUE(step());
  EXPECT_FALSE(step());
  EXPECT_FALSE(committer->idle());
  turn(0);
  EXPECT_EQ(create_anna.times_done + for_anna.times_done + create_again.times_done +
                for_nobody.times_done,
            0);
  EXPECT_EQ(database.size(Family::users), 1U) << "nothing is visible before it is durable";
  disk_is_done = true;
  settle();
  EXPECT_TRUE(committer->idle());
  EXPECT_TRUE(create_anna.succeeded());
  EXPECT_TRUE(for_anna.succeeded());
  EXPECT_TRUE(create_again.failed_with(Errc::exists));
  EXPECT_TRUE(for_nobody.failed_with(Errc::not_found));
  // What the overlay knew is now in the database.
  Asked<CreateUser> once_more;
  once_more.user.username = "Anna";
  store().write(once_more);
  settle();
  EXPECT_TRUE(once_more.failed_with(Errc::exists));
}

TEST_F(CommitterTest, NoMoreBatchesAreUnderWayThanTheDatabaseTakes) {
  close();
  options.overlapping_operations_min = 1;
  open();
  database.disk_is_done = [] { return false; };
  std::vector<std::unique_ptr<Asked<IssueToken>>> asked;
  std::size_t begun = 0;
  for (std::size_t i = 0; i < database.submissions_max() + 2; ++i) {
    asked.push_back(std::move(ask_for_tokens(1).front()));
    begun += step();
  }
  EXPECT_EQ(begun, database.submissions_max());
  database.disk_is_done = {};
  settle();
  for (const auto& operation : asked) EXPECT_TRUE(operation->succeeded());
}

TEST_F(CommitterTest, ABatchEndsWithTheOperationThatPassesItsBytes) {
  close();
  options.batch_bytes_max = 1;
  open();
  const std::size_t commits = database.commits();
  Asked<CreateUser> creations[3];
  for (std::size_t i = 0; i < std::size(creations); ++i) {
    creations[i].user.username = "user" + std::to_string(i);
    store().write(creations[i]);
  }
  settle();
  EXPECT_EQ(database.commits(), commits + std::size(creations));
  for (const auto& creation : creations) EXPECT_TRUE(creation.succeeded());
}

TEST_F(CommitterTest, TokensCountTowardsTheBytesOfABatch) {
  close();
  options.batch_bytes_max = 1000;
  open();
  const std::size_t commits = database.commits();
  const auto operations = ask_for_tokens(10);
  settle();
  EXPECT_EQ(database.commits(), commits + 5) << "512 bytes are reckoned for each";
  for (const auto& operation : operations) EXPECT_TRUE(operation->succeeded());
}

TEST_F(CommitterTest, ASmallBatchWaitsForALargerOneUnderWay) {
  bool disk_is_done = false;
  database.disk_is_done = [&] { return disk_is_done; };
  const auto large = ask_for_tokens(10);
  EXPECT_TRUE(step());
  const auto small = ask_for_tokens(9);
  EXPECT_FALSE(step());
  const auto more = ask_for_tokens(1);
  EXPECT_TRUE(step()) << "together they are as many";
  const std::size_t commits = database.commits();
  disk_is_done = true;
  settle();
  EXPECT_EQ(database.commits(), commits + 2);
  for (const auto& operation : small) EXPECT_TRUE(operation->succeeded());
}

TEST_F(CommitterTest, AFailureEndsEveryBatchUnderWay) {
  close();
  options.overlapping_operations_min = 1;
  open();
  bool disk_is_done = false;
  database.disk_is_done = [&] { return disk_is_done; };
  const auto first = ask_for_tokens(3);
  EXPECT_TRUE(step());
  database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  const auto second = ask_for_tokens(3);
  EXPECT_TRUE(step());
  const auto third = ask_for_tokens(3);
  EXPECT_TRUE(step());
  disk_is_done = true;
  settle();
  for (const auto& operation : first) EXPECT_TRUE(operation->succeeded());
  for (const auto& operation : second) EXPECT_TRUE(operation->failed_with(Errc::unavailable));
  for (const auto& operation : third) {
    EXPECT_TRUE(operation->failed_with(Errc::unavailable));
    EXPECT_EQ(operation->token, TokenText{});
  }
  restart();
  EXPECT_EQ(database.size(Family::tokens), 3U);
}

TEST_F(CommitterTest, WithoutAFreeBroadcastItWaitsForOne) {
  close();
  options.broadcasts_max = 1;
  open();
  Asked<RevokeToken> first, second;
  first.user = second.user = root;
  store().write(first);
  EXPECT_TRUE(step());
  store().write(second);
  EXPECT_FALSE(step());
  turn(0);
  turn(1);
  EXPECT_TRUE(step());
  settle();
  EXPECT_TRUE(first.succeeded());
  EXPECT_TRUE(second.succeeded());
}

TEST_F(CommitterTest, AFailedCommitIsFinal) {
  const Token before = issue(root);
  database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  Asked<IssueToken> in_it, after_it;
  Asked<IssueToken> refused_in_it;
  in_it.user = after_it.user = root;
  refused_in_it.user = UserId("nobody");
  store().write(in_it);
  store().write(refused_in_it);
  settle();
  EXPECT_TRUE(in_it.failed_with(Errc::unavailable));
  EXPECT_TRUE(refused_in_it.failed_with(Errc::unavailable));
  EXPECT_EQ(in_it.token, TokenText{});
  EXPECT_EQ(committer->counters().tokens_issued, 1U) << "the one before";
  EXPECT_FALSE(store(0).healthy());
  EXPECT_FALSE(store(1).healthy());
  EXPECT_FALSE(committer->failure().empty());
  store(1).write(after_it);
  settle();
  EXPECT_TRUE(after_it.failed_with(Errc::unavailable));
  EXPECT_TRUE(authenticates(before.text, root)) << "reading goes on";
  restart();
  EXPECT_TRUE(store().healthy());
  EXPECT_TRUE(authenticates(issue(root).text, root));
}

TEST_F(CommitterTest, AfterACommitThatFailedBehindTheDiskTheStoreIsStillSound) {
  database.fail_next_commit(tests::MemoryDatabase::Failure::written);
  Asked<CreateUser> create_anna;
  create_anna.user.username = "anna";
  Asked<IssueToken> token;
  token.user = root;
  store().write(create_anna);
  store().write(token);
  settle();
  EXPECT_TRUE(create_anna.failed_with(Errc::unavailable));
  restart();
  // Nobody was told, and it is there: allowed, and counted.
  EXPECT_EQ(database.size(Family::users), 2U);
  Asked<CreateUser> again;
  again.user.username = "anna";
  store().write(again);
  settle();
  EXPECT_TRUE(again.failed_with(Errc::exists));
  EXPECT_GT(issue(root).locator, token.locator);
}

TEST_F(CommitterTest, ARevocationInAFailedBatchIsNotAnsweredAsDone) {
  const Token token = issue(root);
  database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  Asked<RevokeToken> operation;
  operation.user = root;
  operation.locator = token.locator;
  store().write(operation);
  settle();
  EXPECT_TRUE(operation.failed_with(Errc::unavailable));
}

TEST_F(CommitterTest, ASleepingCommitterIsWokenOnce) {
  EXPECT_FALSE(step());
  ASSERT_TRUE(committer->mailbox().prepare_to_sleep());
  const std::size_t wakes = committer_waker.wakes;
  const auto operations = ask_for_tokens(5);
  EXPECT_EQ(committer_waker.wakes, wakes + 1);
  settle();
}

TEST_F(CommitterTest, AReadErrorFailsTheOperationAndNotTheBatch) {
  const UserId anna = create("anna");
  restart();
  database.fail_reads(Family::users, true);
  Asked<IssueToken> unreadable;
  unreadable.user = anna;
  store().write(unreadable);
  settle();
  EXPECT_TRUE(unreadable.failed_with(Errc::io));
  database.fail_reads(Family::users, false);
  EXPECT_TRUE(authenticates(issue(root).text, root));
}

TEST_F(CommitterTest, CorruptRecordsAreRefusedAtTheStart) {
  static_cast<void>(issue(root));
  close();
  database.set(Family::tokens, "short", "x");
  const auto opened =
      Committer::open({database, clock, committer_waker, random}, identity, options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::corrupt);
}

}  // namespace
}  // namespace tokend::store
