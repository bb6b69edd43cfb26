#pragma once
// What a protocol looks like to a core: bytes in, bytes out. A Session never sees a socket and a
// Transport never sees a request, so the same protocol runs over a connection, in a unit test and
// in the simulator.
//
// Concurrency: a session and its transport belong to one core; every call here is on its thread.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "core/send_buffer.h"

namespace tokend::core {

inline constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

// The peer's address in network byte order; IPv4 as an IPv4-mapped IPv6 address.
struct PeerAddress {
  std::uint8_t ip[16] = {};
  std::uint16_t port = 0;
};

// Bytes handed to Session::on_bytes are followed by at least this many readable bytes of no
// particular value (simdjson reads past the end of its input).
inline constexpr std::size_t kReceivePaddingBytes = 64;

// A connection as its session sees it.
class Transport {
 public:
  // Where answers are written. What is there at the end of the turn is sent in one operation.
  [[nodiscard]] virtual SendBuffer& output() noexcept = 0;
  // After writing outside of on_bytes: puts the connection on this turn's list. Idempotent.
  virtual void flush_later() noexcept = 0;
  // Flow control. Bytes that arrive meanwhile are held by the transport; after resume they are
  // delivered from the loop, never inside the call. Idempotent.
  virtual void pause_reading() noexcept = 0;
  virtual void resume_reading() noexcept = 0;
  // The one deadline of the connection, absolute, in TurnClock::monotonic_ns; kNoDeadline for none.
  // Costs a store; on_deadline comes within a timer tick after it.
  virtual void set_deadline(std::int64_t monotonic_ns) noexcept = 0;
  // Ends the connection once the output is sent (what is appended until the end of the turn goes
  // out too): half-close, discard what still arrives for a bounded time after the last byte that
  // was sent (so that the answer reaches a peer that is still sending), close. After this, as after
  // abort(), the session gets no call but SessionFactory::close.
  virtual void finish() noexcept = 0;
  // Ends the connection at once; unsent output is lost. on_closed follows from the loop.
  virtual void abort() noexcept = 0;
  [[nodiscard]] virtual const PeerAddress& peer() const noexcept = 0;
  // Whom a proxy in front carries (core/proxy_session); from then on the peer is that one.
  virtual void set_peer(const PeerAddress& peer) noexcept = 0;

 protected:
  ~Transport() = default;
};

class Session {
 public:
  // Bytes from the peer, at least one. They are the session's to change until it returns.
  virtual void on_bytes(std::span<char> bytes) noexcept = 0;
  // The peer has sent its last byte (it may still read). Comes behind all on_bytes, so not before a
  // pause has ended.
  virtual void on_end_of_input() noexcept = 0;
  virtual void on_deadline() noexcept = 0;
  // All output so far was taken by the kernel.
  virtual void on_output_sent() noexcept = 0;
  // The server stops: answer what is in flight, then finish().
  virtual void on_drain() noexcept = 0;

 protected:
  ~Session() = default;
};

// Makes a core's sessions from memory taken at start.
class SessionFactory {
 public:
  virtual ~SessionFactory() = default;
  // nullptr: the limit is reached, the connection is refused.
  [[nodiscard]] virtual Session* open(Transport& transport) noexcept = 0;
  // The transport is gone; the session must not touch it again. Comes once for every session that
  // was opened, from the loop, never inside a call to a session.
  virtual void close(Session& session) noexcept = 0;
  // Nothing that was begun is still to come home by the core's mailbox, not even for a session that
  // is closed. A loop that drains goes on until this holds.
  [[nodiscard]] virtual bool idle() const noexcept { return true; }
};

}  // namespace tokend::core
