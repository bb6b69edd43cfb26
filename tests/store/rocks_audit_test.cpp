// How long the audit is kept on the disk, and that it can be off. That issued tokens are there
// whatever becomes of them, rocks_tail_test.cpp says at every step.

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "store/meta.h"
#include "tests/store/rocks_fixture.h"

namespace tokend::store {
namespace {

constexpr std::int64_t kHourMs = 3600 * 1000;
constexpr std::int64_t kDayMs = 24 * kHourMs;

class RocksAuditTest : public RocksTest {
 protected:
  // What is kept beyond it, for clocks that are wrong, is the first of these ten days.
  RocksAuditTest() {
    options.audit_retention_ms = 9 * kDayMs;
    options.expired_kept_ms = kDayMs;
  }

  static std::string key_at(std::int64_t ms) {
    return std::string(view_of(Locator::make(ms, 1, 7)));
  }
  void record(std::int64_t at_ms) {
    put(Family::tokens, key_at(at_ms), token_expiring(kNeverExpires));
    put(Family::audit, key_at(at_ms + 1), "record");
  }
  // Of all that is in the tail, and of nothing else: an end hands it over.
  void make_tables() { open(); }
  std::vector<std::int64_t> times(Family family) {
    std::vector<std::int64_t> found;
    EXPECT_TRUE(database->scan(family, {}, [&](std::string_view key, std::string_view) {
      found.push_back(locator_from(key)->issued_ms());
      return true;
    }));
    return found;
  }
};

TEST_F(RocksAuditTest, WhatIsOlderThanItsRetentionIsForgotten) {
  open();
  const std::int64_t start = clock.now_ms;
  record(start);
  make_tables();
  record(start + kDayMs);
  make_tables();
  clock.now_ms = start + 10 * kDayMs;
  ASSERT_TRUE(database->forget_old_audit());
  EXPECT_EQ(times(Family::issuances), (std::vector{start, start + kDayMs})) << "to the day";
  EXPECT_EQ(times(Family::audit), (std::vector{start + 1, start + kDayMs + 1}));
  clock.now_ms = start + 10 * kDayMs + 1;
  ASSERT_TRUE(database->forget_old_audit());
  EXPECT_EQ(times(Family::issuances), (std::vector{start + kDayMs}));
  EXPECT_EQ(times(Family::audit), (std::vector{start + 1, start + kDayMs + 1}));
  clock.now_ms = start + 11 * kDayMs + 2;
  ASSERT_TRUE(database->forget_old_audit());
  EXPECT_TRUE(times(Family::issuances).empty());
  EXPECT_TRUE(times(Family::audit).empty());
  EXPECT_EQ(times(Family::tokens), (std::vector{start, start + kDayMs}));
  open();
  EXPECT_TRUE(times(Family::issuances).empty());
  EXPECT_TRUE(times(Family::audit).empty());
}

TEST_F(RocksAuditTest, WhatStandsInATableWithYoungerOnesStaysUntilTheyAreOld) {
  open();
  const std::int64_t start = clock.now_ms;
  record(start);
  record(start + 5 * kDayMs);
  make_tables();
  clock.now_ms = start + 12 * kDayMs;
  ASSERT_TRUE(database->forget_old_audit());
  EXPECT_EQ(times(Family::issuances).size(), 2U);
  EXPECT_EQ(times(Family::audit), (std::vector{start + 5 * kDayMs + 1}));
  clock.now_ms = start + 16 * kDayMs;
  ASSERT_TRUE(database->forget_old_audit());
  EXPECT_TRUE(times(Family::issuances).empty());
}

TEST_F(RocksAuditTest, AStoreThatIsOpenForgetsByItself) {
  open();
  record(clock.now_ms);
  make_tables();
  clock.now_ms += 11 * kDayMs;
  options.idempotency_rewrite_after_s = 24;  // so the keeper looks every second
  open();
  usleep(100'000);
  EXPECT_FALSE(times(Family::issuances).empty()) << "the clock may still be set right";
  clock.now_ms += kHourMs;
  for (int waited = 0; waited < 500 && !times(Family::issuances).empty(); ++waited) usleep(10'000);
  EXPECT_TRUE(times(Family::issuances).empty());
}

TEST_F(RocksAuditTest, WithoutLimitNothingIsForgotten) {
  options.audit_retention_ms = kAuditKeptForEver;
  open();
  record(1);
  make_tables();
  clock.now_ms += 10'000 * kDayMs;
  ASSERT_TRUE(database->forget_old_audit());
  EXPECT_EQ(times(Family::issuances).size(), 1U);
  EXPECT_EQ(times(Family::audit).size(), 1U);
}

TEST_F(RocksAuditTest, SwitchedOffItKeepsNothing) {
  open();
  record(clock.now_ms);
  make_tables();
  options.audit_retention_ms = 0;
  clock.now_ms += 2;
  open();
  put(Family::tokens, key_at(clock.now_ms), token_expiring(kNeverExpires));
  make_tables();
  ASSERT_TRUE(database->forget_old_audit());
  EXPECT_TRUE(times(Family::issuances).empty());
  EXPECT_TRUE(times(Family::audit).empty());
  EXPECT_EQ(times(Family::tokens).size(), 2U);
}

}  // namespace
}  // namespace tokend::store
