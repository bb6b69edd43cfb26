// The rest of a start: tokens that are indexed while the store serves already (store/token_load.h),
// beside all that may happen to them meanwhile.

#include <gmock/gmock.h>

#include "store/meta.h"
#include "store/token_load.h"
#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LoadTest : public StoreFixture {
 protected:
  LoadTest() {
    anna = create("anna");
    for (int i = 0; i < 20; ++i) old.push_back(issue(anna));
  }

  // The first `loaded` records are indexed, the others wait for a worker.
  void restart_with(std::size_t loaded, std::size_t page = 3) {
    close();
    readers.jobs.clear();  // nobody works on for a store that has gone
    options.records_loaded_at_open_max = loaded;
    store_options.load_records_max = page;
    open();
  }
  // A page takes more rounds than one.
  void settle() {
    for (int i = 0; i < 4; ++i) StoreFixture::settle();
  }
  // A page is read, and not yet taken into the index.
  void read_page() { readers.run_all(); }
  void settle_without_workers() {
    for (int round = 0; round < 20; ++round) {
      while (step()) {
      }
      for (std::size_t core = 0; core < cores.size(); ++core) turn(core);
    }
  }
  [[nodiscard]] bool is_loaded() { return cores[0]->log.lines.size() == 1; }
  // Of a user who is known; empty also while they cannot be told.
  std::vector<Locator> list(const UserId& user) {
    Asked<CollectTokens> operation;
    operation.user = user;
    store().write(operation);
    settle_without_workers();
    EXPECT_TRUE(operation.succeeded());
    return operation.tokens;
  }
  bool authenticates_without_load(const std::string& token, std::size_t core = 0) {
    Asked<Authenticate> operation;
    operation.token = token;
    operation.user_id = anna.view();
    store(core).authenticate(operation);
    EXPECT_TRUE(operation.done());
    return operation.succeeded();
  }
  template <class Kind>
  void ask(Asked<Kind>& operation) {
    store(1).write(operation);
    settle_without_workers();
    EXPECT_TRUE(operation.succeeded());
  }
  // Without letting a worker work.
  Locator issue_meanwhile(const UserId& user) {
    Asked<IssueToken> operation;
    operation.user = operation.issuer = user;
    ask(operation);
    return operation.locator;
  }
  void revoke(const Locator& locator, const UserId& user) {
    Asked<RevokeToken> operation;
    operation.user = user;
    operation.locator = locator;
    ask(operation);
  }
  [[nodiscard]] std::vector<Locator> old_from(std::size_t first) const {
    std::vector<Locator> locators;
    for (std::size_t i = first; i < old.size(); ++i) locators.push_back(old[i].locator);
    return locators;
  }

  UserId anna;
  std::vector<Token> old;
};

TEST_F(LoadTest, ASmallStoreIsWholeWhenItServes) {
  restart_with(20);
  EXPECT_FALSE(committer->unindexed());
  EXPECT_THAT(readers.jobs, IsEmpty());
  EXPECT_EQ(list(anna), old_from(0));
  EXPECT_THAT(cores[0]->log.lines, IsEmpty());
}

TEST_F(LoadTest, ALargeOneServesFirstAndIsWholeLater) {
  restart_with(5);
  ASSERT_TRUE(committer->unindexed());
  EXPECT_EQ(committer->indexed_tokens(), 5U);
  EXPECT_EQ(readers.jobs.size(), 1U) << "one core loads, one page at a time";
  EXPECT_TRUE(authenticates_without_load(old[19].text));
  const Locator young = issue_meanwhile(anna);
  EXPECT_EQ(committer->indexed_tokens(), 6U);
  read_page();
  settle_without_workers();
  EXPECT_EQ(committer->indexed_tokens(), 9U);
  settle();
  EXPECT_EQ(committer->indexed_tokens(), 21U);
  std::vector<Locator> all = old_from(0);
  all.push_back(young);
  EXPECT_EQ(list(anna), all);
  EXPECT_THAT(cores[0]->log.lines, ElementsAre(HasSubstr("15 loaded in the background")));
  EXPECT_THAT(cores[1]->log.lines, IsEmpty());
  EXPECT_THAT(readers.jobs, IsEmpty());
}

