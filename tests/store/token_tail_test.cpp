#include "store/token_tail.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace tokend::store {
namespace {

using Presence = TokenTail::Presence;

// Twelve characters, in order of `number`.
std::string key(int number) {
  std::string text = std::to_string(number);
  return std::string(TokenTail::kKeyBytes - text.size(), '0') + text;
}

std::string entry(int number, std::string_view value) {
  std::string bytes;
  TokenTail::append_entry(bytes, key(number), value);
  return bytes;
}

constexpr std::size_t kValueBytes = 86;
constexpr std::size_t kEntryBytes = TokenTail::kEntryHeadBytes + kValueBytes;

// Ten entries a segment.
class TokenTailTest : public testing::Test {
 protected:
  bool append(int number) {
    const auto sealed = tail.append(entry(number, std::string(kValueBytes, 'v')));
    EXPECT_TRUE(sealed);
    return sealed && *sealed;
  }
  Presence presence(int number) {
    std::string value;
    return tail.get(key(number), value);
  }
  void hand_over_one() {
    auto segment = tail.begin_hand_over();
    ASSERT_TRUE(segment);
    tail.finish_hand_over(segment);
    EXPECT_FALSE(segment);
  }
  TokenTail tail{{.segment_bytes = 10 * kEntryBytes, .segments_max = 3}};
};

TEST_F(TokenTailTest, FindsWhatWasAppendedAndNothingElse) {
  std::string value;
  EXPECT_EQ(tail.get(key(1), value), Presence::absent);
  for (int number = 2; number <= 50; number += 2) {
    if (append(number)) hand_over_one();
  }
  // 2 to 20 went first, then 22 to 40.
  for (int number = 1; number <= 52; ++number) {
    const bool here = number % 2 == 0 && number > 40 && number <= 50;
    EXPECT_EQ(presence(number), here ? Presence::present : Presence::absent) << number;
  }
  ASSERT_EQ(tail.get(key(50), value), Presence::present);
  EXPECT_EQ(value, std::string(kValueBytes, 'v'));
}

TEST_F(TokenTailTest, ABatchStaysTogetherAndMayBeLargerThanASegment) {
  std::string entries;
  for (int number = 0; number < 25; ++number)
    entries += entry(number, std::string(kValueBytes, 'w'));
  ASSERT_TRUE(tail.append(entries));
  ASSERT_TRUE(tail.append(""));
  for (int number = 0; number < 25; ++number) EXPECT_EQ(presence(number), Presence::present);
  EXPECT_TRUE(append(25)) << "no room is left in it";
  ASSERT_EQ(tail.segments().size(), 2U);
  EXPECT_EQ(tail.segments()[0]->count(), 25U);
}

TEST_F(TokenTailTest, RemovesWhatIsHereAndSaysWhatIsNot) {
  for (int number = 10; number < 40; number += 2) append(number);
  EXPECT_TRUE(tail.remove(key(12)));
  EXPECT_TRUE(tail.remove(key(38)));
  EXPECT_TRUE(tail.remove(key(12))) << "again";
  for (const int number : {9, 11, 29, 31, 40}) EXPECT_FALSE(tail.remove(key(number))) << number;
  EXPECT_EQ(presence(12), Presence::removed);
  EXPECT_EQ(presence(38), Presence::removed);
  EXPECT_EQ(presence(14), Presence::present);
}

TEST_F(TokenTailTest, OnlySealedSegmentsAreHandedOverOldestFirst) {
  append(1);
  EXPECT_FALSE(tail.begin_hand_over());
  EXPECT_EQ(tail.sealed_segments(), 0U);
  tail.seal();
  EXPECT_EQ(tail.sealed_segments(), 1U);
  append(2);
  EXPECT_EQ(tail.sealed_segments(), 1U);
  tail.seal();
  EXPECT_EQ(tail.sealed_segments(), 2U);
  auto first = tail.begin_hand_over();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->at(0).key, key(1));
  EXPECT_EQ(presence(1), Presence::present) << "until it is finished";
  tail.finish_hand_over(first);
  EXPECT_EQ(presence(1), Presence::absent);
  hand_over_one();
  EXPECT_FALSE(tail.begin_hand_over());
  EXPECT_TRUE(tail.segments().empty());
}

// The table may have been written with them, so they must be removed there.
TEST_F(TokenTailTest, SaysWhatATableThatIsBeingMadeMayHave) {
  for (int number = 0; number < 5; ++number) append(number);
  EXPECT_TRUE(tail.remove(key(0))) << "before: the table is made without it";
  tail.seal();
  append(5);
  auto segment = tail.begin_hand_over();
  EXPECT_TRUE(segment->removed(0));
  EXPECT_FALSE(tail.remove(key(3)));
  EXPECT_FALSE(segment->removed(3)) << "the removals have it";
  EXPECT_TRUE(tail.remove(key(5))) << "in another segment";
  tail.finish_hand_over(segment);
  EXPECT_EQ(presence(3), Presence::absent);
  EXPECT_FALSE(tail.remove(key(3)));
  EXPECT_EQ(presence(5), Presence::removed);
}

