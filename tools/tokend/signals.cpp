#include "tools/tokend/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

namespace tokend::tools {
namespace {

// Ends the watch's own thread; nobody else has a reason to send it.
constexpr int kEndSignal = SIGUSR1;

sigset_t watched_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, kEndSignal}) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

void SignalWatch::block() {
  const sigset_t signals = watched_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

SignalWatch::SignalWatch() : thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "signals");
}

SignalWatch::~SignalWatch() {
  ending_.store(true);
  pthread_kill(thread_.native_handle(), kEndSignal);
  thread_.join();
}

void SignalWatch::serve(std::function<void(int)> on_stop, std::function<void()> on_tick) {
  const std::lock_guard lock(mutex_);
  on_stop_ = std::move(on_stop);
  on_tick_ = std::move(on_tick);
}

void SignalWatch::release() {
  const std::lock_guard lock(mutex_);
  // A signal that comes from now on finds a server that is ending anyway.
  on_stop_ = [](int) {};
  on_tick_ = nullptr;
}

void SignalWatch::run() {
  const sigset_t signals = watched_signals();
  while (!ending_.load()) {
    const timespec tick{.tv_sec = kTickSeconds, .tv_nsec = 0};
    const int signal = sigtimedwait(&signals, nullptr, &tick);
    if (signal == kEndSignal) continue;
    if (signal > 0) {
      on_signal(signal);
    } else if (errno == EAGAIN) {
      on_tick();
    }
  }
}

void SignalWatch::on_signal(int signal) {
  const std::lock_guard lock(mutex_);
  if (!on_stop_ || stopping_) _exit(kSignalExitBase + signal);
  stopping_ = true;
  on_stop_(signal);
}

void SignalWatch::on_tick() {
  const std::lock_guard lock(mutex_);
  if (on_tick_) on_tick_();
}

}  // namespace tokend::tools
