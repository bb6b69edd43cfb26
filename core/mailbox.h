#pragma once
// The one way from thread to thread. Other threads leave intrusive messages; the owner takes them
// all at once, oldest first. A message goes out and the same object comes home: nothing is copied
// and nothing is allocated, so a mailbox holds as many messages as their owners have objects.
//
// Concurrency: post() from any thread; everything else on the owner's thread. Lock-free: one atomic
// word holds the newest message, or kAsleep while the owner is about to sleep or sleeps. Messages
// of one poster arrive in the order in which they were posted, and a message posted after another
// post() returned arrives after it. The happens-before edge of post() and take() is what lets the
// fields of a message be plain memory.

#include <atomic>

#include "core/cache_line.h"

namespace tokend::core {

// Whatever travels derives from Message. `deliver` runs on the thread of the mailbox's owner. While
// it runs, `next` is the message that is delivered after this one, or nullptr: whoever knows what
// that will touch can have it fetched into the cache in the meantime.
struct Message {
  Message* next = nullptr;
  void (*deliver)(Message&) noexcept = nullptr;
};

// A singly linked run of messages in order of arrival; owns nothing.
class MessageList {
 public:
  void push_back(Message& message) noexcept {
    message.next = nullptr;
    (tail_ ? tail_->next : head_) = &message;
    tail_ = &message;
  }
  Message* pop_front() noexcept {
    Message* first = head_;
    if (first) {
      head_ = first->next;
      if (!head_) tail_ = nullptr;
    }
    return first;
  }
  void append(MessageList&& later) noexcept {
    if (later.empty()) return;
    (tail_ ? tail_->next : head_) = later.head_;
    tail_ = later.tail_;
    later.head_ = later.tail_ = nullptr;
  }
  [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
  [[nodiscard]] Message* front() const noexcept { return head_; }

 private:
  friend class Mailbox;
  Message* head_ = nullptr;
  Message* tail_ = nullptr;
};

// Likewise, but newest first, as a mailbox holds them: whoever gathers messages one by one so hands
// them over without touching each of them once more.
class MessageStack {
 public:
  void push(Message& message) noexcept {
    message.next = newest_;
    if (!newest_) oldest_ = &message;
    newest_ = &message;
  }
  Message* pop() noexcept {
    Message* newest = newest_;
    if (newest) newest_ = newest->next;
    return newest;
  }
  [[nodiscard]] bool empty() const noexcept { return newest_ == nullptr; }

 private:
  friend class Mailbox;
  Message* newest_ = nullptr;
  Message* oldest_ = nullptr;  // while there is a newest one
};

// How a sleeping owner is woken; called by the posting thread.
class Waker {
 public:
  virtual void wake() noexcept = 0;

 protected:
  ~Waker() = default;
};

class Mailbox {
 public:
  explicit Mailbox(Waker& waker) noexcept : waker_(waker) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread. Wakes the owner only when it sleeps.
  void post(Message& message) noexcept;
  // Any thread. One atomic step for the whole run, whose order is kept.
  void post(MessageList&& messages) noexcept;
  void post(MessageStack&& messages) noexcept;

  // Owner. Everything that waits, oldest first.
  [[nodiscard]] MessageList take() noexcept;
  // Owner, before it sleeps. False when something waits: do not sleep. After true every post()
  // calls Waker::wake once, until the owner takes.
  [[nodiscard]] bool prepare_to_sleep() noexcept;

 private:
  void post_chain(Message* newest, Message* oldest) noexcept;

  Waker& waker_;
  // Newest first; reversed by take(). On a line of its own: every poster writes it.
  alignas(kCacheLineBytes) std::atomic<Message*> newest_{nullptr};
};

}  // namespace tokend::core
