#pragma once
// The thread that steps a Committer and those that step its shards, and the Wakers of their
// mailboxes. Apart from the Committer so that a simulator can step one without a thread.
//
// Made first (the Committer needs the Wakers), started when the Committer and all Stores exist.

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/mailbox.h"
#include "core/thread_waker.h"

namespace tokend::store {

class Committer;
class IssuingShard;

class CommitterThread final : public core::Waker {
 public:
  explicit CommitterThread(std::size_t shards = 0);
  ~CommitterThread();  // stops
  CommitterThread(const CommitterThread&) = delete;
  CommitterThread& operator=(const CommitterThread&) = delete;

  // Of as many as there are.
  [[nodiscard]] core::Waker& shard_waker(std::size_t shard) noexcept {
    return shards_[shard]->waker;
  }

  // Errc::io: the system has no more threads.
  [[nodiscard]] core::Result<void> start(Committer& committer);
  // Commits and answers everything that was posted before, then ends the threads. Idempotent. To be
  // called after the cores have drained, since their last answers come from here; what would have
  // to wait for the acknowledgement of a core that no longer runs stays unanswered.
  void stop() noexcept;

  void wake() noexcept override;

 private:
  struct ShardThread {
    core::ThreadWaker waker;
    std::thread thread;
  };
  void run(Committer& committer) noexcept;
  void run(IssuingShard& shard, core::ThreadWaker& waker) noexcept;

  Committer* committer_ = nullptr;  // since start()
  std::vector<std::unique_ptr<ShardThread>> shards_;
  std::atomic<bool> shards_stopping_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace tokend::store
