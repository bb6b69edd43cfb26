#include "store/sliding_vector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <utility>
#include <vector>

namespace tokend::store {
namespace {

std::vector<int> content_of(const SlidingVector<int>& items) {
  return {items.begin(), items.end()};
}

TEST(SlidingVector, LosesItsFirstItems) {
  SlidingVector<int> items;
  EXPECT_TRUE(items.empty());
  for (int i = 0; i < 5; ++i) items.push_back(i);
  items.drop_front(2);
  EXPECT_EQ(content_of(items), (std::vector{2, 3, 4}));
  items.drop_front(3);
  EXPECT_TRUE(items.empty());
  items.push_back(5);
  EXPECT_EQ(content_of(items), (std::vector{5}));
  EXPECT_EQ(items.back(), 5);
}

// What was dropped makes room, but not each time: that would move all others for each item.
TEST(SlidingVector, NeitherGrowsNorMovesAllWhereOneGoesForEachThatComes) {
  constexpr int kComing = 1000;
  for (const int held : {4, 16, 50, 200}) {
    SCOPED_TRACE(held);
    SlidingVector<int> items;
    for (int i = 0; i < held; ++i) items.push_back(i);
    int moves = 0;
    for (int i = held; i < kComing; ++i) {
      items.drop_front(1);
      const int* const first = items.begin();
      items.push_back(i);
      moves += items.begin() != first;
    }
    EXPECT_EQ(items.size(), static_cast<std::size_t>(held));
    EXPECT_EQ(*items.begin(), kComing - held);
    const int step = std::max(4, held / 8);
    EXPECT_LE(moves, kComing / step + 1);
    EXPECT_LE(items.capacity(), static_cast<std::size_t>(held + 2 * step));
  }
}

TEST(SlidingVector, GrowsByAnEighth) {
  SlidingVector<int> items;
  for (int i = 0; i < 10'000; ++i) {
    items.push_back(i);
    EXPECT_LE(items.capacity(), items.size() * 9 / 8 + 4);
  }
}

TEST(SlidingVector, WhatItIsMovedFromIsEmpty) {
  SlidingVector<int> items;
  for (int i = 0; i < 10; ++i) items.push_back(i);
  items.drop_front(4);
  SlidingVector<int> other(std::move(items));
  EXPECT_TRUE(items.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(content_of(other), (std::vector{4, 5, 6, 7, 8, 9}));
  items = std::move(other);
  EXPECT_EQ(items.size(), 6U);
}

TEST(SlidingVector, HoldsWhatADequeHolds) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    SlidingVector<int> items;
    std::deque<int> expected;
    for (int step = 0; step < 2000; ++step) {
      const int value = static_cast<int>(random() % 1000);
      switch (random() % 8) {
        case 0: {
          const std::size_t at = random() % (expected.size() + 1);
          items.insert(at, value);
          expected.insert(expected.begin() + static_cast<std::ptrdiff_t>(at), value);
          break;
        }
        case 1: {
          const std::size_t count = random() % (expected.size() + 1) / 4;
          items.drop_front(count);
          expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(count));
          break;
        }
        case 2: {
          const auto matches = [&](int item) { return item % 17 == value % 17; };
          EXPECT_EQ(items.erase_if(matches), std::erase_if(expected, matches));
          break;
        }
        default: items.push_back(value); expected.push_back(value);
      }
      ASSERT_EQ(content_of(items), std::vector<int>(expected.begin(), expected.end()));
    }
  }
}

}  // namespace
}  // namespace tokend::store
