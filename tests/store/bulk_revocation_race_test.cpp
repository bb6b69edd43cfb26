// Revoking in bulk while reads are under way and while a cache is swept that takes more than a
// turn.

#include <gtest/gtest.h>

#include <utility>

#include "store/cache_sweep.h"
#include "tests/store/bulk_revocation_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

class AdmitsAll final : public MissGuard {
 public:
  bool admits(const RevocationFloors&, const Locator&, const TokenRecord&) const noexcept override {
    return true;
  }
};

// A read that a worker makes before the revocation, or in front of the removal, and that comes home
// late.
class BulkReadThatIsOvertaken : public BulkRevocationFixture {
 protected:
  core::MessageList hold_a_read(Asked<Authenticate>& early, const Token& token) {
    early.token = token.text;
    early.user_id = bert.view();
    store(0).authenticate(early);
    return hold_answer(0);
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
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  settle_without_workers();
  ASSERT_TRUE(operation.succeeded());
  // Behind the floor, which moved the epochs too, and in front of the removal.
  Asked<Authenticate> early;
  core::MessageList held = hold_a_read(early, token);
  settle();
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
  run_last_job();
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

class BulkRevocationOfALargeCache : public BulkRevocationFixture {
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
  without_shards();
  const Token token = issue_by(anna, bert);
  Asked<RevokeTokens> operation;
  ask(operation, anna);
  ASSERT_TRUE(step());
  for (std::size_t i = 0; i < kTurns; ++i) {
    EXPECT_EQ(operation.times_done, 0) << i;
    turn(0);
  }
  turn(0);
  EXPECT_TRUE(operation.succeeded());
  EXPECT_FALSE(authenticates(token.text, bert));
}

TEST_F(BulkRevocationOfALargeCache, OneThatComesDuringASweepIsAnsweredOneRoundLater) {
  without_shards();
  const Token by_anna = issue_by(anna, bert), by_root = issue_by(root, bert);
  Asked<RevokeTokens> first, second;
  ask(first, anna);
  ASSERT_TRUE(step());
  turn(0);
  turn(0);
  ask(second, root);
  ASSERT_TRUE(step());
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
  const std::uint64_t misses = store().counters().token_misses;
  EXPECT_TRUE(authenticates(by_root.text, bert));
  EXPECT_EQ(store().counters().token_misses, misses);
  EXPECT_FALSE(authenticates(by_anna.text, bert));
}

}  // namespace
}  // namespace tokend::store