TEST_F(LoadTest, ListsAreRefusedUntilItIsDone) {
  restart_with(5);
  Asked<CollectTokens> collect, of_nobody;
  Asked<ListTokens> page;
  collect.user = page.user = anna;
  of_nobody.user = UserId("nobody");
  store().write(collect);
  store().write(of_nobody);
  store(1).list_tokens(page);
  settle_without_workers();
  EXPECT_TRUE(collect.failed_with(Errc::full));
  EXPECT_TRUE(page.failed_with(Errc::full));
  EXPECT_TRUE(of_nobody.failed_with(Errc::not_found));
  settle();
  EXPECT_EQ(list(anna).size(), 20U);
}

TEST_F(LoadTest, TheLimitHoldsAtTheEndWhateverCameBefore) {
  options.tokens_per_user_max = 10;
  restart_with(0);
  std::vector<Locator> young;
  for (int i = 0; i < 7; ++i) young.push_back(issue_meanwhile(anna));
  read_page();
  settle_without_workers();
  for (int i = 0; i < 2; ++i) young.push_back(issue_meanwhile(anna));
  EXPECT_EQ(database.size(Family::tokens), 27U) << "three loaded ones and nine, so two of 29 went";
  settle();
  std::vector<Locator> newest{old[19].locator};
  newest.insert(newest.end(), young.begin(), young.end());
  EXPECT_EQ(list(anna), newest);
  EXPECT_EQ(database.size(Family::tokens), 10U);
  for (std::size_t i = 0; i < 19; ++i) EXPECT_FALSE(authenticates_anywhere(old[i].text, anna));
  EXPECT_TRUE(authenticates_anywhere(old[19].text, anna));
}

TEST_F(LoadTest, EveryCacheDropsWhatAPageDisplaces) {
  options.tokens_per_user_max = 10;
  restart_with(0, 100);
  EXPECT_TRUE(authenticates_without_load(old[0].text, 0));
  EXPECT_TRUE(authenticates_without_load(old[0].text, 1));
  read_page();
  turn(0);
  while (step()) {
  }
  turn(0);
  EXPECT_THAT(cores[0]->log.lines, IsEmpty()) << "the other core has not heard of it";
  turn(1);
  turn(0);
  EXPECT_TRUE(is_loaded());
  EXPECT_FALSE(authenticates_anywhere(old[0].text, anna));
}

TEST_F(LoadTest, WhatIsRevokedWhileItsPageIsUnderWayDoesNotComeBack) {
  restart_with(5);
  read_page();
  revoke(old[6].locator, anna);   // of the page
  revoke(old[15].locator, anna);  // of a later one
  revoke(old[2].locator, anna);   // loaded
  const Locator young = issue_meanwhile(anna);
  revoke(young, anna);
  settle();
  std::vector<Locator> left = old_from(0);
  std::erase_if(left, [&](const Locator& locator) {
    return locator == old[6].locator || locator == old[15].locator || locator == old[2].locator;
  });
  EXPECT_EQ(list(anna), left);
  EXPECT_EQ(committer->indexed_tokens(), 17U);
}

TEST_F(LoadTest, APageThatIsReadBeforeARevocationIsDurableDoesNotBringItBack) {
  restart_with(5);
  bool disk_is_done = false;
  database.disk_is_done = [&] { return disk_is_done; };
  Asked<RevokeToken> revocation;
  revocation.user = anna;
  revocation.locator = old[6].locator;
  store(1).write(revocation);
  EXPECT_TRUE(step());
  read_page();
  turn(0);
  while (step()) {
  }
  disk_is_done = true;
  settle();
  EXPECT_TRUE(revocation.succeeded());
  EXPECT_EQ(list(anna).size(), 19U);
  EXPECT_EQ(committer->indexed_tokens(), 19U);
}

TEST_F(LoadTest, RevokingAllKeepsTheExceptionAndWhatComesLater) {
  restart_with(5);
  read_page();
  Asked<UpdateUser> revocation;
  revocation.id = anna;
  revocation.revoke_tokens = true;
  revocation.revoke_except = old[18].locator;
  ask(revocation);
  const Locator young = issue_meanwhile(anna);
  EXPECT_EQ(committer->indexed_tokens(), 1U);
  settle();
  EXPECT_THAT(list(anna), ElementsAre(old[18].locator, young));
  EXPECT_EQ(committer->indexed_tokens(), 2U);
}