TEST_F(TokenTailTest, WaitsForRoomAtTheLimitOfSegments) {
  for (int number = 0; number < 30; ++number) append(number);
  ASSERT_EQ(tail.segments().size(), 3U);
  std::atomic<bool> appended{false};
  std::thread committing([&] {
    append(30);
    appended = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(appended);
  hand_over_one();
  committing.join();
  EXPECT_EQ(presence(30), Presence::present);
}

TEST_F(TokenTailTest, WhoAppendsKeepsThePaceOfTheHandOvers) {
  using std::chrono::milliseconds;
  const auto paused = [this](std::size_t bytes) {
    const auto begun = std::chrono::steady_clock::now();
    tail.keep_pace(bytes);
    return std::chrono::steady_clock::now() - begun;
  };
  constexpr std::size_t kFarTooMuch = 1'000'000;
  for (int number = 0; number < 21; ++number) append(number);
  auto segment = tail.begin_hand_over();
  std::this_thread::sleep_for(milliseconds(1));
  EXPECT_GE(paused(kFarTooMuch), HandOverPace::kPauseMax) << "two are sealed";
  tail.finish_hand_over(segment);
  tail.keep_pace(kFarTooMuch);
  for (int number = 21; number < 31; ++number) append(number);
  EXPECT_GE(paused(kFarTooMuch), HandOverPace::kPauseMax);

  // A pause ends with its reason, so none of many is long.
  constexpr int kPauses = 50;
  tail.close("the disk is full");
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < kPauses; ++i) tail.keep_pace(kFarTooMuch);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, kPauses * HandOverPace::kPauseMax / 2);
}

TEST_F(TokenTailTest, AClosedTailTakesNothingMoreAndKeepsWhatItHas) {
  for (int number = 0; number < 30; ++number) append(number);
  std::thread committing([&] {
    const auto refused = tail.append(entry(30, ""));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, core::Errc::unavailable);
    EXPECT_EQ(refused.error().message, "the disk is full");
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(tail.closed(), "");
  tail.close("the disk is full");
  committing.join();
  EXPECT_EQ(tail.closed(), "the disk is full");
  EXPECT_FALSE(tail.append(entry(31, "")));
  EXPECT_FALSE(tail.append("")) << "so that nothing else is committed either";
  EXPECT_EQ(presence(29), Presence::present);
}

TEST_F(TokenTailTest, MemoryIsUsedAgainButNotUnderAReader) {
  for (int number = 0; number < 10; ++number) append(number);
  tail.seal();
  const auto held = tail.segments();
  hand_over_one();
  append(10);
  EXPECT_EQ(held[0]->count(), 10U);
  EXPECT_EQ(held[0]->at(0).key, key(0));
  tail.seal();
  hand_over_one();
  append(11);
  EXPECT_EQ(presence(10), Presence::absent);
  EXPECT_EQ(presence(11), Presence::present);
}

// For the sanitizers: readers beside the committing thread and the hand-over.
TEST_F(TokenTailTest, ReadersWorkBesideAppendsRemovalsAndHandOvers) {
  constexpr int kCount = 20'000;
  std::atomic<bool> done{false};
  std::thread handing_over([&] {
    for (;;) {
      const bool last = done;
      while (auto segment = tail.begin_hand_over()) tail.finish_hand_over(segment);
      if (last) return;
    }
  });
  std::atomic<int> appended{-1};
  std::thread reading([&] {
    std::string value;
    while (!done) {
      const int newest = appended;
      const Presence found = newest < 0 ? Presence::absent : tail.get(key(newest), value);
      if (found == Presence::present) {
        EXPECT_EQ(value.size(), kValueBytes);
      }
    }
  });
  for (int number = 0; number < kCount; ++number) {
    append(number);
    appended = number;
    if (number % 3 == 0) static_cast<void>(tail.remove(key(number)));
    if (number % 7 == 0) static_cast<void>(tail.remove(key(number / 2)));
  }
  tail.seal();
  done = true;
  reading.join();
  handing_over.join();
  EXPECT_TRUE(tail.segments().empty());
}

TEST(TokenTailEntry, ReadsWholeEntriesOnly) {
  const std::string bytes = entry(7, std::string(300, 'x')) + entry(8, "");
  const TokenTail::Entry first = TokenTail::Entry::read(bytes);
  EXPECT_EQ(first.key, key(7));
  EXPECT_EQ(first.value, std::string(300, 'x'));
  EXPECT_EQ(TokenTail::Entry::read(std::string_view(bytes).substr(first.bytes())).key, key(8));
  for (std::size_t length = 0; length < first.bytes(); ++length) {
    EXPECT_EQ(TokenTail::Entry::read(std::string_view(bytes).substr(0, length)).key, "") << length;
  }
}

}  // namespace
}  // namespace tokend::store
