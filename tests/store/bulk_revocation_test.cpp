// Revoking all that an issuer issued, or everything before a moment, by one write
// (store/revocation_floors.h).

#include <gmock/gmock.h>

#include "store/cache_sweep.h"
#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;
using testing::ElementsAre;
using testing::IsEmpty;

class AdmitsAll final : public MissGuard {
 public:
  bool admits(const RevocationFloors&, const Locator&, const TokenRecord&) const noexcept override {
    return true;
  }
};

class BulkRevocationTest : public StoreFixture {
 protected:
  BulkRevocationTest() { make_users(); }
  void make_users() {
    anna = create("anna");
    bert = create("bert");
  }
  Token issue_by(const UserId& issuer, const UserId& user, std::size_t core = 0) {
    Asked<IssueToken> operation;
    operation.user = user;
    operation.issuer = issuer;
    const Token token = issued_by(operation, core);
    for (std::size_t each = 0; each < cores.size(); ++each) {
      EXPECT_TRUE(authenticates(token.text, user, each));
    }
    return token;
  }
  void ask(Asked<RevokeTokens>& operation, const UserId& issuer,
           std::optional<std::int64_t> before_ms = std::nullopt, std::size_t core = 0) {
    operation.issuer = issuer;
    operation.before_ms = before_ms;
    store(core).write(operation);
  }
  void revoke(const UserId& issuer, std::optional<std::int64_t> before_ms = std::nullopt) {
    Asked<RevokeTokens> operation;
    ask(operation, issuer, before_ms);
    settle();
    EXPECT_TRUE(operation.succeeded());
  }
  // Until it is answered, and before a worker looks for what is left.
  void settle_without_workers() {
    for (int round = 0; round < 20; ++round) {
      while (committer->step()) {
      }
      for (std::size_t core = 0; core < cores.size(); ++core) turn(core);
    }
  }
  std::vector<Locator> listed(const UserId& user, std::size_t* total = nullptr,
                              std::size_t offset = 0, std::size_t count = 50) {
    Asked<ListTokens> operation;
    operation.user = user;
    operation.offset = offset;
    operation.count = count;
    store(1).list_tokens(operation);
    // Only this job: the removal's stay where they are.
    while (committer->step()) {
    }
    turn(1);
    for (Job* job : {readers.jobs.empty() ? nullptr : readers.jobs.back()}) {
      if (!job || operation.done()) continue;
      readers.jobs.pop_back();
      job->run(*job);
    }
    turn(1);
    EXPECT_TRUE(operation.succeeded());
    if (total) *total = operation.total;
    std::vector<Locator> locators;
    for (const auto& token : operation.tokens) locators.push_back(token.locator);
    return locators;
  }

  UserId anna, bert;
};

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
  static_cast<void>(issue_by(anna, bert));
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  ASSERT_TRUE(committer->step());
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
  revoke({}, clock.now_ms + 1);
  readers.jobs.clear();
  clock.now_ms += 2000;
  restart();
  clock.now_ms -= 1500;
  EXPECT_FALSE(authenticates_anywhere(token.text, bert));
}

TEST_F(BulkRevocationTest, WhoWasAdmittedByAnEndedTokenIsIssuedNothingMore) {
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
  EXPECT_THAT(listed(bert, &total, 3, 5), IsEmpty());
  EXPECT_EQ(total, 3U);
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
  Job* job = readers.jobs.back();
  readers.jobs.pop_back();
  job->run(*job);
  turn(1);
  EXPECT_TRUE(list.succeeded());
  EXPECT_THAT(list.tokens, IsEmpty());
  EXPECT_EQ(database.size(Family::personal_tokens), 1U);
  settle();
  EXPECT_EQ(database.size(Family::personal_tokens), 0U);
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
  Job* job = readers.jobs.back();
  readers.jobs.pop_back();
  job->run(*job);
  turn(1);
  EXPECT_TRUE(find.failed_with(Errc::not_found));
}

