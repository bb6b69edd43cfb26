#include "core/reactor.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/buffers.h"
#include "core/connection.h"
#include "core/hand_over.h"
#include "core/listener.h"
#include "core/ring.h"
#include "core/slots.h"
#include "core/timers.h"

namespace tokend::core {
namespace {

struct Listener {
  Descriptor socket;
  bool accepting = false;  // the multishot accept is armed
};

template <class Owner, void (Owner::*method)() noexcept>
struct OwnedTimer final : TimerEntry {
  explicit OwnedTimer(Owner& its_owner) noexcept
      : TimerEntry(
            [](TimerEntry& entry) noexcept { (static_cast<OwnedTimer&>(entry).owner.*method)(); }),
        owner(its_owner) {}
  Owner& owner;
};

}  // namespace

struct Reactor::Impl final : Waker {
  struct StopMessage final : Message {
    Impl* reactor = nullptr;
  };

  Impl(const ReactorOptions& given, const Clock& the_clock)
      : clock(the_clock),
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
  void admit(Descriptor socket) noexcept;
  void close(Connection& connection) noexcept;
  [[nodiscard]] Connection& connection_of(Tag tag) noexcept;
  void rest_accepting() noexcept;
  void resume_accepting() noexcept;

  // The end.
  void begin_drain() noexcept;
  void close_listener(Listener& listener) noexcept;
  void drain_sessions() noexcept;
  void abort_connections() noexcept;
  [[nodiscard]] bool finished() const noexcept;

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
  std::vector<Listener> listeners;
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

// ---- The turn ---------------------------------------------------------------------------------

// Why this order. Messages first: they are answers to the oldest work, and they free what new work
// needs. Completions next, so that a byte which arrived in time is seen before the deadline that
// waits for it; so timers come after them. Then everything that was written meanwhile is made ready
// to leave, one send for each connection, and the buffers go back to the kernel before receives
// that found none are submitted. Then what all of this asks of other threads goes to them in one
// step, when it is worth waking them for (core/hand_over). Last comes the one system call, which
// also waits, but only if nothing is left.
//
// A turn's work is bounded: what was in the mailbox when it was taken (no more than its senders
// have objects), kCompletionsPerTurnMax completions, the timers that are due, and one settling of
// each connection that these touched.
void Reactor::Impl::run() noexcept {
  read_clock();
  read_wakeups();
  for (std::uint32_t index = 0; index < listeners.size(); ++index) accept_on(index);
  while (!finished()) {
    metrics.add(CoreCounter::turns);
    deliver_mail();
    dispatch_completions();
    timers.advance_to(now.monotonic_ns);
    settle_connections();
    if (hand_over.is_due(completions_in_turn, outbox.held())) outbox.flush();
    submit_and_sleep();
    read_clock();
  }
  deliver_mail();
  outbox.flush();
}

void Reactor::Impl::deliver_mail() noexcept {
  MessageList messages = mailbox.take();
  while (Message* message = messages.pop_front()) {
    metrics.add(CoreCounter::messages);
    message->deliver(*message);
  }
}

void Reactor::Impl::dispatch_completions() noexcept {
  // All are taken off before the first is acted on: what a callback prepares, and the submission
  // that it may cause, cannot change what is being walked.
  completions_in_turn = ring.take(completions);
  for (std::size_t index = 0; index < completions_in_turn; ++index) dispatch(completions[index]);
}

void Reactor::Impl::dispatch(const Completion& completion) noexcept {
  const Tag tag = Tag::unpack(completion.user_data);
  switch (static_cast<Event>(tag.kind)) {
    case Event::receive: connection_of(tag).on_received(completion); return;
    case Event::send: connection_of(tag).on_sent(completion.result); return;
    case Event::cancel: connection_of(tag).on_cancelled(); return;
    case Event::accept: on_accepted(tag.index, completion); return;
    case Event::wake:
      metrics.add(CoreCounter::wakeups);
      read_wakeups();
      return;
    case Event::cancel_accept: return;  // the accept completes by itself
  }
  CHECK(false);
}

void Reactor::Impl::settle_connections() noexcept {
  while (Connection* connection = attention.front()) {
    const bool over = connection->settle();
    attention.pop_front();
    if (over) close(*connection);
  }
  buffers.publish();
  metrics.set(CoreCounter::send_blocks_in_use, blocks.in_use());
}

void Reactor::Impl::submit_and_sleep() noexcept {
  const bool held = outbox.held() > 0;
  if (held) {
    // More may have come meanwhile; else nothing more is waited for.
    ring.submit();
    if (!ring.has_completions()) {
      hand_over.happened();
      outbox.flush();
    }
  }
  if (finished() || ring.has_completions() || !mailbox.prepare_to_sleep()) {
    if (!held) ring.submit();
  } else {
    // A message posted from here on wakes: its poster writes to the event, whose read is in the
    // ring, and that completion ends the wait whether it comes before or during it.
    const std::int64_t deadline_ns = timers.next_deadline();
    const std::int64_t wait_ns = deadline_ns - now.monotonic_ns;
    ring.submit_and_wait(deadline_ns == TimerWheel::kNothingArmed ? Ring::kForever
                         : wait_ns > 0                            ? wait_ns
                                                                  : 0);
  }
  if (ring.prepared() == 0) gathers.reset();
}

void Reactor::Impl::wake() noexcept {
  const std::uint64_t one = 1;
  // Cannot fail but for a full counter, and then the reader wakes anyway.
  static_cast<void>(!write(wake_event.get(), &one, sizeof(one)));
}

void Reactor::Impl::read_wakeups() noexcept {
  io_uring_prep_read(&ring.prepare(tag_of(Event::wake, 0, 0)), wake_event.get(), &wake_count,
                     sizeof(wake_count), 0);
}

// ---- Connections ------------------------------------------------------------------------------

Connection& Reactor::Impl::connection_of(Tag tag) noexcept {
  Slot& slot = slots[tag.index];
  CHECK(slot.used && slot.generation == tag.generation);
  return slot.connection();
}

void Reactor::Impl::accept_on(std::uint32_t index) noexcept {
  Listener& listener = listeners[index];
  // Close-on-exec only: on a non-blocking socket the ring would not wait but fail with EAGAIN.
  io_uring_prep_multishot_accept(&ring.prepare(tag_of(Event::accept, 0, index)),
                                 listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC);
  listener.accepting = true;
}

void Reactor::Impl::on_accepted(std::uint32_t index, const Completion& completion) noexcept {
  Listener& listener = listeners[index];
  if (!completion.more()) listener.accepting = false;
  if (completion.result >= 0) admit(Descriptor(completion.result));
  if (listener.accepting) return;
  if (draining) {
    close_listener(listener);
  } else if (completion.result >= 0 || completion.result == -ECONNABORTED ||
             completion.result == -EINTR) {
    accept_on(index);
  } else {
    // Descriptors or memory are exhausted: trying again at once would spin.
    metrics.add(CoreCounter::accept_failures);
    rest_accepting();
  }
}

void Reactor::Impl::rest_accepting() noexcept {
  if (accept_rest.armed()) return;
  timers.arm(accept_rest, now.monotonic_ns + kAcceptRestMs * kNanosecondsPerMillisecond);
}

void Reactor::Impl::resume_accepting() noexcept {
  if (draining) return;
  for (std::uint32_t index = 0; index < listeners.size(); ++index) {
    if (!listeners[index].accepting) accept_on(index);
  }
}

void Reactor::Impl::admit(Descriptor socket) noexcept {
  ListenAddress address{};
  address.bytes = sizeof(address.v6);
  // A peer that has gone again already has no address; its connection ends with the first receive.
  static_cast<void>(getpeername(socket.get(), &address.generic, &address.bytes));
  const std::uint32_t index = slots.take();
  if (index == Slots::kNone) {
    metrics.add(CoreCounter::connections_refused);
    return;
  }
  Slot& slot = slots[index];
  auto* connection = ::new (static_cast<void*>(slot.memory)) Connection(
      parts, tag_of(Event::receive, slot.generation, index), std::move(socket), peer_of(address));
  Session* session = factory->open(*connection);
  if (session == nullptr) {
    metrics.add(CoreCounter::connections_refused);
    connection->~Connection();
    slots.give(index);
    return;
  }
  metrics.add(CoreCounter::connections_accepted);
  metrics.set(CoreCounter::connections_open, slots.used());
  connection->start(*session);
}

void Reactor::Impl::close(Connection& connection) noexcept {
  const std::uint32_t index = connection.index();
  factory->close(*connection.session());
  connection.~Connection();
  slots.give(index);
  metrics.set(CoreCounter::connections_open, slots.used());
}

// ---- The end ----------------------------------------------------------------------------------

void Reactor::Impl::begin_drain() noexcept {
  if (draining) return;
  draining = true;
  timers.arm(drain_end, now.monotonic_ns + drain_timeout_ms * kNanosecondsPerMillisecond);
  timers.arm(drain_grace, now.monotonic_ns + kDrainGraceMs * kNanosecondsPerMillisecond);
  timers.disarm(accept_rest);
  for (std::uint32_t index = 0; index < listeners.size(); ++index) {
    if (listeners[index].accepting) {
      // Its last completion closes the listener.
      io_uring_prep_cancel64(&ring.prepare(tag_of(Event::cancel_accept, 0, index)),
                             tag_of(Event::accept, 0, index).pack(), 0);
    } else {
      close_listener(listeners[index]);
    }
  }
}

void Reactor::Impl::close_listener(Listener& listener) noexcept {
  if (!listener.socket.valid()) return;
  // Closing resets the connections in the accept queue, so they are taken out first. Bounded by the
  // backlog: what comes faster than this loop runs is left to the reset.
  const int socket = listener.socket.get();
  fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
  for (int taken = 0; taken < kListenBacklog; ++taken) {
    Descriptor waiting(accept4(socket, nullptr, nullptr, SOCK_CLOEXEC));
    if (!waiting.valid()) break;
    admit(std::move(waiting));
  }
  listener.socket.close();
  --listeners_open;
}

void Reactor::Impl::drain_sessions() noexcept {
  for (std::uint32_t index = 0; index < slots.touched(); ++index) {
    if (slots[index].used) slots[index].connection().drain();
  }
}

void Reactor::Impl::abort_connections() noexcept {
  for (std::uint32_t index = 0; index < slots.touched(); ++index) {
    if (slots[index].used) slots[index].connection().abort();
  }
}

bool Reactor::Impl::finished() const noexcept {
  return draining && slots.used() == 0 && listeners_open == 0 && factory->idle();
}

// ---- The face ---------------------------------------------------------------------------------

Reactor::Reactor(const ReactorOptions& options, const Clock& clock)
    : impl_(std::make_unique<Impl>(options, clock)) {}

Reactor::~Reactor() = default;

Mailbox& Reactor::mailbox() noexcept { return impl_->mailbox; }
Outbox& Reactor::outbox() noexcept { return impl_->outbox; }
const TurnClock& Reactor::turn_clock() const noexcept { return impl_->now; }
BlockPool& Reactor::blocks() noexcept { return impl_->blocks; }
const CoreMetrics& Reactor::metrics() const noexcept { return impl_->metrics; }

Result<void> Reactor::open() {
  impl_->wake_event = Descriptor(eventfd(0, EFD_CLOEXEC));
  if (!impl_->wake_event.valid()) {
    return fail(Errc::io, std::string("eventfd: ") + std::strerror(errno));
  }
  if (auto opened = impl_->ring.open({}); !opened) return opened;
  return impl_->buffers.lend_to(impl_->ring);
}

void Reactor::add_listener(Descriptor listener) {
  CHECK(impl_->listeners.size() < kListenersMax);
  impl_->listeners.push_back({.socket = std::move(listener), .accepting = false});
  ++impl_->listeners_open;
}

Result<void> Reactor::enable() { return impl_->ring.enable(); }

void Reactor::run(SessionFactory& factory) noexcept {
  impl_->factory = &factory;
  impl_->run();
}

void Reactor::request_stop(std::int64_t drain_timeout_ms) noexcept {
  if (impl_->stop_requested.test_and_set()) return;
  impl_->drain_timeout_ms = drain_timeout_ms;
  impl_->mailbox.post(impl_->stop_message);
}

void Reactor::deliver_mail() noexcept {
  impl_->deliver_mail();
  impl_->outbox.flush();
}

}  // namespace tokend::core
