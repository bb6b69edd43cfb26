#include "store/token_removals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "store/meta.h"

namespace tokend::store {
namespace {

constexpr std::size_t kSetKeys = 100;

std::string key_of(std::uint32_t number) {
  return std::string(view_of(Locator::make(number / 10, 3, number)));
}

std::string keys_of(std::uint32_t from, std::uint32_t to) {
  std::string keys;
  for (std::uint32_t number = from; number < to; ++number) keys += key_of(number);
  return keys;
}

std::vector<Locator> sorted(const TokenRemovals::Set& set) {
  std::vector<Locator> keys(3);  // of a former set
  set.sorted(keys);
  return keys;
}

class TokenRemovalsTest : public testing::Test {
 protected:
  bool add(const std::string& keys) {
    const auto sealed = removals.add(keys);
    EXPECT_TRUE(sealed);
    return sealed && *sealed;
  }
  std::vector<std::string> hand_over_one() {
    auto set = removals.begin_hand_over();
    EXPECT_TRUE(set);
    std::vector<std::string> keys;
    if (!set) return keys;
    for (const Locator& token : sorted(*set)) keys.emplace_back(view_of(token));
    removals.finish_hand_over(set);
    EXPECT_FALSE(set);
    return keys;
  }
  TokenRemovals removals{{.set_keys = kSetKeys, .sets_max = 3}};
};

TEST_F(TokenRemovalsTest, HasWhatWasAddedAndNothingElse) {
  EXPECT_FALSE(removals.contains(key_of(0)));
  EXPECT_FALSE(add(""));
  EXPECT_TRUE(removals.sets().empty());
  std::mt19937 random(1);
  std::set<std::string> added;
  for (int i = 0; i < 60; ++i) {
    const std::string key = key_of(static_cast<std::uint32_t>(random() % 10'000));
    EXPECT_FALSE(add(key));
    added.insert(key);
  }
  for (std::uint32_t number = 0; number < 10'000; ++number) {
    EXPECT_EQ(removals.contains(key_of(number)), added.contains(key_of(number))) << number;
  }
  removals.seal();
  EXPECT_EQ(hand_over_one(), std::vector<std::string>(added.begin(), added.end())) << "in order";
  EXPECT_FALSE(removals.contains(*added.begin()));
}

TEST_F(TokenRemovalsTest, KeysOfAnyBytesAreInTheOrderOfTheTables) {
  std::mt19937 random(2);
  std::set<std::string> added;
  for (std::size_t i = 0; i < kSetKeys; ++i) {
    std::string key(TokenRemovals::kKeyBytes, '\0');
    std::ranges::generate(key, [&] { return static_cast<char>(random()); });
    add(key);
    added.insert(key);
  }
  EXPECT_TRUE(add(std::string(TokenRemovals::kKeyBytes, '\0')));
  EXPECT_EQ(hand_over_one(), std::vector<std::string>(added.begin(), added.end()));
  EXPECT_TRUE(removals.contains(std::string(TokenRemovals::kKeyBytes, '\0')));
  EXPECT_FALSE(removals.contains(std::string(TokenRemovals::kKeyBytes - 1, '\0')));
  EXPECT_FALSE(removals.contains(std::string(TokenRemovals::kKeyBytes + 1, '\0')));
}

TEST_F(TokenRemovalsTest, WhatComesAgainTakesNoRoom) {
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(add(keys_of(0, 50)));
  EXPECT_FALSE(add(keys_of(50, 100)));
  EXPECT_TRUE(add(key_of(100))) << "it was full";
  EXPECT_EQ(hand_over_one().size(), kSetKeys);
  EXPECT_TRUE(removals.contains(key_of(100)));
}

TEST_F(TokenRemovalsTest, ABatchStaysTogetherAndMayBeLargerThanASet) {
  add(key_of(0));
  EXPECT_TRUE(add(keys_of(1000, 1000 + 3 * kSetKeys)));
  EXPECT_EQ(removals.sets().size(), 2U);
  EXPECT_EQ(hand_over_one(), std::vector{key_of(0)});
  for (std::uint32_t number = 1000; number < 1000 + 3 * kSetKeys; ++number) {
    EXPECT_TRUE(removals.contains(key_of(number)));
  }
}

TEST_F(TokenRemovalsTest, OnlySealedSetsAreHandedOverOldestFirst) {
  add(key_of(1));
  EXPECT_FALSE(removals.begin_hand_over());
  removals.seal();
  add(key_of(2));
  EXPECT_EQ(removals.sealed_sets(), 1U);
  removals.seal();
  EXPECT_EQ(removals.sealed_sets(), 2U);
  auto first = removals.begin_hand_over();
  EXPECT_TRUE(removals.contains(key_of(1))) << "until it is finished";
  removals.finish_hand_over(first);
  EXPECT_FALSE(removals.contains(key_of(1)));
  EXPECT_EQ(hand_over_one(), std::vector{key_of(2)});
  EXPECT_FALSE(removals.begin_hand_over());
}

TEST_F(TokenRemovalsTest, MemoryIsUsedAgainButNotUnderAReader) {
  add(keys_of(0, kSetKeys));
  removals.seal();
  const auto held = removals.sets();
  hand_over_one();
  add(key_of(7));
  EXPECT_TRUE(held[0]->contains(key_of(99)));
  removals.seal();
  hand_over_one();
  add(key_of(8));
  EXPECT_FALSE(removals.contains(key_of(7))) << "emptied before it is used again";
  EXPECT_EQ(sorted(*removals.sets()[0]).size(), 1U);
}

TEST_F(TokenRemovalsTest, WaitsForRoomAtTheLimitOfSets) {
  for (std::uint32_t set = 0; set < 3; ++set) add(keys_of(set * 100, set * 100 + 100));
  std::atomic<bool> added{false};
  std::thread committing([&] {
    add(key_of(999));
    added = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(added);
  hand_over_one();
  committing.join();
  EXPECT_TRUE(removals.contains(key_of(999)));
}

TEST_F(TokenRemovalsTest, ClosedItTakesNothingMoreAndKeepsWhatItHas) {
  for (std::uint32_t set = 0; set < 3; ++set) add(keys_of(set * 100, set * 100 + 90));
  std::thread committing([&] {
    const auto refused = removals.add(keys_of(500, 600));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, core::Errc::unavailable);
    EXPECT_EQ(refused.error().message, "the disk is full");
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  removals.close("the disk is full");
  committing.join();
  EXPECT_FALSE(removals.add(key_of(501)));
  EXPECT_TRUE(removals.contains(key_of(289)));
}

// For the sanitizers: readers beside the committing thread and the hand-over.
TEST_F(TokenRemovalsTest, ReadersWorkBesideAdditionsAndHandOvers) {
  constexpr std::uint32_t kCount = 20'000;
  std::atomic<bool> done{false};
  std::size_t handed_over = 0;
  std::thread handing_over([&] {
    for (;;) {
      const bool last = done;
      while (auto set = removals.begin_hand_over()) {
        handed_over += sorted(*set).size();
        removals.finish_hand_over(set);
      }
      if (last) return;
    }
  });
  std::atomic<std::uint32_t> newest{0};
  std::thread reading([&] {
    while (!done) {
      static_cast<void>(removals.contains(key_of(newest)));
      EXPECT_FALSE(removals.contains(key_of(kCount)));
    }
  });
  for (std::uint32_t number = 0; number < kCount; number += 5) {
    add(keys_of(number, number + 5));
    newest = number;
  }
  removals.seal();
  done = true;
  reading.join();
  handing_over.join();
  EXPECT_EQ(handed_over, kCount);
}

}  // namespace
}  // namespace tokend::store
