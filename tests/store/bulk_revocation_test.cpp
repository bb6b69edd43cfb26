// Revoking all that an issuer issued, or everything before a moment, by one write
// (store/revocation_floors.h).

#include <gmock/gmock.h>

#include "tests/store/bulk_revocation_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;
using testing::ElementsAre;
using testing::IsEmpty;

class BulkRevocationTest : public BulkRevocationFixture {};

TEST_F(BulkRevocationTest, OfAnIssuerEndsWhatItIssuedAndNothingElse) {
  const Token by_anna = issue_by(anna, bert), by_root = issue_by(root, bert);
  const Token own = issue_by(anna, anna);
  const Token login = issue(anna, 0, 0, TokenKind::login);
  const Token personal = issue(anna, 0, 0, TokenKind::personal);
  revoke(anna);
  const Token later = issue_by(anna, bert);
  for (int round = 0; round < 2; ++round) {
    EXPECT_FALSE(authenticates_anywhere(by_anna.text, bert));
    EXPECT_FALSE(authenticates_anywhere(own.text, anna));
    EXPECT_TRUE(authenticates(by_root.text, bert));
    EXPECT_TRUE(authenticates(login.text, anna));
    EXPECT_TRUE(authenticates(personal.text, anna));
    EXPECT_TRUE(authenticates(later.text, bert));
    restart();
  }
}

TEST_F(BulkRevocationTest, BeforeAMomentEndsEverybodysOlderOnes) {
  const Token issued = issue_by(anna, bert), login = issue(anna, 0, 0, TokenKind::login);
  const Token personal = issue(anna, 0, 0, TokenKind::personal);
  clock.now_ms += 1000;
  const Token young = issue_by(anna, bert), young_personal = issue_personal(anna, "young");
  revoke({}, clock.now_ms);
  for (int round = 0; round < 2; ++round) {
    EXPECT_FALSE(authenticates_anywhere(issued.text, bert));
    EXPECT_FALSE(authenticates_anywhere(login.text, anna));
    EXPECT_FALSE(authenticates_anywhere(personal.text, anna));
    EXPECT_TRUE(authenticates(young.text, bert));
    EXPECT_TRUE(authenticates(young_personal.text, anna));
    restart();
  }
}

TEST_F(BulkRevocationTest, OfAnIssuerBeforeAMomentSparesWhatItIssuedLater) {
  const Token old = issue_by(anna, bert), of_root = issue_by(root, bert);
  clock.now_ms += 1000;
  const Token young = issue_by(anna, bert);
  revoke(anna, clock.now_ms);
  EXPECT_FALSE(authenticates_anywhere(old.text, bert));
  EXPECT_TRUE(authenticates(of_root.text, bert));
  EXPECT_TRUE(authenticates(young.text, bert));
}

TEST_F(BulkRevocationTest, AMomentInTheFutureIsNow) {
  const Token token = issue_by(anna, bert);
  revoke({}, clock.now_ms + 1'000'000);
  EXPECT_FALSE(authenticates_anywhere(token.text, bert));
  EXPECT_TRUE(authenticates(issue_by(anna, bert).text, bert));
}

