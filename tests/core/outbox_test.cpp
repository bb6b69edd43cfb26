#include "core/outbox.h"

#include <gtest/gtest.h>

#include <array>

namespace tokend::core {
namespace {

class CountingWaker final : public Waker {
 public:
  void wake() noexcept override { ++wakes; }
  int wakes = 0;
};

TEST(Outbox, NothingLeavesBeforeTheFlush) {
  CountingWaker waker;
  Mailbox mailbox(waker);
  Outbox outbox;
  Message message;
  outbox.put(mailbox, message);
  EXPECT_TRUE(mailbox.take().empty());
  outbox.flush();
  EXPECT_EQ(mailbox.take().pop_front(), &message);
}

TEST(Outbox, AllOfATurnArriveInOrderWithOneWakeUp) {
  CountingWaker waker;
  Mailbox mailbox(waker);
  ASSERT_TRUE(mailbox.prepare_to_sleep());
  Outbox outbox;
  std::array<Message, 5> messages;
  for (Message& message : messages) outbox.put(mailbox, message);
  outbox.flush();
  EXPECT_EQ(waker.wakes, 1);
  MessageList taken = mailbox.take();
  for (Message& message : messages) EXPECT_EQ(taken.pop_front(), &message);
  EXPECT_EQ(taken.pop_front(), nullptr);
}

TEST(Outbox, ReceiversDoNotMix) {
  CountingWaker waker;
  Mailbox first(waker);
  Mailbox second(waker);
  Outbox outbox;
  std::array<Message, 3> messages;
  outbox.put(first, messages[0]);
  outbox.put(second, messages[1]);
  outbox.put(first, messages[2]);
  outbox.flush();
  MessageList to_first = first.take();
  EXPECT_EQ(to_first.pop_front(), &messages[0]);
  EXPECT_EQ(to_first.pop_front(), &messages[2]);
  EXPECT_EQ(to_first.pop_front(), nullptr);
  EXPECT_EQ(second.take().pop_front(), &messages[1]);
}

TEST(Outbox, AFlushWithNothingNewSendsNothingAgain) {
  CountingWaker waker;
  Mailbox mailbox(waker);
  Outbox outbox;
  Message message;
  outbox.put(mailbox, message);
  outbox.flush();
  EXPECT_FALSE(mailbox.take().empty());
  outbox.flush();
  EXPECT_TRUE(mailbox.take().empty());
}

}  // namespace
}  // namespace tokend::core