TEST_F(LoadTest, FloorsFromBeforeTheStartHold) {
  Asked<UpdateUser> revocation;
  revocation.id = anna;
  revocation.revoke_tokens = revocation.revoke_dated_only = true;
  revocation.revoke_except = old[18].locator;
  ask(revocation);
  const Token later = issue(anna);
  restart_with(5);
  settle();
  EXPECT_THAT(list(anna), ElementsAre(old[18].locator, later.locator));
}

TEST_F(LoadTest, ADeactivatedUserGetsNothingBack) {
  restart_with(5);
  read_page();
  Asked<UpdateUser> closing, opening;
  closing.id = opening.id = anna;
  closing.active = false;
  opening.active = true;
  ask(closing);
  Asked<IssueToken> refused;
  refused.user = anna;
  store().write(refused);
  settle();
  EXPECT_TRUE(refused.failed_with(Errc::refused));
  EXPECT_EQ(committer->indexed_tokens(), 0U);
  ask(opening);
  EXPECT_THAT(list(anna), IsEmpty());
}

TEST_F(LoadTest, ADeletedUsersTokensGoWhenTheyAreFound) {
  const Token roots = issue(root);
  restart_with(5);
  read_page();
  Asked<DeleteUser> deletion;
  deletion.id = anna;
  ask(deletion);
  EXPECT_EQ(database.size(Family::tokens), 13U) << "the five that were known and the page";
  settle();
  EXPECT_EQ(database.size(Family::tokens), 1U);
  EXPECT_EQ(committer->indexed_tokens(), 1U);
  EXPECT_TRUE(authenticates(roots.text, root));
}

TEST_F(LoadTest, ExpiredTokensAreLeftOut) {
  static_cast<void>(issue(anna, 0, 1000));
  static_cast<void>(issue(anna, 0, 5000));
  restart_with(5);
  clock.now_ms += 2000;
  settle();
  // The first page has taken so long that the next one is not asked for at once.
  EXPECT_LT(committer->indexed_tokens(), 21U);
  clock.now_ms += kLoadRestMsMax - 1;
  settle();
  EXPECT_LT(committer->indexed_tokens(), 21U);
  clock.now_ms += 1;
  settle();
  EXPECT_EQ(committer->indexed_tokens(), 21U);
}

TEST_F(LoadTest, WhatWasRevokedInBulkMeanwhileIsRemovedAndNotIndexed) {
  const Token roots = issue(root);
  restart_with(5);
  read_page();
  Asked<RevokeTokens> revocation;
  revocation.issuer = anna;
  ask(revocation);
  const Locator young = issue_meanwhile(anna);
  settle();
  EXPECT_THAT(list(anna), ElementsAre(young));
  EXPECT_THAT(list(root), ElementsAre(roots.locator));
  EXPECT_EQ(committer->indexed_tokens(), 2U);
  EXPECT_EQ(database.size(Family::tokens), 2U);
  EXPECT_EQ(database.size(Family::revocations), 0U);
}

TEST_F(LoadTest, FloorsThatAFormerLifeLeftStayUntilAllTheyRevokeIsRemoved) {
  static_cast<void>(issue_personal(root, "first"));
  const Token last = issue_personal(anna, "second");
  Asked<RevokeTokens> revocation;
  revocation.before_ms = clock.now_ms + 1;
  ask(revocation);
  ASSERT_EQ(database.size(Family::revocations), 1U);
  restart_with(5);
  EXPECT_EQ(database.size(Family::revocations), 1U);
  EXPECT_EQ(database.size(Family::personal_tokens), 0U);
  EXPECT_FALSE(authenticates_without_load(old[19].text));
  EXPECT_FALSE(authenticates_without_load(last.text));
  const Locator young = issue_meanwhile(anna);
  settle();
  EXPECT_EQ(database.size(Family::revocations), 0U);
  EXPECT_EQ(database.size(Family::tokens), 1U);
  EXPECT_THAT(list(anna), ElementsAre(young));
}

