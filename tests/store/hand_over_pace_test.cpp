#include "store/hand_over_pace.h"

#include <gtest/gtest.h>

#include <chrono>

namespace tokend::store {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Duration = HandOverPace::Duration;

constexpr std::size_t kSegmentBytes = 1'000'000;
constexpr std::size_t kBehind = 2 * kSegmentBytes;

class HandOverPaceTest : public testing::Test {
 protected:
  void hand_over(std::size_t bytes, Duration took) {
    pace.begin(now, bytes);
    now += took;
    pace.finish(now);
  }
  Duration pause(std::size_t appended, std::size_t sealed = kBehind) {
    return pace.pause(now, appended, sealed);
  }
  Duration now = milliseconds(12'345);
  HandOverPace pace{kSegmentBytes};
};

TEST_F(HandOverPaceTest, NobodyWaitsWhileNoMoreThanOneSegmentIsSealed) {
  hand_over(kSegmentBytes, milliseconds(100));
  EXPECT_EQ(pause(kSegmentBytes, 0), Duration::zero());
  EXPECT_EQ(pause(kSegmentBytes, kSegmentBytes), Duration::zero());
  EXPECT_EQ(pause(kSegmentBytes, kSegmentBytes * 3 / 2), Duration::zero());
  EXPECT_GT(pause(kSegmentBytes, kSegmentBytes * 3 / 2 + 1), Duration::zero());
}

TEST_F(HandOverPaceTest, APauseIsAsLongAsTheBytesTookLately) {
  hand_over(kSegmentBytes, milliseconds(100));  // 100 ns a byte
  EXPECT_EQ(pause(10'000), milliseconds(1));
  hand_over(kSegmentBytes, milliseconds(300));  // half of 100, half of 300
  EXPECT_EQ(pause(10'000), milliseconds(2));
}

TEST_F(HandOverPaceTest, ShortPausesAreOwedUntilTheyAreWorthIt) {
  hand_over(kSegmentBytes, milliseconds(100));
  EXPECT_EQ(pause(1'000), Duration::zero());
  EXPECT_EQ(pause(1'000), HandOverPace::kPauseMin);
  EXPECT_EQ(pause(1'000), Duration::zero());
  EXPECT_EQ(pause(1'000, 0), Duration::zero()) << "caught up: nothing is owed any more";
  EXPECT_EQ(pause(1'000), Duration::zero());
}

TEST_F(HandOverPaceTest, NoPauseIsLongerThanTheLimit) {
  hand_over(kSegmentBytes, milliseconds(100));
  EXPECT_EQ(pause(100 * kSegmentBytes), HandOverPace::kPauseMax);
  EXPECT_EQ(pause(0), HandOverPace::kPauseMax) << "that much stayed owed";
  EXPECT_EQ(pause(0), Duration::zero()) << "and no more";
}

TEST_F(HandOverPaceTest, WhoWaitedForRoomOwesNothing) {
  hand_over(kSegmentBytes, milliseconds(100));
  EXPECT_EQ(pause(100 * kSegmentBytes), HandOverPace::kPauseMax);
  pace.waited();
  EXPECT_EQ(pause(0), Duration::zero());
}

TEST_F(HandOverPaceTest, OneThatIsUnderWayCountsOnceItTakesLonger) {
  pace.begin(now, kSegmentBytes);
  EXPECT_EQ(pause(10'000), Duration::zero()) << "the first one has only begun";
  now += milliseconds(50);
  EXPECT_EQ(pause(10'000), microseconds(500));
  now += milliseconds(50);
  pace.finish(now);
  pace.begin(now, kSegmentBytes);
  now += milliseconds(50);
  EXPECT_EQ(pause(10'000), milliseconds(1)) << "no faster than the one before it";
  now += milliseconds(150);
  EXPECT_EQ(pause(10'000), milliseconds(2));
}

TEST_F(HandOverPaceTest, ASmallSegmentTellsNothing) {
  hand_over(kSegmentBytes, milliseconds(100));
  hand_over(200, milliseconds(100));
  EXPECT_EQ(pause(10'000), milliseconds(1));
  pace.begin(now, 200);
  now += milliseconds(100);
  EXPECT_EQ(pause(10'000), milliseconds(2)) << "as if it were half of a whole one";
}

}  // namespace
}  // namespace tokend::store
