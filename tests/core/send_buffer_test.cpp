#include "core/send_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "core/session.h"

namespace tokend::core {
namespace {

std::string contents_of(const SendBuffer& buffer) {
  std::string all;
  for (const Block* block = buffer.front(); block; block = block->next) {
    all.append(block->data + block->begin, block->end - block->begin);
  }
  return all;
}

std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t index = 0; index < bytes; ++index) {
    text[index] = static_cast<char>('a' + index % 23);
  }
  return text;
}

class SendBufferTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kBlocks = 8;
  BlockPool pool{kBlocks};
};

TEST_F(SendBufferTest, BytesComeOutAsTheyWentInAcrossBlocks) {
  SendBuffer buffer(pool);
  const std::string text = pattern(3 * Block::kCapacity + 5);
  EXPECT_TRUE(buffer.append(text.substr(0, 10)));
  EXPECT_TRUE(buffer.append(text.substr(10)));
  EXPECT_EQ(buffer.bytes(), text.size());
  EXPECT_EQ(contents_of(buffer), text);
  EXPECT_EQ(pool.in_use(), 4U);
}

TEST_F(SendBufferTest, AnEmptyViewWithoutAnAddressIsNothing) {
  SendBuffer buffer(pool);
  EXPECT_TRUE(buffer.append({}));
  EXPECT_TRUE(buffer.append("x"));
  EXPECT_TRUE(buffer.append({}));
  EXPECT_EQ(contents_of(buffer), "x");
}

TEST_F(SendBufferTest, ConsumedBlocksGoBackToThePool) {
  SendBuffer buffer(pool);
  const std::string text = pattern(2 * Block::kCapacity + 100);
  ASSERT_TRUE(buffer.append(text));
  buffer.consume(Block::kCapacity + 1);
  EXPECT_EQ(pool.in_use(), 2U);
  EXPECT_EQ(contents_of(buffer), text.substr(Block::kCapacity + 1));
  buffer.consume(buffer.bytes());
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.front(), nullptr);
  EXPECT_EQ(pool.in_use(), 0U);
  EXPECT_TRUE(buffer.append("again"));
  EXPECT_EQ(contents_of(buffer), "again");
}

TEST_F(SendBufferTest, AppendingLeavesWhatTheKernelReadsWhereItIs) {
  SendBuffer buffer(pool);
  ASSERT_TRUE(buffer.append("first"));
  const Block* block = buffer.front();
  const char* bytes = block->data + block->begin;
  ASSERT_TRUE(buffer.append(pattern(2 * Block::kCapacity)));
  EXPECT_EQ(buffer.front(), block);
  EXPECT_EQ(std::string_view(bytes, 5), "first");
}

TEST_F(SendBufferTest, AnExhaustedPoolBreaksTheBufferForGood) {
  SendBuffer hog(pool);
  ASSERT_TRUE(hog.append(pattern((kBlocks - 1) * Block::kCapacity)));
  SendBuffer buffer(pool);
  EXPECT_FALSE(buffer.append(pattern(2 * Block::kCapacity)));
  EXPECT_TRUE(buffer.broken());
  hog.clear();
  EXPECT_FALSE(buffer.append(pattern(2 * Block::kCapacity)));
  EXPECT_TRUE(buffer.broken());
  buffer.clear();
  EXPECT_EQ(buffer.reserve(1), nullptr);
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST_F(SendBufferTest, WhatIsReservedIsContiguousAndCountsOnceCommitted) {
  SendBuffer buffer(pool);
  ASSERT_TRUE(buffer.append(pattern(Block::kCapacity - 10)));
  char* place = buffer.reserve(11);
  ASSERT_NE(place, nullptr);
  std::memcpy(place, "hello", 5);
  buffer.commit(5);
  EXPECT_EQ(contents_of(buffer), pattern(Block::kCapacity - 10) + "hello");
  ASSERT_NE(buffer.reserve(Block::kCapacity), nullptr);
  buffer.commit(0);
  EXPECT_EQ(buffer.bytes(), Block::kCapacity - 5);
}

TEST_F(SendBufferTest, ReservedButUnusedBlocksGiveWay) {
  SendBuffer buffer(pool);
  ASSERT_NE(buffer.reserve(100), nullptr);
  SendBuffer later(pool);
  ASSERT_TRUE(later.append("later"));
  buffer.splice(later);
  const std::span<char> front = buffer.front_bytes();
  EXPECT_EQ(std::string_view(front.data(), front.size()), "later");
  EXPECT_EQ(pool.in_use(), 1U);
  buffer.consume(5);
  EXPECT_TRUE(buffer.front_bytes().empty());
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST_F(SendBufferTest, SplicingMovesBlocksAndBrokenness) {
  SendBuffer first(pool);
  SendBuffer second(pool);
  ASSERT_TRUE(first.append("one "));
  ASSERT_TRUE(second.append("two"));
  first.splice(second);
  EXPECT_EQ(contents_of(first), "one two");
  EXPECT_TRUE(second.empty());
  ASSERT_TRUE(first.append(" three"));
  EXPECT_EQ(contents_of(first), "one two three");
  EXPECT_FALSE(second.append(pattern(kBlocks * Block::kCapacity)));
  first.splice(second);
  EXPECT_TRUE(first.broken());
}

TEST_F(SendBufferTest, TheLastBlockIsFollowedByReadablePadding) {
  SendBuffer buffer(pool);
  ASSERT_TRUE(buffer.append(pattern(kBlocks * Block::kCapacity)));
  const Block* last = buffer.front();
  while (last->next) last = last->next;
  volatile char sum = 0;
  const volatile char* behind = last->data + Block::kCapacity;
  for (std::size_t index = 0; index < kReceivePaddingBytes; ++index) {
    sum = static_cast<char>(sum + behind[index]);
  }
  EXPECT_EQ(sum, 0) << "nothing was ever written there";
}

TEST_F(SendBufferTest, AgreesWithAStringOverARandomHistory) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  BlockPool large(64);
  SendBuffer buffer(large);
  std::string model;
  for (int step = 0; step < 5'000; ++step) {
    const std::string part = pattern(random() % (Block::kCapacity / 2));
    switch (random() % 4) {
      case 0:
        if (model.size() + part.size() > 32 * Block::kCapacity) break;
        ASSERT_TRUE(buffer.append(part));
        model += part;
        break;
      case 1: {
        char* place = buffer.reserve(part.size());
        ASSERT_NE(place, nullptr);
        std::copy(part.begin(), part.end(), place);
        const std::size_t used = part.size() / 2;
        buffer.commit(used);
        model += part.substr(0, used);
        break;
      }
      case 2: {
        SendBuffer other(large);
        ASSERT_TRUE(other.append(part));
        buffer.splice(other);
        model += part;
        break;
      }
      default: {
        const std::size_t count = std::min<std::size_t>(random() % 20'000, model.size());
        buffer.consume(count);
        model.erase(0, count);
      }
    }
    ASSERT_EQ(buffer.bytes(), model.size());
    if (model.size() > 24 * Block::kCapacity) {
      buffer.consume(20 * Block::kCapacity);
      model.erase(0, 20 * Block::kCapacity);
    }
  }
  EXPECT_EQ(contents_of(buffer), model);
}

}  // namespace
}  // namespace tokend::core
