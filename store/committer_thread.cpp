#include "store/committer_thread.h"

#include <pthread.h>

#include <chrono>
#include <string>
#include <system_error>

#include "core/time_slice.h"
#include "store/committer.h"

namespace tokend::store {

namespace {

// The least that Linux takes. It works for about that long, as a batch takes, and waits for the
// disk then; with the usual slice a core on the same processor keeps it waiting for milliseconds at
// times.
constexpr std::chrono::microseconds kTimeSlice{100};

}  // namespace

CommitterThread::CommitterThread(std::size_t shards) {
  for (std::size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<ShardThread>());
}

CommitterThread::~CommitterThread() { stop(); }

core::Result<void> CommitterThread::start(Committer& committer) {
  // Once: shards that have left do not come back.
  CHECK(!committer_ && committer.shards().size() == shards_.size());
  committer_ = &committer;
  try {
    thread_ = std::thread([this, &committer] { run(committer); });
    pthread_setname_np(thread_.native_handle(), "committer");
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      ShardThread& own = *shards_[i];
      IssuingShard& shard = *committer.shards()[i];
      own.thread = std::thread([this, &shard, &own] { run(shard, own.waker); });
      pthread_setname_np(own.thread.native_handle(), ("shard/" + std::to_string(i)).c_str());
    }
  } catch (const std::system_error& error) {
    // The committer must not wait for those that there are no threads for.
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      if (!shards_[i]->thread.joinable()) committer.shards()[i]->leave();
    }
    return core::fail(core::Errc::io, std::string("cannot start a thread: ") + error.what());
  }
  return {};
}

// The shards first: what they have still to do the committer must answer.
void CommitterThread::stop() noexcept {
  shards_stopping_.store(true, std::memory_order_release);
  for (const auto& shard : shards_) {
    if (!shard->thread.joinable()) continue;
    shard->waker.wake();
    shard->thread.join();
  }
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  wake();
  thread_.join();
}

// Only a committer that was about to sleep is woken, so the thread runs or has run.
void CommitterThread::wake() noexcept { committer_->interrupt(); }

void CommitterThread::run(Committer& committer) noexcept {
  core::set_time_slice(kTimeSlice);
  for (;;) {
    // Read before the step: what was posted before stop() is then in this step or an earlier one.
    const bool stopping = stopping_.load(std::memory_order_acquire);
    if (committer.step()) continue;
    if (stopping && committer.idle()) return;
    if (!committer.mailbox().prepare_to_sleep()) continue;
    committer.wait();
  }
}

void CommitterThread::run(IssuingShard& shard, core::ThreadWaker& waker) noexcept {
  core::set_time_slice(kTimeSlice);
  for (;;) {
    const bool stopping = shards_stopping_.load(std::memory_order_acquire);
    if (shard.step()) continue;
    if (stopping && shard.idle()) return shard.leave();
    if (!shard.mailbox().prepare_to_sleep()) continue;
    waker.wait();
  }
}

}  // namespace tokend::store
