#include "core/mailbox.h"

#include <utility>

namespace tokend::core {
namespace {

// Its address says "empty, and the owner sleeps".
constinit Message asleep_marker;

}  // namespace

void Mailbox::post(Message& message) noexcept { post_chain(&message, &message); }

void Mailbox::post(MessageList&& messages) noexcept {
  if (messages.empty()) return;
  // The stack is newest first, so the run is reversed before it is pushed.
  Message* oldest = messages.head_;
  Message* reversed = nullptr;
  for (Message* message = messages.head_; message;) {
    Message* following = message->next;
    message->next = reversed;
    reversed = message;
    message = following;
  }
  messages.head_ = messages.tail_ = nullptr;
  post_chain(reversed, oldest);
}

void Mailbox::post(MessageStack&& messages) noexcept {
  if (messages.empty()) return;
  post_chain(std::exchange(messages.newest_, nullptr), messages.oldest_);
}

void Mailbox::post_chain(Message* newest, Message* oldest) noexcept {
  Message* seen = newest_.load(std::memory_order_relaxed);
  do {
    oldest->next = seen == &asleep_marker ? nullptr : seen;
  } while (!newest_.compare_exchange_weak(seen, newest, std::memory_order_release,
                                          std::memory_order_relaxed));
  // Only the poster that replaced the marker wakes, so a sleeping owner gets one wake-up.
  if (seen == &asleep_marker) waker_.wake();
}

MessageList Mailbox::take() noexcept {
  MessageList list;
  if (newest_.load(std::memory_order_relaxed) == nullptr) return list;
  Message* message = newest_.exchange(nullptr, std::memory_order_acquire);
  if (message == &asleep_marker) return list;
  list.tail_ = message;
  Message* reversed = nullptr;
  while (message) {
    Message* older = message->next;
    message->next = reversed;
    reversed = message;
    message = older;
  }
  list.head_ = reversed;
  return list;
}

bool Mailbox::prepare_to_sleep() noexcept {
  Message* expected = nullptr;
  return newest_.compare_exchange_strong(expected, &asleep_marker, std::memory_order_acq_rel,
                                         std::memory_order_relaxed) ||
         expected == &asleep_marker;
}

}  // namespace tokend::core
