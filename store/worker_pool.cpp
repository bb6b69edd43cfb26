#include "store/worker_pool.h"

#include <pthread.h>

#include <system_error>

namespace tokend::store {

WorkerPool::WorkerPool(const WorkerPoolOptions& options) : options_(options) {
  CHECK(options_.threads > 0 && options_.queue_max > 0 && options_.name.size() <= 12);
  CHECK(sem_init(&available_, 0, 0) == 0);
}

WorkerPool::~WorkerPool() {
  stop();
  sem_destroy(&available_);
}

core::Result<void> WorkerPool::start() {
  CHECK(threads_.empty());
  for (std::size_t i = 0; i < options_.threads; ++i) {
    try {
      threads_.emplace_back([this] { run(); });
    } catch (const std::system_error& error) {
      stop();
      return core::fail(core::Errc::io, std::string("cannot start a thread: ") + error.what());
    }
    const std::string name = options_.name + "/" + std::to_string(i);
    pthread_setname_np(threads_.back().native_handle(), name.substr(0, 15).c_str());
  }
  return {};
}

void WorkerPool::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  for (std::size_t i = 0; i < threads_.size(); ++i) sem_post(&available_);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool WorkerPool::submit(Job& job) noexcept {
  if (queued_.fetch_add(1, std::memory_order_relaxed) >= options_.queue_max) {
    queued_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  Job* seen = newest_.load(std::memory_order_relaxed);
  do {
    job.next = seen;
  } while (!newest_.compare_exchange_weak(seen, &job, std::memory_order_release,
                                          std::memory_order_relaxed));
  // Once for each job: a worker that got a permit finds a job, or the end.
  sem_post(&available_);
  return true;
}

Job* WorkerPool::take() noexcept {
  const std::lock_guard lock(workers_);
  if (!oldest_) {
    Job* job = newest_.exchange(nullptr, std::memory_order_acquire);
    while (job) {
      Job* older = job->next;
      job->next = oldest_;
      oldest_ = job;
      job = older;
    }
  }
  Job* job = oldest_;
  if (job) oldest_ = job->next;
  return job;
}

void WorkerPool::run() noexcept {
  for (;;) {
    while (sem_wait(&available_) != 0) {
    }
    Job* job = take();
    if (!job) {
      // No job behind a permit: the permit was stop()'s, and everything submitted before is taken.
      if (stopping_.load(std::memory_order_acquire)) return;
      continue;
    }
    // The job may be gone afterwards: running it posts it home.
    job->run(*job);
    queued_.fetch_sub(1, std::memory_order_relaxed);
  }
}

}  // namespace tokend::store
