#pragma once
// The other ends of a store that runs in one thread: nobody is woken, and no work is taken.

#include "core/mailbox.h"
#include "store/executor.h"

namespace tokend::bench {

// Of a mailbox whose owner takes from it without ever sleeping.
class NobodySleeps final : public core::Waker {
 public:
  void wake() noexcept override {}
};

class Idle final : public store::Executor {
 public:
  bool submit(store::Job&) noexcept override { return false; }
};

}  // namespace tokend::bench