TEST_F(LoadTest, APageIsReadAgainWhenTooMuchIsRevokedMeanwhile) {
  restart_with(5);
  read_page();
  // Only the first of them is a token that there is; the others may have been.
  const Locator in_page = old[6].locator;
  std::vector<std::unique_ptr<Asked<RevokeToken>>> revocations;
  for (std::uint32_t i = 0; i <= TokenLoad::kRemovedMax; ++i) {
    auto& revocation = revocations.emplace_back(std::make_unique<Asked<RevokeToken>>());
    revocation->user = anna;
    revocation->locator = i == 0 ? in_page : old[19].locator;
    store(1).write(*revocation);
  }
  while (step()) {
  }
  turn(0);
  turn(1);
  settle_without_workers();
  EXPECT_EQ(committer->indexed_tokens(), 5U) << "nothing of the page was taken";
  settle();
  EXPECT_EQ(committer->indexed_tokens(), 18U);
  EXPECT_EQ(list(anna).size(), 18U);
}

TEST_F(LoadTest, IsTakenUpAgainWhenReadersAreBusyOrFail) {
  const std::size_t tick_ms = core::TimerWheel::kTickNs / core::kNanosecondsPerMillisecond;
  const auto pass = [&](std::size_t milliseconds) {
    clock.now_ms += static_cast<std::int64_t>(milliseconds + tick_ms);
    settle();
  };
  restart_with(5);
  readers.limit = 0;
  settle();
  EXPECT_EQ(committer->indexed_tokens(), 8U);
  readers.limit = 1000;
  database.fail_reads(Family::tokens, true);
  pass(50);
  EXPECT_THAT(cores[0]->log.lines, ElementsAre(HasSubstr("again in 1000 ms")));
  pass(1000);
  database.fail_reads(Family::tokens, false);
  EXPECT_THAT(cores[0]->log.lines, ElementsAre(HasSubstr("1000 ms"), HasSubstr("2000 ms")));
  pass(2000);
  EXPECT_EQ(list(anna), old_from(0));
}

TEST_F(LoadTest, ARecordThatDoesNotDecodeIsToldOfAndLeftOut) {
  static_cast<void>(issue(root));
  restart_with(5);
  database.set(Family::tokens, view_of(old[10].locator), "nonsense");
  settle();
  EXPECT_EQ(committer->indexed_tokens(), 20U);
  EXPECT_THAT(cores[0]->log.lines, ElementsAre(HasSubstr("15 loaded"), HasSubstr("index: 1")));
}

TEST_F(LoadTest, ARestartInTheMiddleBeginsAgain) {
  restart_with(5);
  read_page();
  settle_without_workers();
  const Locator young = issue_meanwhile(anna);
  restart_with(7);
  EXPECT_EQ(committer->indexed_tokens(), 7U);
  settle();
  EXPECT_EQ(committer->indexed_tokens(), 21U);
  EXPECT_EQ(list(anna).back(), young);
}

TEST_F(LoadTest, EndsWhenNothingIsWrittenAnyMore) {
  restart_with(5);
  database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  Asked<IssueToken> failing;
  failing.user = anna;
  store().write(failing);
  settle();
  EXPECT_TRUE(failing.failed_with(Errc::unavailable));
  EXPECT_THAT(readers.jobs, IsEmpty());
  EXPECT_THAT(cores[0]->log.lines, IsEmpty());
}

TEST_F(LoadTest, TheAuditTellsNoCountThatIsNotWhole) {
  restart_with(5);
  Asked<UpdateUser> early, late;
  early.id = late.id = anna;
  early.revoke_tokens = late.revoke_tokens = true;
  ask(early);
  settle();
  static_cast<void>(issue(anna));
  ask(late);
  std::vector<std::uint32_t> counts;
  ASSERT_TRUE(database.scan(Family::audit, {}, [&](std::string_view, std::string_view value) {
    const auto record = decode_audit_record(value);
    if (record && record->event == AuditEvent::tokens_revoke) counts.push_back(record->count);
    return true;
  }));
  EXPECT_THAT(counts, ElementsAre(0U, 1U));
}

}  // namespace
}  // namespace tokend::store
