#pragma once
// Wakes a thread that does nothing but wait for its mailbox.
//
// Concurrency: wait() by that thread, after Mailbox::prepare_to_sleep() or when it looks for
// something else that wake() tells of; wake() from any.

#include <semaphore>

#include "core/cache_line.h"
#include "core/mailbox.h"

namespace tokend::core {

class alignas(kCacheLineBytes) ThreadWaker final : public Waker {
 public:
  void wake() noexcept override { wakes_.release(); }
  // Returns also for a wake that came before.
  void wait() noexcept { wakes_.acquire(); }

 private:
  std::counting_semaphore<> wakes_{0};
};

}  // namespace tokend::core
