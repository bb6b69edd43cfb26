#include "core/mailbox.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

namespace tokend::core {
namespace {

struct CountingWaker final : Waker {
  void wake() noexcept override { ++wakes; }
  int wakes = 0;
};

struct Numbered : Message {
  int poster = 0;
  int number = 0;
};

std::vector<int> numbers_of(MessageList list) {
  std::vector<int> numbers;
  while (Message* message = list.pop_front()) {
    numbers.push_back(static_cast<Numbered*>(message)->number);
  }
  return numbers;
}

class MailboxTest : public ::testing::Test {
 protected:
  MailboxTest() {
    for (int index = 0; index < 8; ++index)
      messages[static_cast<std::size_t>(index)].number = index;
  }
  MessageList run(std::size_t first, std::size_t last) {
    MessageList list;
    for (std::size_t index = first; index <= last; ++index) list.push_back(messages[index]);
    return list;
  }

  CountingWaker waker;
  Mailbox mailbox{waker};
  std::array<Numbered, 8> messages;
};

TEST_F(MailboxTest, AnEmptyMailboxGivesNothing) { EXPECT_TRUE(mailbox.take().empty()); }

TEST_F(MailboxTest, MessagesComeInTheOrderOfPosting) {
  for (std::size_t index = 0; index < 4; ++index) mailbox.post(messages[index]);
  EXPECT_EQ(numbers_of(mailbox.take()), (std::vector{0, 1, 2, 3}));
  EXPECT_TRUE(mailbox.take().empty());
}

TEST_F(MailboxTest, ARunKeepsItsOrderBetweenSinglePosts) {
  mailbox.post(messages[0]);
  mailbox.post(run(1, 3));
  mailbox.post(messages[4]);
  mailbox.post(run(5, 5));
  mailbox.post(MessageList{});
  EXPECT_EQ(numbers_of(mailbox.take()), (std::vector{0, 1, 2, 3, 4, 5}));
}

TEST_F(MailboxTest, AStackComesInTheOrderOfPushing) {
  MessageStack stack;
  mailbox.post(std::move(stack));
  EXPECT_TRUE(mailbox.take().empty()) << "an empty one is nothing";
  for (std::size_t index = 1; index <= 3; ++index) stack.push(messages[index]);
  mailbox.post(messages[0]);
  mailbox.post(std::move(stack));
  EXPECT_TRUE(stack.empty());
  stack.push(messages[4]);
  mailbox.post(std::move(stack));
  EXPECT_EQ(numbers_of(mailbox.take()), (std::vector{0, 1, 2, 3, 4}));
}

TEST_F(MailboxTest, AStackGivesTheNewestFirst) {
  MessageStack stack;
  for (std::size_t index = 0; index < 3; ++index) stack.push(messages[index]);
  for (std::size_t index = 3; index-- > 0;) EXPECT_EQ(stack.pop(), &messages[index]);
  EXPECT_EQ(stack.pop(), nullptr);
}

TEST_F(MailboxTest, ListsAreAppendedInOrder) {
  MessageList list = run(0, 1);
  list.append(MessageList{});
  list.append(run(2, 4));
  MessageList empty;
  empty.append(std::move(list));
  EXPECT_EQ(numbers_of(std::move(empty)), (std::vector{0, 1, 2, 3, 4}));
}

TEST_F(MailboxTest, AnOwnerThatIsAwakeIsNotWoken) {
  mailbox.post(messages[0]);
  EXPECT_EQ(waker.wakes, 0);
}

TEST_F(MailboxTest, ASleepingOwnerIsWokenOnce) {
  ASSERT_TRUE(mailbox.prepare_to_sleep());
  mailbox.post(messages[0]);
  mailbox.post(messages[1]);
  mailbox.post(run(2, 3));
  EXPECT_EQ(waker.wakes, 1);
  EXPECT_EQ(numbers_of(mailbox.take()), (std::vector{0, 1, 2, 3}));
  ASSERT_TRUE(mailbox.prepare_to_sleep());
  mailbox.post(run(4, 6));
  EXPECT_EQ(waker.wakes, 2);
}

TEST_F(MailboxTest, AnOwnerWithMailDoesNotSleep) {
  mailbox.post(messages[0]);
  EXPECT_FALSE(mailbox.prepare_to_sleep());
  EXPECT_EQ(numbers_of(mailbox.take()), (std::vector{0}));
  EXPECT_TRUE(mailbox.prepare_to_sleep());
}

TEST_F(MailboxTest, SleepingTwiceWithoutTakingIsStillSleeping) {
  ASSERT_TRUE(mailbox.prepare_to_sleep());
  ASSERT_TRUE(mailbox.prepare_to_sleep());
  EXPECT_TRUE(mailbox.take().empty());
  mailbox.post(messages[0]);
  EXPECT_EQ(waker.wakes, 0) << "taking ends the sleep";
}

// The owner sleeps for real, on an atomic, so a lost wake-up would hang and lost or reordered
// messages show in the numbers. The fields of the messages are plain memory: under ThreadSanitizer
// this also checks the edge from post to take.
TEST(MailboxThreadsTest, NothingIsLostOrReorderedAndNoWakeUpIsMissed) {
  struct SleepingWaker final : Waker {
    void wake() noexcept override {
      woken.store(true, std::memory_order_release);
      woken.notify_one();
    }
    std::atomic<bool> woken{false};
  };
  constexpr int kPosters = 4;
  constexpr int kMessages = 5'000;
  constexpr int kRun = 3;
  SleepingWaker waker;
  Mailbox mailbox(waker);
  std::vector<std::vector<Numbered>> messages(kPosters, std::vector<Numbered>(kMessages));
  std::vector<std::thread> threads;
  for (int poster = 0; poster < kPosters; ++poster) {
    threads.emplace_back([&, poster] {
      auto& mine = messages[static_cast<std::size_t>(poster)];
      for (int number = 0; number < kMessages;) {
        MessageList list;
        const int run = number % 2 == 0 ? 1 : kRun;
        for (int part = 0; part < run && number < kMessages; ++part, ++number) {
          Numbered& message = mine[static_cast<std::size_t>(number)];
          message.poster = poster;
          message.number = number;
          list.push_back(message);
        }
        if (run == 1) {
          mailbox.post(*list.pop_front());
        } else {
          mailbox.post(std::move(list));
        }
        if (number % 64 == 0) std::this_thread::yield();
      }
    });
  }
  std::array<int, kPosters> expected{};
  for (int total = 0; total < kPosters * kMessages;) {
    MessageList list = mailbox.take();
    while (Message* message = list.pop_front()) {
      const auto& numbered = static_cast<Numbered&>(*message);
      ASSERT_EQ(numbered.number, expected[static_cast<std::size_t>(numbered.poster)]++);
      ++total;
    }
    if (total < kPosters * kMessages && mailbox.prepare_to_sleep()) {
      waker.woken.wait(false, std::memory_order_acquire);
      waker.woken.store(false, std::memory_order_relaxed);
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(mailbox.take().empty());
}

}  // namespace
}  // namespace tokend::core
