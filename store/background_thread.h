#pragma once
// A thread that does one kind of work whenever it is woken, e.g. a file that has to be ready before
// it is needed, and after each period without a wake, if it was given one. Wakes that come while it
// works make it work once more. Where processors are short it gets what those leave who answer
// requests: it has a niceness, which Linux keeps for each thread.
//
// start() and stop() from one thread, wake() from any.

#include <pthread.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/time_slice.h"

namespace tokend::store {

class BackgroundThread {
 public:
  // Added to the process's own. A tenth of the weight of a thread that serves: with an equal one a
  // table that is made on a loop's processor takes a third of it from loop and committer, and
  // requests queue up.
  static constexpr int kNiceness = 10;

  // A little longer than what Linux gives those that serve (3 ms at most, by default), so one of
  // them that wakes has the processor at once, and does not wait for a turn's end first. Not much
  // longer: one that wakes after more than its share waits for that end all the same.
  static constexpr std::chrono::milliseconds kTimeSlice{4};

  BackgroundThread() = default;
  ~BackgroundThread() { stop(); }
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;

  // `name`: at most 15 characters. With a `period` it also works at the start and whenever nobody
  // has woken it for so long. Errc::io: the system has no more threads.
  [[nodiscard]] core::Result<void> start(const char* name, std::function<void()> work,
                                         std::chrono::seconds period = {}) {
    work_ = std::move(work);
    period_ = period;
    wanted_ = period.count() > 0;
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
      return core::fail(core::Errc::io, std::string("cannot start a thread: ") + error.what());
    }
    pthread_setname_np(thread_.native_handle(), name);
    return {};
  }

  void wake() {
    {
      const std::lock_guard guard(mutex_);
      wanted_ = true;
    }
    wakes_.notify_one();
  }

  // For the work: somebody waits in stop() for its end.
  [[nodiscard]] bool is_stopping() {
    const std::lock_guard guard(mutex_);
    return stops_;
  }

  // Returns when the work under way has ended; what was wanted beside it is not done any more.
  void stop() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard guard(mutex_);
      stops_ = true;
    }
    wakes_.notify_one();
    thread_.join();
  }

 private:
  void run() {
    // Of this thread only. Anybody may become nicer; where that is forbidden all works as before.
    static_cast<void>(nice(kNiceness));
    core::set_time_slice(kTimeSlice);
    for (;;) {
      {
        std::unique_lock guard(mutex_);
        const auto is_due = [this] { return wanted_ || stops_; };
        if (period_.count() > 0) {
          wakes_.wait_for(guard, period_, is_due);
        } else {
          wakes_.wait(guard, is_due);
        }
        if (stops_) return;
        wanted_ = false;
      }
      work_();
    }
  }

  std::function<void()> work_;
  std::chrono::seconds period_{};  // 0: only when woken
  std::thread thread_;
  std::mutex mutex_;  // guards the two below
  std::condition_variable wakes_;
  bool wanted_ = false;
  bool stops_ = false;
};

}  // namespace tokend::store
