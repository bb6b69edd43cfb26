#pragma once
// Executor over real threads with a bounded queue: disk reads that memory could not answer, and
// bcrypt.
//
// Concurrency: submit() from any thread and lock-free: one atomic count for the limit, one atomic
// word onto which the job is pushed (as in core::Mailbox), and sem_post, which enters the kernel
// only when a worker sleeps. The mutex is the workers' own: they hold it while one of them turns
// the pushed jobs round and takes the oldest, and a loop never touches it.

#include <semaphore.h>

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/cache_line.h"
#include "core/error.h"
#include "store/executor.h"

namespace tokend::store {

struct WorkerPoolOptions {
  std::string name = "worker";  // of the threads, at most 12 characters
  std::size_t threads = 1;
  std::size_t queue_max = 1024;  // jobs that wait or run
};

class WorkerPool final : public Executor {
 public:
  explicit WorkerPool(const WorkerPoolOptions& options);
  ~WorkerPool();  // stops
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Errc::io when the system has no more threads.
  [[nodiscard]] core::Result<void> start();
  // Runs what was taken, then ends the threads. Idempotent; no submit() may run beside it.
  void stop() noexcept;

  [[nodiscard]] bool submit(Job& job) noexcept override;
  // Any thread; jobs that wait or run.
  [[nodiscard]] std::size_t queued() const noexcept {
    return queued_.load(std::memory_order_relaxed);
  }

 private:
  void run() noexcept;
  Job* take() noexcept;

  const WorkerPoolOptions options_;
  sem_t available_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;

  alignas(core::kCacheLineBytes) std::atomic<Job*> newest_{nullptr};
  std::atomic<std::size_t> queued_{0};

  std::mutex workers_;     // guards oldest_
  Job* oldest_ = nullptr;  // in order of arrival
};

}  // namespace tokend::store