TEST_F(BulkRevocationTest, AFurtherOneMeanwhileIsRemovedTooAndItsFloorEnds) {
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

TEST_F(BulkRevocationTest, IsRemovedInTripsOfABoundedSize) {
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

TEST_F(BulkRevocationTest, BusyReadersPutTheRemovalOff) {
  static_cast<void>(issue_by(anna, bert));
  readers.limit = 0;
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  settle();
  EXPECT_TRUE(operation.succeeded());
  EXPECT_EQ(database.size(Family::tokens), 1U);
  readers.limit = 1000;
  settle();
  EXPECT_EQ(database.size(Family::tokens), 0U);
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

// ---- Races ----

// A read that a worker makes before the revocation, or in front of the removal, and that comes home
// late.
class BulkReadThatIsOvertaken : public BulkRevocationTest {
 protected:
  core::MessageList hold_a_read(Asked<Authenticate>& early, const Token& token) {
    early.token = token.text;
    early.user_id = bert.view();
    store(0).authenticate(early);
    readers.run_all();
    return cores[0]->mailbox.take();
  }
  void deliver(core::MessageList held) {
    while (core::Message* message = held.pop_front()) message->deliver(*message);
  }
};

TEST_F(BulkReadThatIsOvertaken, ByTheRevocationDoesNotFillTheCache) {
  const Token token = issue_by(anna, bert);
  restart();
  database.memory_knows = [](Family, std::string_view) { return false; };
  Asked<Authenticate> early;
  core::MessageList held = hold_a_read(early, token);
  Asked<RevokeTokens> operation;
  ask(operation, anna, std::nullopt, 1);
  // Core 0 acknowledges, and its worker is not asked yet for what to remove.
  settle_without_workers();
  ASSERT_TRUE(operation.succeeded());
  deliver(std::move(held));
  settle_without_workers();
  EXPECT_FALSE(early.succeeded());
  EXPECT_EQ(store(0).counters().guarded_fills, 1U);
  EXPECT_FALSE(authenticates(token.text, bert, 0));
}

TEST_F(BulkReadThatIsOvertaken, ByTheRemovalAndTheEndOfTheFloorDoesNotFillTheCache) {
  const Token token = issue_by(anna, bert);
  restart();
  database.memory_knows = [](Family, std::string_view) { return false; };
  Asked<Authenticate> early;
  core::MessageList held = hold_a_read(early, token);
  revoke(anna);
  ASSERT_EQ(database.size(Family::revocations), 0U);
  deliver(std::move(held));
  settle();
  EXPECT_FALSE(early.succeeded());
  EXPECT_FALSE(authenticates(token.text, bert, 0));
}

TEST_F(BulkReadThatIsOvertaken, ARecordThatIsStillThereFillsNoCache) {
  const Token token = issue_by(anna, bert);
  restart();
  readers.limit = 0;  // nothing is removed
  revoke(anna);
  EXPECT_FALSE(authenticates_anywhere(token.text, bert)) << "from the database's memory";
  readers.limit = 1000;
  database.memory_knows = [](Family, std::string_view) { return false; };
  Asked<Authenticate> late;
  late.token = token.text;
  late.user_id = bert.view();
  store(1).authenticate(late);
  ASSERT_FALSE(readers.jobs.empty());
  Job* job = readers.jobs.back();
  readers.jobs.pop_back();
  job->run(*job);
  turn(1);
  EXPECT_TRUE(late.failed_with(Errc::not_found)) << "from the disk";
}

TEST_F(BulkReadThatIsOvertaken, WouldFillItIfNoFloorWereAsked) {
  AdmitsAll none;
  const Token token = issue_by(anna, bert);
  close();
  guard = &none;
  open();
  readers.limit = 0;
  revoke(anna);
  EXPECT_TRUE(authenticates(token.text, bert, 1));
  close();
}

// ---- The sweep of a cache that takes more than a turn ----

class BulkRevocationOfALargeCache : public BulkRevocationTest {
 protected:
  BulkRevocationOfALargeCache() {
    close();
    store_options.token_cache_entries = 3 * CacheSweep::kSetsPerTurn * SetTable<int>::kWays;
    cores_count = 1;
    open();
  }
  static constexpr std::size_t kTurns = 4;  // rounded up to a power of two
};

TEST_F(BulkRevocationOfALargeCache, IsAnsweredWhenAllOfItWasSwept) {
  const Token token = issue_by(anna, bert);
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  ASSERT_TRUE(committer->step());
  for (std::size_t i = 0; i < kTurns; ++i) {
    EXPECT_EQ(operation.times_done, 0) << i;
    turn(0);
  }
  turn(0);
  EXPECT_TRUE(operation.succeeded());
  EXPECT_FALSE(authenticates(token.text, bert));
}

TEST_F(BulkRevocationOfALargeCache, OneThatComesDuringASweepIsAnsweredOneRoundLater) {
  const Token by_anna = issue_by(anna, bert), by_root = issue_by(root, bert);
  Asked<RevokeTokens> first, second;
  ask(first, anna);
  ASSERT_TRUE(committer->step());
  turn(0);
  turn(0);
  ask(second, root);
  ASSERT_TRUE(committer->step());
  for (std::size_t i = 0; i < kTurns - 2; ++i) turn(0);
  turn(0);
  EXPECT_TRUE(first.succeeded());
  EXPECT_EQ(second.times_done, 0);
  EXPECT_FALSE(authenticates(by_anna.text, bert));
  settle();
  EXPECT_TRUE(second.succeeded());
  EXPECT_FALSE(authenticates(by_root.text, bert));
}

TEST_F(BulkRevocationOfALargeCache, OtherIssuersTokensStayInIt) {
  const Token by_anna = issue_by(anna, bert), by_root = issue_by(root, bert);
  revoke(anna);
  const auto misses = store().counters().token_misses;
  EXPECT_TRUE(authenticates(by_root.text, bert));
  EXPECT_EQ(store().counters().token_misses, misses);
  EXPECT_FALSE(authenticates(by_anna.text, bert));
}

}  // namespace
}  // namespace tokend::store
