#pragma once
// One core's loop: it owns the core's ring, receive buffers, send blocks, timers, mailbox and
// connections.
//
// A turn, in this order, which is argued in reactor.cpp: the clock is read, mailbox, completions,
// timers, one flush of what is to be sent, the outbox if it is worth a batch, submit and wait. The
// loop sleeps only in the last step, and only when nothing was left to do.
//
// Concurrency: everything on the thread that runs the loop, but for what says "any thread". Limits:
// ReactorOptions and, for one turn, kCompletionsPerTurnMax. The loop makes one system call a turn
// (io_uring_enter), two when it hands over what it held back, and others only when it wakes a
// thread that sleeps or a connection comes or goes.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/clock.h"
#include "core/descriptor.h"
#include "core/error.h"
#include "core/mailbox.h"
#include "core/metrics.h"
#include "core/outbox.h"
#include "core/session.h"
#include "core/timers.h"

namespace tokend::core {

struct ReactorOptions {
  std::size_t connections_max = 16'384;
  std::size_t receive_buffers = 1024;  // power of two
  std::size_t receive_buffer_bytes = 8192;
  std::size_t send_blocks_max = 65'536;
  std::int64_t linger_timeout_ms = 2'000;  // after the last byte was sent: lingering close
  std::int64_t send_timeout_ms = 30'000;   // a peer that takes nothing
  // Every connection must begin with a header of the PROXY protocol, version 2, which comes whole
  // within that time (core/proxy_session).
  bool proxy_protocol = false;
  std::int64_t proxy_header_timeout_ms = 10'000;
};

class Reactor {
 public:
  static constexpr std::size_t kCompletionsPerTurnMax = 1024;
  static constexpr std::size_t kListenersMax = 65;
  // How long accepting rests after descriptors or memory were exhausted.
  static constexpr std::int64_t kAcceptRestMs = 100;
  // Between the stop of accepting and Session::on_drain: what had reached this machine by then is
  // read and answered like any other request.
  static constexpr std::int64_t kDrainGraceMs = 20;

  // Takes address space; trips a CHECK when there is none.
  Reactor(const ReactorOptions& options, const Clock& clock);
  ~Reactor();

  // Any thread may post, before the loop runs as well. A message posted after the loop has ended
  // stays until deliver_mail().
  [[nodiscard]] Mailbox& mailbox() noexcept;
  // What is put there leaves at the end of the turn.
  [[nodiscard]] Outbox& outbox() noexcept;
  [[nodiscard]] const TurnClock& turn_clock() const noexcept;
  // Entries fire in the loop, before what was written is sent.
  [[nodiscard]] TimerWheel& timers() noexcept;
  [[nodiscard]] BlockPool& blocks() noexcept;
  // Any thread may read it.
  [[nodiscard]] const CoreMetrics& metrics() const noexcept;

  // Makes the ring and lends it the buffers. Any thread, before run(). Errc::unavailable with the
  // cause and the remedy.
  [[nodiscard]] Result<void> open();
  // Before run(). The socket listens already and is in blocking mode (a non-blocking one would make
  // the ring fail its operations with EAGAIN instead of waiting). `factory` makes the sessions of
  // its connections, without a PROXY header, and outlives run(); nullptr: the one that run() is
  // given.
  void add_listener(Descriptor listener, SessionFactory* factory = nullptr);

  // Makes the calling thread the loop's. Then run() returns when the server has drained.
  [[nodiscard]] Result<void> enable();
  void run(SessionFactory& factory) noexcept;

  // Any thread; only the first call counts. Stops accepting, serves what is in the accept queue,
  // drains the sessions and lets run() return when no connection is left and the factory is idle;
  // connections left after `drain_timeout_ms` are aborted. Messages are delivered until the end.
  void request_stop(std::int64_t drain_timeout_ms) noexcept;

  // After run() has returned: delivers what was posted since, on the calling thread.
  void deliver_mail() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokend::core
