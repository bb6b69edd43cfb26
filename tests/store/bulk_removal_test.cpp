// The removal of what floors have revoked (store/store_revocations.cpp): in trips, put off while
// the readers are busy, taken up again after a failure.

#include <gmock/gmock.h>

#include "store/meta.h"
#include "tests/store/bulk_revocation_fixture.h"

namespace tokend::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class BulkRemovalTest : public BulkRevocationFixture {
 protected:
  // The removal's timer is at most a tick late.
  void pass(std::int64_t milliseconds) {
    clock.now_ms += milliseconds + core::TimerWheel::kTickNs / core::kNanosecondsPerMillisecond;
    settle();
  }
  [[nodiscard]] std::vector<std::string>& log() { return cores[0]->log.lines; }
};

TEST_F(BulkRemovalTest, AFurtherOneMeanwhileIsRemovedTooAndItsFloorEnds) {
  static_cast<void>(issue_by(anna, bert));
  Asked<RevokeTokens> first, second;
  ask(first, anna);
  settle_without_workers();
  // Behind the first one's look at the records.
  static_cast<void>(issue_by(anna, bert));
  ask(second, anna);
  settle();
  EXPECT_TRUE(first.succeeded() && second.succeeded());
  EXPECT_EQ(database.size(Family::tokens), 0U);
  EXPECT_EQ(database.size(Family::revocations), 0U);
}

TEST_F(BulkRemovalTest, IsRemovedInTripsOfABoundedSize) {
  // More than a trip's, for many users, so that the limit of tokens leaves them alone.
  constexpr std::size_t kTokens = 2'500;
  std::vector<std::unique_ptr<Asked<IssueToken>>> issued;
  UserId holder;
  for (std::size_t i = 0; i < kTokens; ++i) {
    if (i % 50 == 0) holder = create("user" + std::to_string(i));
    auto& operation = issued.emplace_back(std::make_unique<Asked<IssueToken>>());
    operation->user = holder;
    operation->issuer = i % 5 == 0 ? root : anna;
    store().write(*operation);
  }
  settle();
  ASSERT_EQ(database.size(Family::tokens), kTokens);
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  settle_without_workers();
  readers.run_all();
  for (int i = 0; i < 3; ++i) settle_without_workers();
  EXPECT_GT(database.size(Family::tokens), kTokens / 5) << "one trip does not remove all";
  settle();
  EXPECT_EQ(database.size(Family::tokens), kTokens / 5);
  EXPECT_EQ(committer->indexed_tokens(), kTokens / 5);
  EXPECT_EQ(database.size(Family::revocations), 0U);
}

TEST_F(BulkRemovalTest, FewPersonalTokensGoInATripBecauseOfTheirLists) {
  const std::size_t count = store_options.removal_personal_max + 8;
  for (std::size_t i = 0; i < count; ++i) {
    static_cast<void>(issue_personal(anna, std::to_string(i)));
  }
  Asked<RevokeTokens> operation;
  ask(operation, {}, clock.now_ms + 1);
  settle_without_workers();
  readers.run_all();
  settle_without_workers();
  EXPECT_EQ(database.size(Family::tokens), 8U);
  settle();
  EXPECT_EQ(database.size(Family::tokens), 0U);
  EXPECT_EQ(database.size(Family::personal_tokens), 0U);
  EXPECT_EQ(database.size(Family::revocations), 0U);
}

TEST_F(BulkRemovalTest, IsPutOffWhileTheReadersAreBusyAndDoesNotSpinMeanwhile) {
  static_cast<void>(issue_by(anna, bert));
  readers.limit = 0;
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  settle();
  EXPECT_TRUE(operation.succeeded());
  EXPECT_EQ(readers.refused, 1U);
  pass(50);
  EXPECT_EQ(readers.refused, 2U);
  readers.limit = 1000;
  settle();
  EXPECT_EQ(database.size(Family::tokens), 1U);
  pass(50);
  EXPECT_EQ(database.size(Family::tokens), 0U);
  EXPECT_EQ(database.size(Family::revocations), 0U);
  EXPECT_THAT(log(), IsEmpty());
}

TEST_F(BulkRemovalTest, ARecordThatDoesNotDecodeIsToldOfAndKeepsNoFloorAlive) {
  const Token damaged = issue_by(anna, bert);
  static_cast<void>(issue_by(anna, bert));
  database.set(Family::tokens, view_of(damaged.locator), "x");
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  settle();
  EXPECT_TRUE(operation.succeeded());
  EXPECT_THAT(log(), ElementsAre("records of tokens that do not decode, left as they are: 1"));
  EXPECT_EQ(database.size(Family::tokens), 1U);
  EXPECT_EQ(database.size(Family::revocations), 0U);
}

TEST_F(BulkRemovalTest, IsToldOfAndTakenUpAgainWhenAReadFails) {
  static_cast<void>(issue_by(anna, bert));
  static_cast<void>(issue_by(root, bert));
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  settle_without_workers();
  database.fail_reads(Family::tokens, true);
  settle();
  EXPECT_THAT(log(), ElementsAre("revoked tokens take up room: their removal failed (input/output "
                                 "error), again in 1000 ms"));
  pass(1000);
  EXPECT_THAT(log(), ElementsAre(HasSubstr("1000 ms"), HasSubstr("2000 ms")));
  // One that comes meanwhile is removed with it.
  Asked<RevokeTokens> further;
  ask(further, root);
  settle();
  database.fail_reads(Family::tokens, false);
  settle();
  EXPECT_EQ(database.size(Family::tokens), 2U);
  pass(2000);
  EXPECT_EQ(database.size(Family::tokens), 0U);
  EXPECT_EQ(database.size(Family::revocations), 0U);
}

TEST_F(BulkRemovalTest, IsTakenUpAgainWhenTheCommitterFailsToReadAList) {
  static_cast<void>(issue_by(anna, bert));
  static_cast<void>(issue_personal(anna, "first"));
  for (int round = 0; round < 2; ++round) {
    database.fail_reads(Family::personal_tokens, true);
    revoke({}, clock.now_ms + 1);
    EXPECT_EQ(database.size(Family::revocations), 1U);
    database.fail_reads(Family::personal_tokens, false);
    pass(1000);
    EXPECT_EQ(database.size(Family::tokens), 0U);
    EXPECT_EQ(database.size(Family::personal_tokens), 0U);
    EXPECT_EQ(database.size(Family::revocations), 0U);
    static_cast<void>(issue_personal(anna, "second"));
  }
  EXPECT_THAT(log(), ElementsAre(HasSubstr("1000 ms"), HasSubstr("1000 ms")))
      << "a success makes the next delay short again";
}

TEST_F(BulkRemovalTest, IsTriedEveryTenMinutesAtLeast) {
  static_cast<void>(issue_by(anna, bert));
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  settle_without_workers();
  database.fail_reads(Family::tokens, true);
  settle();
  for (int failure = 1; failure < 12; ++failure) pass(600'000);
  ASSERT_EQ(log().size(), 12U);
  EXPECT_THAT(log().back(), HasSubstr("600000 ms"));
}

TEST_F(BulkRemovalTest, IsNotTriedAgainWhenNothingIsWrittenAnyMore) {
  static_cast<void>(issue_by(anna, bert));
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  settle_without_workers();
  database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  settle();
  pass(1000);
  EXPECT_THAT(log(), IsEmpty());
  EXPECT_THAT(readers.jobs, IsEmpty());
}

}  // namespace
}  // namespace tokend::store
