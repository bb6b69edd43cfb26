#pragma once
// Work that may block, done away from the loops.

#include "core/mailbox.h"

namespace tokend::store {

// `run` is called once on some worker's thread; what happens afterwards (posting the job home) is
// part of it. Jobs live in their askers' operations.
struct Job {
  Job* next = nullptr;
  void (*run)(Job&) noexcept = nullptr;
};

class Executor {
 public:
  // Any thread. False: the queue is at its limit and the job was not taken.
  [[nodiscard]] virtual bool submit(Job& job) noexcept = 0;

 protected:
  ~Executor() = default;
};

}  // namespace tokend::store
