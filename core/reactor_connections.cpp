#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "core/reactor_impl.h"

namespace tokend::core {

// ---- Connections ------------------------------------------------------------------------------

Connection& Reactor::Impl::connection_of(Tag tag) noexcept {
  Slot& slot = slots[tag.index];
  CHECK(slot.used && slot.generation == tag.generation);
  return slot.connection();
}

void Reactor::Impl::accept_on(std::uint32_t index) noexcept {
  ArmedListener& listener = listeners[index];
  // Close-on-exec only: on a non-blocking socket the ring would not wait but fail with EAGAIN.
  io_uring_prep_multishot_accept(&ring.prepare(tag_of(Event::accept, 0, index)),
                                 listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC);
  listener.accepting = true;
}

void Reactor::Impl::on_accepted(std::uint32_t index, const Completion& completion) noexcept {
  ArmedListener& listener = listeners[index];
  if (!completion.more()) listener.accepting = false;
  if (completion.result >= 0) admit(Descriptor(completion.result), factory_of(listener));
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

void Reactor::Impl::admit(Descriptor socket, SessionFactory& its_factory) noexcept {
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
  Session* session = its_factory.open(*connection);
  if (session == nullptr) {
    metrics.add(CoreCounter::connections_refused);
    connection->~Connection();
    slots.give(index);
    return;
  }
  slot.factory = &its_factory;
  metrics.add(CoreCounter::connections_accepted);
  metrics.set(CoreCounter::connections_open, slots.used());
  connection->start(*session);
}

void Reactor::Impl::close(Connection& connection) noexcept {
  const std::uint32_t index = connection.index();
  slots[index].factory->close(*connection.session());
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

void Reactor::Impl::close_listener(ArmedListener& listener) noexcept {
  if (!listener.socket.valid()) return;
  // Closing resets the connections in the accept queue, so they are taken out first. Bounded by the
  // backlog: what comes faster than this loop runs is left to the reset.
  const int socket = listener.socket.get();
  fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
  for (int taken = 0; taken < kListenBacklog; ++taken) {
    Descriptor waiting(accept4(socket, nullptr, nullptr, SOCK_CLOEXEC));
    if (!waiting.valid()) break;
    admit(std::move(waiting), factory_of(listener));
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
  return draining && slots.used() == 0 && listeners_open == 0 && factory->idle() &&
         std::ranges::all_of(listeners, [](const ArmedListener& listener) {
           return !listener.factory || listener.factory->idle();
         });
}

}  // namespace tokend::core
