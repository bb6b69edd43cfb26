#pragma once
// What stands behind Reactor: the turn is in reactor.cpp, connections and the end of the loop in
// reactor_connections.cpp. Only for these two.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/buffers.h"
#include "core/connection.h"
#include "core/hand_over.h"
#include "core/listener.h"
#include "core/reactor.h"
#include "core/ring.h"
#include "core/slots.h"
#include "core/timers.h"

namespace tokend::core {

struct ArmedListener {
  Descriptor socket;
  SessionFactory* factory;  // of its own; nullptr: the one that run() is given
  bool accepting = false;   // the multishot accept is armed
};

template <class Owner, void (Owner::*method)() noexcept>
struct OwnedTimer final : TimerEntry {
  explicit OwnedTimer(Owner& its_owner) noexcept
      : TimerEntry(
            [](TimerEntry& entry) noexcept { (static_cast<OwnedTimer&>(entry).owner.*method)(); }),
        owner(its_owner) {}
  Owner& owner;
};

struct Reactor::Impl final : Waker {
  struct StopMessage final : Message {
    Impl* reactor = nullptr;
  };

  Impl(const ReactorOptions& given, const Clock& the_clock)
      : options(given),
        clock(the_clock),
        now{the_clock.monotonic_ns(), the_clock.wall_ms()},
        mailbox(*this),
        blocks(given.send_blocks_max),
        buffers(given.receive_buffers, given.receive_buffer_bytes),
        timers(now.monotonic_ns),
        slots(given.connections_max),
        parts{.ring = ring,
              .buffers = buffers,
              .blocks = blocks,
              .timers = timers,
              .gathers = gathers,
              .attention = attention,
              .metrics = metrics,
              .clock = now,
              .linger_timeout_ns = given.linger_timeout_ms * kNanosecondsPerMillisecond,
              .send_timeout_ns = given.send_timeout_ms * kNanosecondsPerMillisecond},
        accept_rest(*this),
        drain_grace(*this),
        drain_end(*this) {
    stop_message.reactor = this;
    stop_message.deliver = [](Message& message) noexcept {
      static_cast<StopMessage&>(message).reactor->begin_drain();
    };
  }

  // Any thread.
  void wake() noexcept override;

  // The turn.
  void run() noexcept;
  void read_clock() noexcept { now = {clock.monotonic_ns(), clock.wall_ms()}; }
  void deliver_mail() noexcept;
  void dispatch_completions() noexcept;
  void dispatch(const Completion& completion) noexcept;
  void settle_connections() noexcept;
  void submit_and_sleep() noexcept;
  void read_wakeups() noexcept;

  // Connections.
  void accept_on(std::uint32_t index) noexcept;
  void on_accepted(std::uint32_t index, const Completion& completion) noexcept;
  void admit(Descriptor socket, SessionFactory& its_factory) noexcept;
  [[nodiscard]] SessionFactory& factory_of(const ArmedListener& listener) noexcept {
    return listener.factory ? *listener.factory : *factory;
  }
  void close(Connection& connection) noexcept;
  [[nodiscard]] Connection& connection_of(Tag tag) noexcept;
  void rest_accepting() noexcept;
  void resume_accepting() noexcept;

  // The end.
  void begin_drain() noexcept;
  void close_listener(ArmedListener& listener) noexcept;
  void drain_sessions() noexcept;
  void abort_connections() noexcept;
  [[nodiscard]] bool finished() const noexcept;

  const ReactorOptions options;
  const Clock& clock;
  TurnClock now;
  SessionFactory* factory = nullptr;
  Mailbox mailbox;
  Outbox outbox;
  HandOver hand_over;
  CoreMetrics metrics;
  BlockPool blocks;
  ReceiveBuffers buffers;
  Ring ring;  // behind the memory that it was lent, so that it goes first
  TimerWheel timers;
  GatherArena gathers;
  AttentionList attention;
  Slots slots;
  ConnectionParts parts;
  std::vector<ArmedListener> listeners;
  std::size_t listeners_open = 0;
  std::array<Completion, kCompletionsPerTurnMax> completions;
  std::size_t completions_in_turn = 0;

  Descriptor wake_event;
  std::uint64_t wake_count = 0;  // where the ring reads the event's value to

  OwnedTimer<Impl, &Impl::resume_accepting> accept_rest;
  OwnedTimer<Impl, &Impl::drain_sessions> drain_grace;
  OwnedTimer<Impl, &Impl::abort_connections> drain_end;
  StopMessage stop_message;
  std::atomic_flag stop_requested;
  std::int64_t drain_timeout_ms = 0;  // written before the stop message is posted
  bool draining = false;
  bool aborting = false;
};

}  // namespace tokend::core
