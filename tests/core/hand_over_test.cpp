#include "core/hand_over.h"

#include <gtest/gtest.h>

namespace tokend::core {
namespace {

constexpr std::size_t kBusy = HandOver::kCompletionsMin;

TEST(HandOver, IsDueAtOnceInAQuietTurn) {
  HandOver hand_over;
  EXPECT_TRUE(hand_over.is_due(0, 1));
  EXPECT_TRUE(hand_over.is_due(kBusy - 1, 1));
  EXPECT_TRUE(hand_over.is_due(kBusy - 1, HandOver::kMessagesMin - 1));
}

TEST(HandOver, WaitsForABatchWhileMuchComesIn) {
  HandOver hand_over;
  EXPECT_FALSE(hand_over.is_due(kBusy, 1));
  EXPECT_FALSE(hand_over.is_due(kBusy, HandOver::kMessagesMin - 1));
  EXPECT_TRUE(hand_over.is_due(kBusy, HandOver::kMessagesMin));
}

TEST(HandOver, NothingWaitsForLongerThanItsTurns) {
  HandOver hand_over;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t turn = 0; turn < HandOver::kTurnsMax; ++turn) {
      EXPECT_FALSE(hand_over.is_due(1000, 1)) << turn;
    }
    EXPECT_TRUE(hand_over.is_due(1000, 1));
  }
}

TEST(HandOver, TurnsWithNothingToGiveDoNotCount) {
  HandOver hand_over;
  for (int turn = 0; turn < 100; ++turn) EXPECT_TRUE(hand_over.is_due(1000, 0));
  EXPECT_FALSE(hand_over.is_due(1000, 1));
}

TEST(HandOver, WhatWentEarlierStartsTheCountAnew) {
  HandOver hand_over;
  for (std::size_t turn = 0; turn < HandOver::kTurnsMax; ++turn) {
    EXPECT_FALSE(hand_over.is_due(1000, 1));
  }
  hand_over.happened();
  EXPECT_FALSE(hand_over.is_due(1000, 1));
}

}  // namespace
}  // namespace tokend::core