TEST_F(BulkRevocationTest, NowIsAllOfThemAlsoWhenTheClockWasSetBack) {
  const Token before = issue_by(anna, bert);
  clock.now_ms += 10;
  turn(0);
  EXPECT_EQ(store().latest_bound_ms(), clock.now_ms);
  clock.now_ms -= 3'600'000;
  turn(0);
  const Token since = issue_by(anna, bert);
  ASSERT_GT(since.locator.issued_ms(), clock.now_ms) << "younger than its moment says";
  EXPECT_EQ(store().latest_bound_ms(), since.locator.issued_ms() + 1);
  revoke({}, clock.now_ms - 60'001);
  EXPECT_TRUE(authenticates(since.text, bert)) << "a moment that has passed ends what bears it";
  // Whoever means now has read it off a clock a while ago.
  revoke({}, clock.now_ms - 60'000);
  EXPECT_FALSE(authenticates_anywhere(before.text, bert));
  EXPECT_FALSE(authenticates_anywhere(since.text, bert));
  const Token later = issue_by(anna, bert);
  EXPECT_TRUE(authenticates(later.text, bert));
  revoke({}, store().latest_bound_ms());
  EXPECT_FALSE(authenticates_anywhere(later.text, bert));
}

TEST_F(BulkRevocationTest, AMomentBeforeAllOfThemIsASuccessAndEndsNothing) {
  const Token token = issue_by(anna, bert);
  revoke({}, 0);
  revoke({}, -5);
  EXPECT_TRUE(authenticates(token.text, bert));
}

TEST_F(BulkRevocationTest, OfNobodyAndNoTimeIsInvalid) {
  Asked<RevokeTokens> operation;
  ask(operation, {});
  settle();
  EXPECT_TRUE(operation.failed_with(Errc::invalid));
}

TEST_F(BulkRevocationTest, InOneMillisecondEndsWhatIsInFrontOfItInItsBatch) {
  without_shards();
  Asked<IssueToken> before, after;
  Asked<RevokeTokens> revocation;
  before.user = after.user = bert;
  before.issuer = after.issuer = anna;
  store(1).write(before);
  ask(revocation, anna, std::nullopt, 1);
  store(1).write(after);
  settle();
  EXPECT_TRUE(revocation.succeeded());
  EXPECT_FALSE(authenticates_anywhere(std::string(view_of(before.token)), bert));
  EXPECT_TRUE(authenticates(std::string(view_of(after.token)), bert));
}

TEST_F(BulkRevocationTest, IsOneWriteOfAFixedSizeAndTheRestGoesInTheBackground) {
  for (int i = 0; i < 40; ++i) static_cast<void>(issue_by(anna, bert));
  const std::size_t commits = database.commits();
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  settle_without_workers();
  EXPECT_TRUE(operation.succeeded());
  EXPECT_EQ(database.commits(), commits + 1);
  EXPECT_EQ(database.size(Family::tokens), 40U);
  EXPECT_EQ(database.size(Family::revocations), 1U);
  settle();
  EXPECT_EQ(database.size(Family::tokens), 0U);
  EXPECT_EQ(database.size(Family::revocations), 0U) << "the floor has nothing more to say";
  EXPECT_EQ(committer->indexed_tokens(), 0U);
}

TEST_F(BulkRevocationTest, IsAnsweredOnlyWhenEveryCoreHasDroppedWhatItRevokes) {
  without_shards();
  static_cast<void>(issue_by(anna, bert));
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  ASSERT_TRUE(step());
  turn(0);
  turn(0);
  EXPECT_EQ(operation.times_done, 0) << "core 1 still has it";
  turn(1);
  turn(0);
  EXPECT_TRUE(operation.succeeded());
}

TEST_F(BulkRevocationTest, HoldsAfterACrashBeforeAnythingWasRemoved) {
  const Token by_anna = issue_by(anna, bert), by_root = issue_by(root, bert);
  const Token personal = issue_personal(bert, "old");
  Asked<RevokeTokens> of_anna, old;
  ask(of_anna, anna);
  settle_without_workers();
  clock.now_ms += 1000;
  const Token kept = issue_by(root, bert);
  ask(old, {}, clock.now_ms);
  settle_without_workers();
  ASSERT_TRUE(of_anna.succeeded() && old.succeeded());
  readers.jobs.clear();
  restart();
  EXPECT_EQ(database.size(Family::revocations), 0U) << "the start has removed what it said";
  EXPECT_EQ(database.size(Family::tokens), 1U);
  EXPECT_EQ(database.size(Family::personal_tokens), 0U);
  for (const Token& token : {by_anna, by_root, personal}) {
    EXPECT_FALSE(authenticates_anywhere(token.text, bert));
  }
  EXPECT_TRUE(authenticates(kept.text, bert));
  // A second start finds nothing more to do, and does no harm.
  restart();
  EXPECT_TRUE(authenticates(kept.text, bert));
}

TEST_F(BulkRevocationTest, AnExpiredTokenDoesNotComeBackWithTheClock) {
  const Token token = issue(bert, 0, 1000);
  Asked<RevokeTokens> operation;
  ask(operation, {}, clock.now_ms + 1);
  settle_without_workers();
  ASSERT_TRUE(operation.succeeded());
  readers.jobs.clear();
  ASSERT_EQ(database.size(Family::tokens), 1U);
  clock.now_ms += 2000;
  restart();
  EXPECT_EQ(database.size(Family::revocations), 0U);
  clock.now_ms -= 1500;
  EXPECT_FALSE(authenticates_anywhere(token.text, bert));
}

TEST_F(BulkRevocationTest, WhoWasAdmittedByAnEndedTokenIsIssuedNothingMore) {
  without_shards();
  const Token shown = issue_by(root, anna);
  clock.now_ms += 1000;
  const Token young = issue_by(root, anna);
  Asked<IssueToken> in_front, behind, by_young, login;
  Asked<IssuePersonalToken> personal;
  for (IssueToken* each :
       std::initializer_list<IssueToken*>{&in_front, &behind, &by_young, &login, &personal}) {
    each->user = each->issuer = anna;
    each->locator = shown.locator;
  }
  by_young.locator = young.locator;
  login.locator = {};
  login.token_kind = TokenKind::login;
  personal.name = "ci";
  Asked<RevokeTokens> operation;
  store(1).write(in_front);
  ask(operation, {}, clock.now_ms, 1);
  store(1).write(behind);
  store(1).write(by_young);
  store(1).write(login);
  settle();
  EXPECT_TRUE(in_front.succeeded());
  EXPECT_TRUE(behind.failed_with(Errc::refused));
  EXPECT_TRUE(by_young.succeeded());
  EXPECT_TRUE(login.succeeded());
  // Also when the floor has ended.
  ASSERT_EQ(database.size(Family::revocations), 0U);
  store(1).write(personal);
  settle();
  EXPECT_TRUE(personal.failed_with(Errc::refused));
}

TEST_F(BulkRevocationTest, ARefusedIssueLeavesTheTokenThatWasShownAsItIs) {
  const Token shown = issue_by(root, anna);
  Asked<IssuePersonalToken> operation;
  operation.user = operation.issuer = anna;
  operation.locator = shown.locator;
  operation.name = "unknown";
  operation.regenerate = true;  // waits for the cores also where it fails
  store().write(operation);
  settle();
  EXPECT_TRUE(operation.failed_with(Errc::not_found));
  for (std::size_t core = 0; core < cores.size(); ++core) {
    EXPECT_TRUE(authenticates(shown.text, anna, core));
  }
}

// What is revoked and not yet removed is nowhere to be seen.

TEST_F(BulkRevocationTest, ListsLeaveOutWhatIsNotYetRemoved) {
  std::vector<Locator> kept;
  for (int i = 0; i < 3; ++i) {
    static_cast<void>(issue_by(anna, bert));
    kept.push_back(issue_by(root, bert).locator);
  }
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  settle_without_workers();
  ASSERT_TRUE(operation.succeeded());
  std::size_t total = 0;
  EXPECT_EQ(listed(bert, &total), kept);
  EXPECT_EQ(total, 3U);
  EXPECT_THAT(listed(bert, &total, 1, 1), ElementsAre(kept[1]));
  EXPECT_EQ(total, 3U);
  for (const std::size_t offset : {3, 6, 60}) {
    EXPECT_THAT(listed(bert, &total, offset, 5), IsEmpty());
    EXPECT_EQ(total, 3U) << offset;
  }
  EXPECT_EQ(database.size(Family::tokens), 6U) << "nothing is removed so far";
  settle();
  EXPECT_EQ(listed(bert, &total), kept);
  EXPECT_EQ(total, 3U);
}

TEST_F(BulkRevocationTest, PersonalTokensLeaveTheirListAndTheirNamesAreFree) {
  const Token first = issue_personal(anna, "first");
  static_cast<void>(issue_personal(anna, "second"));
  Asked<RevokeTokens> operation;
  ask(operation, {}, clock.now_ms + 1);
  settle_without_workers();
  ASSERT_TRUE(operation.succeeded());

  Asked<IssuePersonalToken> regenerate, again;
  regenerate.user = again.user = anna;
  regenerate.name = again.name = "first";
  regenerate.regenerate = true;
  store().write(regenerate);
  store().write(again);
  settle_without_workers();
  EXPECT_TRUE(regenerate.failed_with(Errc::not_found));
  EXPECT_TRUE(again.succeeded());
  settle();
  Asked<ListPersonalTokens> list;
  list.user = anna;
  store(1).list_personal_tokens(list);
  settle();
  ASSERT_EQ(list.tokens.size(), 1U);
  EXPECT_EQ(list.tokens.front().locator, again.locator);
  EXPECT_EQ(database.size(Family::tokens), 1U);
  EXPECT_FALSE(authenticates_anywhere(first.text, anna));
  EXPECT_TRUE(authenticates(std::string(view_of(again.token)), anna));
}

TEST_F(BulkRevocationTest, ThePersonalListIsCleanAtOnce) {
  static_cast<void>(issue_personal(anna, "first"));
  Asked<RevokeTokens> operation;
  ask(operation, {}, clock.now_ms + 1);
  settle_without_workers();
  Asked<ListPersonalTokens> list;
  list.user = anna;
  store(1).list_personal_tokens(list);
  run_last_job();
  turn(1);
  EXPECT_TRUE(list.succeeded());
  EXPECT_THAT(list.tokens, IsEmpty());
  EXPECT_EQ(database.size(Family::personal_tokens), 1U);
  settle();
  EXPECT_EQ(database.size(Family::personal_tokens), 0U);
}

TEST_F(BulkRevocationTest, WhatIsReadBeforeTheRemovalStaysOutWhenTheFloorHasEnded) {
  const Token token = issue_personal(anna, "first");
  Asked<RevokeTokens> operation;
  ask(operation, {}, clock.now_ms + 1);
  settle_without_workers();
  Asked<ListPersonalTokens> list;
  list.user = anna;
  store(1).list_personal_tokens(list);
  core::MessageList listed = hold_answer(1);
  const TokenId id = store().id_of(token.locator);
  Asked<FindToken> find;
  find.id = view_of(id);
  store(1).find_token(find);
  core::MessageList found = hold_answer(1);
  settle();
  ASSERT_EQ(database.size(Family::revocations), 0U);
  deliver(std::move(listed));
  deliver(std::move(found));
  EXPECT_TRUE(list.succeeded());
  EXPECT_THAT(list.tokens, IsEmpty());
  EXPECT_TRUE(find.failed_with(Errc::not_found));
}

TEST_F(BulkRevocationTest, ADeletedUserLeavesNoListOfRevokedTokens) {
  static_cast<void>(issue_personal(anna, "first"));
  Asked<RevokeTokens> operation;
  ask(operation, {}, clock.now_ms + 1);
  Asked<DeleteUser> deletion;
  deletion.id = anna;
  store().write(deletion);
  settle_without_workers();
  EXPECT_TRUE(deletion.succeeded());
  EXPECT_EQ(database.size(Family::personal_tokens), 0U);
  settle();
  EXPECT_EQ(database.size(Family::tokens), 0U);
}

TEST_F(BulkRevocationTest, ARevokedTokenIsNotFoundByItsId) {
  const Token token = issue_by(anna, bert);
  const TokenId id = store().id_of(token.locator);
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  settle_without_workers();
  Asked<FindToken> find;
  find.id = view_of(id);
  store(1).find_token(find);
  run_last_job();
  turn(1);
  EXPECT_TRUE(find.failed_with(Errc::not_found));
}

TEST_F(BulkRevocationTest, AtTheLimitOfIssuersOneMoreIsToldToWait) {
  readers.limit = 0;  // so that no floor ends
  for (std::size_t i = 0; i < kIssuerFloorsMax; ++i) {
    Asked<RevokeTokens> operation;
    ask(operation, UserId("issuer" + std::to_string(i)));
    settle_without_workers();
    ASSERT_TRUE(operation.succeeded()) << i;
  }
  Asked<RevokeTokens> one_more;
  ask(one_more, anna);
  settle_without_workers();
  EXPECT_TRUE(one_more.failed_with(Errc::full));
  EXPECT_EQ(database.size(Family::revocations), kIssuerFloorsMax);
  readers.limit = 1000;
  clock.now_ms += 100;  // the removal tries again
  settle();
  EXPECT_EQ(database.size(Family::revocations), 0U);
  revoke(anna);
}

TEST_F(BulkRevocationTest, AFloorForEveryoneTakesTheOthersAway) {
  readers.limit = 0;
  Asked<RevokeTokens> of_anna, of_all;
  ask(of_anna, anna);
  ask(of_all, {}, clock.now_ms + 1);
  settle();
  EXPECT_TRUE(of_anna.succeeded() && of_all.succeeded());
  EXPECT_EQ(database.size(Family::revocations), 1U);
  EXPECT_TRUE(database.has(Family::revocations, "everyone"));
}

TEST_F(BulkRevocationTest, AFloorThatDoesNotDecodeIsRefusedAtTheStart) {
  close();
  database.set(Family::revocations, "everyone", "x");
  auto opened = Committer::open({database, clock, committer_waker, random}, identity, options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::corrupt);
}

}  // namespace
}  // namespace tokend::store
