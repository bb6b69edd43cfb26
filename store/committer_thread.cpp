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

CommitterThread::~CommitterThread() { stop(); }

core::Result<void> CommitterThread::start(Committer& committer) {
  CHECK(!thread_.joinable());
  stopping_.store(false, std::memory_order_relaxed);
  committer_ = &committer;
  try {
    thread_ = std::thread([this, &committer] { run(committer); });
  } catch (const std::system_error& error) {
    return core::fail(core::Errc::io, std::string("cannot start a thread: ") + error.what());
  }
  pthread_setname_np(thread_.native_handle(), "committer");
  return {};
}

void CommitterThread::stop() noexcept {
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

}  // namespace tokend::store
