// What a page of the rest of a start is judged by.

#include "store/token_load.h"

#include <gtest/gtest.h>

#include <string>

namespace tokend::store {
namespace {

using Verdict = TokenLoad::Verdict;

Locator at(std::uint32_t sequence) { return Locator::make(1000, 3, sequence); }

User user_of(const std::string& id) {
  User user;
  user.id = UserId(id);
  return user;
}

class TokenLoadTest : public testing::Test {
 protected:
  TokenLoadTest() { load.begin(at(10), at(100'000'000)); }
  TokenLoad load;
  const UserId anna{"anna"};
};

TEST_F(TokenLoadTest, WhatNothingIsKnownOfIsAlive) {
  ASSERT_TRUE(load.begin_page());
  EXPECT_EQ(load.judge(anna, at(10)), Verdict::alive);
}

TEST_F(TokenLoadTest, ARemovedTokenIsDeadUntilThePageIsTaken) {
  for (const std::uint32_t sequence : {30U, 11U, 20U}) load.note_removed(at(sequence));
  ASSERT_TRUE(load.begin_page());
  for (std::uint32_t sequence = 10; sequence < 40; ++sequence) {
    const bool removed = sequence == 11 || sequence == 20 || sequence == 30;
    EXPECT_EQ(load.judge(anna, at(sequence)), removed ? Verdict::dead : Verdict::alive);
  }
  load.end_page(at(15));
  EXPECT_EQ(load.from(), at(15));
  ASSERT_TRUE(load.begin_page());
  EXPECT_EQ(load.judge(anna, at(20)), Verdict::alive) << "no page has it any more";
}

TEST_F(TokenLoadTest, APageIsReadAgainWhenMoreWasRemovedThanIsRemembered) {
  for (std::uint32_t i = 0; i < TokenLoad::kRemovedMax; ++i) load.note_removed(at(10 + i));
  // Neither taken before nor issued since: no page may have it.
  load.note_removed(at(9));
  load.note_removed(at(100'000'000));
  EXPECT_TRUE(load.begin_page());
  load.note_removed(at(99'999'999));
  EXPECT_FALSE(load.begin_page());
  load.end_page(load.from());
  EXPECT_EQ(load.from(), at(10));
  EXPECT_TRUE(load.begin_page());
}

TEST_F(TokenLoadTest, AUsersFloorsHoldWithTheirExceptionsUntilTheyRise) {
  User user = user_of("anna");
  user.valid_from = at(20);
  user.valid_exception = at(15);
  user.dated_from = at(30);
  user.dated_exception = at(25);
  load.note(user);
  ASSERT_TRUE(load.begin_page());
  EXPECT_EQ(load.judge(anna, at(15)), Verdict::dead) << "the exception of one floor only";
  EXPECT_EQ(load.judge(anna, at(19)), Verdict::dead);
  EXPECT_EQ(load.judge(anna, at(24)), Verdict::dead);
  EXPECT_EQ(load.judge(anna, at(25)), Verdict::alive);
  EXPECT_EQ(load.judge(anna, at(30)), Verdict::alive);
  EXPECT_EQ(load.judge(UserId("bert"), at(15)), Verdict::alive);
  load.end_page(at(12));
  user.dated_from = user.dated_exception = {};
  user.valid_from = at(40);
  load.note(user);
  EXPECT_EQ(load.judge(anna, at(39)), Verdict::dead);
  EXPECT_EQ(load.judge(anna, at(15)), Verdict::alive);
}

TEST_F(TokenLoadTest, ADeletedUsersTokensAreOrphaned) {
  load.note_deleted(anna);
  EXPECT_EQ(load.judge(anna, at(50)), Verdict::orphaned);
  load.note_removed(at(50));
  ASSERT_TRUE(load.begin_page());
  EXPECT_EQ(load.judge(anna, at(50)), Verdict::dead) << "gone already";
}

TEST_F(TokenLoadTest, KnowsManyUsers) {
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    User user = user_of("user" + std::to_string(i));
    if (i % 2 == 0) user.valid_from = at(i);
    load.note(user);
  }
  for (std::uint32_t i = 2; i < 100'000; ++i) {
    const UserId id("user" + std::to_string(i));
    ASSERT_EQ(load.judge(id, at(i)), Verdict::alive);
    ASSERT_EQ(load.judge(id, at(i - 1)), i % 2 == 0 ? Verdict::dead : Verdict::alive);
  }
}

}  // namespace
}  // namespace tokend::store
