#include "store/hand_over_queue.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>

namespace tokend::store {
namespace {

struct Piece {
  explicit Piece(std::size_t its_size) : size(its_size) {}
  void clear() noexcept { cleared = true; }

  const std::size_t size;
  bool cleared = false;
};

class HandOverQueueTest : public testing::Test {
 protected:
  Piece* open(std::size_t size = 1) {
    auto lock = queue_.lock();
    const auto opened = queue_.open_next(
        lock, [&](const Piece& spare) { return spare.size >= size; },
        [&] {
          ++made_;
          return std::make_shared<Piece>(size);
        });
    EXPECT_TRUE(opened);
    return *opened;
  }
  void hand_over() {
    auto piece = queue_.begin();
    ASSERT_TRUE(piece);
    queue_.finish(piece);
    EXPECT_FALSE(piece);
  }

  HandOverQueue<Piece> queue_{4};
  int made_ = 0;
};

TEST_F(HandOverQueueTest, MemoryIsUsedAgain) {
  Piece* const first = open();
  open();
  hand_over();
  EXPECT_EQ(open(), first);
  EXPECT_TRUE(first->cleared);
  EXPECT_EQ(made_, 2);
}

TEST_F(HandOverQueueTest, ASpareThatIsTooSmallIsLeft) {
  Piece* const small = open(1);
  open(2);
  hand_over();
  EXPECT_NE(open(3), small);
  EXPECT_EQ(open(1), small);
  EXPECT_EQ(made_, 3);
}

TEST_F(HandOverQueueTest, APieceThatSomebodyLooksAtIsNotUsedAgain) {
  const Piece* const first = open();
  const auto seen = queue_.all();
  open();
  hand_over();
  EXPECT_NE(open(), first);
  EXPECT_FALSE(first->cleared);
  EXPECT_EQ(made_, 3);
}

}  // namespace
}  // namespace tokend::store
