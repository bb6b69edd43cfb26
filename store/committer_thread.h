#pragma once
// The thread that steps a Committer, and the Waker of its mailbox. Apart from the Committer so that
// a simulator can step one without a thread.
//
// Made first (the Committer needs its Waker), started when the Committer and all Stores exist.

#include <atomic>
#include <thread>

#include "core/error.h"
#include "core/mailbox.h"

namespace tokend::store {

class Committer;

class CommitterThread final : public core::Waker {
 public:
  CommitterThread() noexcept = default;
  ~CommitterThread();  // stops
  CommitterThread(const CommitterThread&) = delete;
  CommitterThread& operator=(const CommitterThread&) = delete;

  [[nodiscard]] core::Result<void> start(Committer& committer);
  // Commits and answers everything that was posted before, then ends the thread. Idempotent. To be
  // called after the cores have drained, since their last answers come from here; what would have
  // to wait for the acknowledgement of a core that no longer runs stays unanswered.
  void stop() noexcept;

  void wake() noexcept override;

 private:
  void run(Committer& committer) noexcept;

  Committer* committer_ = nullptr;  // while the thread runs
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace tokend::store
