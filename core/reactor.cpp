#include "core/reactor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "core/proxy_session.h"
#include "core/reactor_impl.h"

namespace tokend::core {
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

// ---- The face ---------------------------------------------------------------------------------

Reactor::Reactor(const ReactorOptions& options, const Clock& clock)
    : impl_(std::make_unique<Impl>(options, clock)) {}

Reactor::~Reactor() = default;

Mailbox& Reactor::mailbox() noexcept { return impl_->mailbox; }
Outbox& Reactor::outbox() noexcept { return impl_->outbox; }
const TurnClock& Reactor::turn_clock() const noexcept { return impl_->now; }
TimerWheel& Reactor::timers() noexcept { return impl_->timers; }
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

void Reactor::add_listener(Descriptor listener, SessionFactory* factory) {
  CHECK(impl_->listeners.size() < kListenersMax);
  impl_->listeners.push_back(
      {.socket = std::move(listener), .factory = factory, .accepting = false});
  ++impl_->listeners_open;
}

Result<void> Reactor::enable() { return impl_->ring.enable(); }

void Reactor::run(SessionFactory& factory) noexcept {
  const ReactorOptions& options = impl_->options;
  std::optional<ProxySessionFactory> proxied;
  if (options.proxy_protocol) {
    proxied.emplace(factory, options.connections_max, impl_->now, options.proxy_header_timeout_ms,
                    impl_->metrics);
  }
  impl_->factory = proxied ? static_cast<SessionFactory*>(&*proxied) : &factory;
  impl_->run();
  impl_->factory = nullptr;
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
