#pragma once
// Signals as work of one thread, so that no handler ever runs beside the loops. SIGTERM, SIGINT and
// SIGHUP ask for the end: the first one politely, a second one at once. A write to a peer that is
// gone is an error of that write, so SIGPIPE is ignored.
//
// Concurrency: block() on the first thread before any other exists; the rest on that thread. The
// callbacks run on the watch's own thread.

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

namespace tokend::tools {

class SignalWatch {
 public:
  // For this thread and all that it makes.
  static void block();

  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  // Before this a signal ends the process at once: nothing has been promised to anybody yet.
  // `on_tick` is called about once a second. Both until release() returns.
  void serve(std::function<void(int signal)> on_stop, std::function<void()> on_tick);
  void release();

 private:
  static constexpr int kTickSeconds = 1;
  static constexpr int kSignalExitBase = 128;  // as shells report a death by a signal

  void run();
  void on_signal(int signal);
  void on_tick();

  std::mutex mutex_;  // guards the callbacks
  std::function<void(int)> on_stop_;
  std::function<void()> on_tick_;
  bool stopping_ = false;  // the watch's thread only
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace tokend::tools
