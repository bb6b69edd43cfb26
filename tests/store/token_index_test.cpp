#include "store/token_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "store/locator_source.h"

namespace tokend::store {
namespace {

Locator at(std::uint32_t sequence) { return Locator::make(1000, 3, sequence); }
const UserId kUser("user");

TEST(TokenIndex, KeepsExactlyTheNewestFifty) {
  TokenIndex index({50, 1000, 1000}, 3);
  ASSERT_TRUE(index.learn(kUser, TokenIndex::UserState::open));
  std::vector<Locator> dropped;
  for (std::uint32_t i = 1; i <= 120; ++i) ASSERT_TRUE(index.add(kUser, at(i), 9000, 0, dropped));
  EXPECT_EQ(index.tokens_of(kUser), 50U);
  ASSERT_EQ(dropped.size(), 70U);
  for (std::uint32_t i = 0; i < 70; ++i) EXPECT_EQ(dropped[i], at(i + 1));
}

TEST(TokenIndex, AnExpiredTokenMakesRoomBeforeALiveOneGoes) {
  TokenIndex index({2, 1000, 1000}, 3);
  ASSERT_TRUE(index.learn(kUser, TokenIndex::UserState::open));
  std::vector<Locator> dropped;
  ASSERT_TRUE(index.add(kUser, at(1), 9000, 0, dropped));
  ASSERT_TRUE(index.add(kUser, at(2), 500, 0, dropped));
  ASSERT_TRUE(index.add(kUser, at(3), 9000, 500, dropped));
  EXPECT_TRUE(dropped.empty());
  EXPECT_EQ(index.tokens(), 2U);
}

TEST(TokenIndex, AMillisecondBeforeItsExpiryATokenIsAlive) {
  TokenIndex index({2, 1000, 1000}, 3);
  ASSERT_TRUE(index.learn(kUser, TokenIndex::UserState::open));
  std::vector<Locator> dropped;
  ASSERT_TRUE(index.add(kUser, at(1), 9000, 0, dropped));
  ASSERT_TRUE(index.add(kUser, at(2), 500, 0, dropped));
  ASSERT_TRUE(index.add(kUser, at(3), 9000, 499, dropped));
  EXPECT_EQ(dropped, std::vector<Locator>{at(1)});
}

TEST(TokenIndex, ALargeLocatorComesBackWhole) {
  TokenIndex index({1, 1000, 1000}, 3);
  ASSERT_TRUE(index.learn(kUser, TokenIndex::UserState::open));
  std::vector<Locator> dropped;
  const Locator large = Locator::make(0x7edcba987654, 3, 0xfedcba98);
  ASSERT_TRUE(index.add(kUser, large, kNeverExpires, 0, dropped));
  index.erase(kUser, dropped);
  EXPECT_EQ(dropped, std::vector<Locator>{large});
}

TEST(TokenIndex, RefusesAtItsLimits) {
  TokenIndex index({50, 2, 2}, 3);
  std::vector<Locator> dropped;
  ASSERT_TRUE(index.learn(UserId("a"), TokenIndex::UserState::open));
  ASSERT_TRUE(index.learn(UserId("b"), TokenIndex::UserState::open));
  EXPECT_FALSE(index.learn(UserId("c"), TokenIndex::UserState::open));
  EXPECT_TRUE(index.learn(UserId("a"), TokenIndex::UserState::open));
  ASSERT_TRUE(index.add(UserId("a"), at(1), 9000, 0, dropped));
  ASSERT_TRUE(index.add(UserId("a"), at(2), 9000, 0, dropped));
  EXPECT_FALSE(index.add(UserId("b"), at(3), 9000, 0, dropped));
  index.remove(UserId("a"), at(1));
  EXPECT_TRUE(index.add(UserId("b"), at(3), 9000, 0, dropped));
}

TEST(TokenIndex, RevokingAllKeepsOnlyTheException) {
  TokenIndex index({50, 1000, 1000}, 3);
  ASSERT_TRUE(index.learn(kUser, TokenIndex::UserState::open));
  std::vector<Locator> dropped;
  for (std::uint32_t i = 1; i <= 9; ++i) ASSERT_TRUE(index.add(kUser, at(i), 9000, 0, dropped));
  index.remove_all_but(kUser, at(4));
  EXPECT_EQ(index.tokens_of(kUser), 1U);
  index.remove_all_but(kUser, {});
  EXPECT_EQ(index.tokens(), 0U);
}

TEST(TokenIndex, WhatIsInsertedTakesItsPlaceAmongNewerAndOlderOnes) {
  TokenIndex index({50, 1000, 1000}, 3);
  std::vector<Locator> dropped, listed;
  ASSERT_TRUE(index.learn(kUser, TokenIndex::UserState::closed));
  ASSERT_TRUE(index.add(kUser, at(5), 9000, 0, dropped));
  ASSERT_TRUE(index.add(kUser, at(7), 9000, 0, dropped));
  for (const std::uint32_t sequence : {1U, 3U, 6U, 8U}) {
    index.insert(kUser, at(sequence), 9000, 0, dropped);
  }
  index.list(kUser, 0, listed);
  EXPECT_EQ(listed, (std::vector<Locator>{at(1), at(3), at(5), at(6), at(7), at(8)}));
  EXPECT_TRUE(dropped.empty());
  EXPECT_EQ(index.tokens(), 6U);
  EXPECT_EQ(index.state_of(kUser), TokenIndex::UserState::closed);
  index.insert(UserId("another"), at(2), 9000, 0, dropped);
  EXPECT_EQ(index.state_of(UserId("another")), TokenIndex::UserState::unknown);
  EXPECT_EQ(index.tokens_of(UserId("another")), 1U);
}

TEST(TokenIndex, AnInsertedTokenDisplacesTheOldestWhichMayBeItself) {
  TokenIndex index({3, 1000, 1000}, 3);
  std::vector<Locator> dropped, listed;
  ASSERT_TRUE(index.learn(kUser, TokenIndex::UserState::open));
  index.insert(kUser, at(1), 9000, 0, dropped);
  index.insert(kUser, at(2), 9000, 0, dropped);
  ASSERT_TRUE(index.add(kUser, at(10), 9000, 0, dropped));
  index.insert(kUser, at(3), 9000, 0, dropped);
  EXPECT_EQ(dropped, std::vector<Locator>{at(1)});
  ASSERT_TRUE(index.add(kUser, at(11), 9000, 0, dropped));
  ASSERT_TRUE(index.add(kUser, at(12), 9000, 0, dropped));
  dropped.clear();
  index.insert(kUser, at(4), 9000, 0, dropped);
  EXPECT_EQ(dropped, std::vector<Locator>{at(4)});
  index.list(kUser, 0, listed);
  EXPECT_EQ(listed, (std::vector<Locator>{at(10), at(11), at(12)}));
  EXPECT_EQ(index.tokens(), 3U);
}

TEST(TokenIndex, AnExpiredTokenMakesRoomForAnInsertedOne) {
  TokenIndex index({2, 1000, 1000}, 3);
  std::vector<Locator> dropped, listed;
  ASSERT_TRUE(index.learn(kUser, TokenIndex::UserState::open));
  ASSERT_TRUE(index.add(kUser, at(5), 500, 0, dropped));
  ASSERT_TRUE(index.add(kUser, at(6), 9000, 0, dropped));
  index.insert(kUser, at(1), 9000, 500, dropped);
  EXPECT_TRUE(dropped.empty());
  index.list(kUser, 0, listed);
  EXPECT_EQ(listed, (std::vector<Locator>{at(1), at(6)}));
}

TEST(TokenIndex, WhatIsInsertedCountsWhereTheLimitsAreReached) {
  TokenIndex index({50, 2, 1}, 3);
  std::vector<Locator> dropped;
  for (std::uint32_t i = 1; i <= 3; ++i) {
    index.insert(UserId("u" + std::to_string(i)), at(i), 9000, 0, dropped);
  }
  EXPECT_EQ(index.tokens(), 3U);
  EXPECT_EQ(index.users(), 3U);
  EXPECT_FALSE(index.add(UserId("u1"), at(4), 9000, 0, dropped));
  EXPECT_FALSE(index.learn(UserId("u4"), TokenIndex::UserState::open));
  EXPECT_TRUE(dropped.empty());
}

TEST(TokenIndex, AfterRoomWasMadeEverybodyIsFound) {
  TokenIndex index({50, 1U << 20, 1U << 20}, 3);
  std::vector<Locator> dropped;
  for (std::uint32_t i = 1; i <= 1000; ++i) {
    index.insert(UserId("u" + std::to_string(i)), at(i), 9000, 0, dropped);
  }
  index.reserve(1'000'000);
  for (std::uint32_t i = 1; i <= 1000; ++i) {
    ASSERT_EQ(index.tokens_of(UserId("u" + std::to_string(i))), 1U);
  }
}

TEST(TokenIndex, TheSweepForgetsExpiredTokensAndEmptyUsers) {
  TokenIndex index({50, 1000, 1000}, 3);
  std::vector<Locator> dropped;
  for (std::uint32_t i = 1; i <= 100; ++i) {
    const UserId user("u" + std::to_string(i));
    ASSERT_TRUE(index.learn(user, TokenIndex::UserState::open));
    ASSERT_TRUE(index.add(user, at(i), i * 10, 0, dropped));
  }
  index.sweep(505, 300 * TokenIndex::kSweepEffortPerUser);
  EXPECT_EQ(index.tokens(), 50U);
  EXPECT_EQ(index.users(), 50U);
  EXPECT_EQ(index.state_of(UserId("u50")), TokenIndex::UserState::unknown);
  EXPECT_EQ(index.state_of(UserId("u51")), TokenIndex::UserState::open);
}

TEST(TokenIndex, ASweepEndsWhenItsEffortIsSpentAndTheNextOneGoesOn) {
  TokenIndex index({50, 1000, 1000}, 3);
  std::vector<Locator> dropped;
  // The first one has fifty, all but one expired; the others have one each, expired.
  for (std::uint32_t i = 1; i <= 60; ++i) {
    const UserId user("u" + std::to_string(i <= 50 ? 1 : i));
    ASSERT_TRUE(index.learn(user, TokenIndex::UserState::open));
    ASSERT_TRUE(index.add(user, at(i), i == 50 ? 1'000 : 10, 0, dropped));
  }
  index.sweep(505, 1);
  EXPECT_EQ(index.tokens(), 11U) << "all of the first one, whom it had begun";
  EXPECT_EQ(index.tokens_of(UserId("u1")), 1U);
  index.sweep(505, TokenIndex::kSweepEffortPerUser + 2);
  EXPECT_EQ(index.users(), 9U) << "two others";
  index.sweep(505, 1'000'000);
  EXPECT_EQ(index.users(), 1U);
}

// Batches of one token for each of 256 users, who take turns, as a page view each by many visitors;
// a token lives for two batches.
TEST(TokenIndex, TheSweepKeepsUpWithTokensThatExpireAsFastAsTheyCome) {
  constexpr std::uint32_t kUsers = 2'000;
  constexpr std::uint32_t kBatch = 256;
  TokenIndex index({50, 1U << 20, 1U << 20}, 3);
  std::vector<Locator> dropped;
  std::size_t most = 0;
  std::uint32_t sequence = 0;
  for (std::int64_t now = 0; now < 2'000; ++now) {
    for (std::uint32_t i = 0; i < kBatch; ++i) {
      const UserId user("u" + std::to_string(++sequence % kUsers));
      ASSERT_TRUE(index.learn(user, TokenIndex::UserState::open));
      ASSERT_TRUE(index.add(user, at(sequence), now + 2, now, dropped));
    }
    index.sweep(now, TokenIndex::sweep_effort(kBatch));
    if (now > 1'000) most = std::max(most, index.tokens());
  }
  EXPECT_LT(most, std::size_t{12} * kUsers);
}

TEST(TokenIndex, AgreesWithASimpleModel) {
  constexpr std::size_t kLimit = 5;
  std::mt19937_64 random(20260101);
  TokenIndex index({kLimit, 1U << 20, 1U << 20}, 3);
  std::map<std::string, std::vector<Locator>> model;
  std::uint32_t sequence = 0;
  for (int step = 0; step < 50'000; ++step) {
    const std::string name = "u" + std::to_string(random() % 3000);
    const UserId user(name);
    std::vector<Locator> dropped;
    switch (random() % 8) {
      default: {
        ASSERT_TRUE(index.learn(user, TokenIndex::UserState::open));
        ASSERT_TRUE(index.add(user, at(++sequence), kNeverExpires, 0, dropped));
        auto& held = model[name];
        held.push_back(at(sequence));
        if (held.size() > kLimit) {
          ASSERT_EQ(dropped, std::vector<Locator>{held.front()});
          held.erase(held.begin());
        } else {
          ASSERT_TRUE(dropped.empty());
        }
        break;
      }
      case 0:
        if (auto& held = model[name]; !held.empty()) {
          const std::size_t which = random() % held.size();
          index.remove(user, held[which]);
          held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
        }
        break;
      case 1:
        index.erase(user, dropped);
        ASSERT_EQ(dropped, model[name]);
        model.erase(name);
        ASSERT_EQ(index.state_of(user), TokenIndex::UserState::unknown);
        break;
      case 2: index.sweep(0, 3); break;
    }
    ASSERT_EQ(index.tokens_of(user), model[name].size());
  }
  std::size_t tokens = 0;
  for (const auto& [name, held] : model) {
    EXPECT_EQ(index.tokens_of(UserId(name)), held.size());
    tokens += held.size();
  }
  EXPECT_EQ(index.tokens(), tokens);
}

TEST(LocatorSource, AscendsWhateverTheClockDoes) {
  LocatorSource source(7, 1000);
  std::mt19937_64 random(5);
  Locator last = source.last();
  std::int64_t now_ms = 1000;
  for (int i = 0; i < 10'000; ++i) {
    now_ms += static_cast<std::int64_t>(random() % 21) - 10;
    const Locator bound = source.bound();
    const Locator next = source.next(now_ms);
    EXPECT_GT(next, last);
    EXPECT_GE(next, bound);
    EXPECT_GT(bound, last);
    EXPECT_EQ(next.shard(), 7);
    last = next;
  }
}

TEST(LocatorSource, WhatIsSetApartComesFromNowhereElse) {
  LocatorSource source(7, 1000);
  const Locator before = source.next(5000);
  LocatorSource first = source.set_apart(5000, 3);
  LocatorSource second = source.set_apart(4000, 1);  // a clock that lies behind
  Locator last = before;
  for (int i = 0; i < 3; ++i) {
    const Locator next = first.next(5000);
    EXPECT_GT(next, last);
    EXPECT_EQ(next.issued_ms(), 5000);
    last = next;
  }
  EXPECT_GT(second.next(4000), last);
  EXPECT_GE(source.bound(), second.bound());
  EXPECT_GT(source.next(5000), second.last());
}

TEST(LocatorSource, WhatIsSetApartIsNeverMoreThanAMillisecondHas) {
  LocatorSource source(7, 1000);
  source.raise_above(Locator::make(5000, 7, UINT32_MAX - 2));
  LocatorSource apart = source.set_apart(5000, 100);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(apart.next(5000).issued_ms(), 5001);
  EXPECT_GT(source.next(5000), apart.last());
}

TEST(LocatorSource, GoesOnAboveWhatWasStored) {
  LocatorSource source(7, 1000);
  const Locator stored = Locator::make(5000, 7, UINT32_MAX);
  source.raise_above(stored);
  source.raise_above(Locator::make(10, 7, 3));
  EXPECT_GT(source.bound(), stored);
  EXPECT_EQ(source.next(2000), Locator::make(5001, 7, 0));
}

}  // namespace
}  // namespace tokend::store
