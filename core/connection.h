#pragma once
// One socket's life on a core: what arrives goes to the session, what the session wrote is sent,
// in one operation for all that is ready at the end of a turn.
//
// Operation: a multishot receive stays armed while the session reads; at most one send is in
// flight. Whatever is left to do goes through settle(), which the reactor calls at the end of the
// turn for each connection on the attention list: deliver what was held, send, arm or cancel the
// receive, half-close, end. Input that arrives while the session has paused is copied into send
// blocks, so that a connection which does not read never keeps a receive buffer from the others.
//
// Always true: the descriptor is closed and the slot is free only after every operation of this
// connection has completed, so a completion always meets the connection that asked for it (the tags
// carry the slot's generation, and a CHECK sees to it). After finish() or abort() the session gets
// no callback but SessionFactory::close, which never runs inside a callback.
//
// Ordinary descriptors: direct ones made no difference in measurements, and getpeername needs one.
//
// Concurrency: one core.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/buffers.h"
#include "core/clock.h"
#include "core/descriptor.h"
#include "core/metrics.h"
#include "core/ring.h"
#include "core/send_buffer.h"
#include "core/session.h"
#include "core/timers.h"

namespace tokend::core {

class Connection;

// What a core's completions are for: Tag::kind.
enum class Event : std::uint8_t {
  wake,     // another thread has posted a message
  accept,   // index: the listener
  receive,  // index: the connection's slot, here and below
  send,
  cancel,  // of a connection's operations
  cancel_accept,
};

[[nodiscard]] constexpr Tag tag_of(Event event, std::uint32_t generation,
                                   std::uint32_t index) noexcept {
  return {static_cast<std::uint8_t>(event), generation, index};
}

// The connections that settle() is to be called for, in order of arrival; each at most once.
class AttentionList {
 public:
  void push_back(Connection& connection) noexcept;
  [[nodiscard]] Connection* front() const noexcept { return first_; }
  // A connection keeps its place until it is popped, so what it asks for while it is being settled
  // does not put it on the list again.
  void pop_front() noexcept;

 private:
  Connection* first_ = nullptr;
  Connection* last_ = nullptr;
};

// The descriptions of this submission's gathered sends. The kernel has read them once the entries
// that point to them are submitted, so one small array serves for ever.
class GatherArena {
 public:
  static constexpr std::size_t kGathersMax = 256;
  static constexpr std::size_t kBlocksMax = 16;  // of one send

  struct Gather {
    msghdr message{};
    iovec parts[kBlocksMax]{};
  };

  // Submits when all are in use.
  [[nodiscard]] Gather& take(Ring& ring) noexcept;
  // After everything prepared was submitted.
  void reset() noexcept { used_ = 0; }

 private:
  std::unique_ptr<Gather[]> gathers_ = std::make_unique<Gather[]>(kGathersMax);
  std::size_t used_ = 0;
};

// What a connection uses of its core.
struct ConnectionParts {
  Ring& ring;
  ReceiveBuffers& buffers;
  BlockPool& blocks;
  TimerWheel& timers;
  GatherArena& gathers;
  AttentionList& attention;
  CoreMetrics& metrics;
  const TurnClock& clock;
  std::int64_t linger_timeout_ns;
  std::int64_t send_timeout_ns;
};

class Connection final : public Transport {
 public:
  Connection(ConnectionParts& parts, Tag place, Descriptor descriptor,
             const PeerAddress& peer) noexcept;
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The reactor's part of the face.
  void start(Session& session) noexcept;
  void on_received(const Completion& completion) noexcept;
  void on_sent(std::int32_t result) noexcept;
  void on_cancelled() noexcept;
  void drain() noexcept;
  // True: it is over, no operation is left, destroy it.
  [[nodiscard]] bool settle() noexcept;
  [[nodiscard]] Session* session() const noexcept { return session_; }
  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }

  [[nodiscard]] SendBuffer& output() noexcept override { return output_; }
  void flush_later() noexcept override { parts_.attention.push_back(*this); }
  void pause_reading() noexcept override { paused_ = true; }
  void resume_reading() noexcept override;
  void set_deadline(std::int64_t monotonic_ns) noexcept override;
  void finish() noexcept override;
  void abort() noexcept override;
  [[nodiscard]] const PeerAddress& peer() const noexcept override { return peer_; }
  void set_peer(const PeerAddress& peer) noexcept override { peer_ = peer; }

 private:
  friend class AttentionList;

  struct Timer final : TimerEntry {
    explicit Timer(Connection& connection) noexcept
        : TimerEntry(
              [](TimerEntry& entry) noexcept { static_cast<Timer&>(entry).owner.on_timer(); }),
          owner(connection) {}
    Connection& owner;
  };

  // How far the end has come; only ever goes on.
  enum class Stage : std::uint8_t {
    open,
    finishing,  // output is sent, input is discarded
    lingering,  // half-closed; waits for the peer to close
    ending,     // only operations are waited for
  };

  [[nodiscard]] bool live() const noexcept { return stage_ == Stage::open; }
  void take_bytes(std::span<char> bytes) noexcept;
  void deliver_held() noexcept;
  void send_output() noexcept;
  void half_close() noexcept;
  void update_receive() noexcept;
  void cancel_receive() noexcept;
  void cancel_all() noexcept;
  void end(CoreCounter why) noexcept;
  void reset_on_close() noexcept;
  void on_timer() noexcept;
  [[nodiscard]] std::int64_t earliest_deadline() const noexcept;
  void rearm(std::int64_t deadline_ns) noexcept;

  ConnectionParts& parts_;
  Session* session_ = nullptr;
  Connection* next_attention_ = nullptr;
  std::uint32_t index_;
  std::uint32_t generation_;
  Descriptor descriptor_;
  std::uint8_t operations_ = 0;  // in the kernel's hands
  Stage stage_ = Stage::open;
  bool queued_ = false;      // on the attention list
  bool receiving_ = false;   // the multishot receive is armed
  bool sending_ = false;     // a send is in flight: the front of output_ is the kernel's
  bool cancelling_ = false;  // a cancellation is in flight
  bool paused_ = false;
  bool end_of_input_ = false;
  bool end_of_input_told_ = false;
  SendBuffer output_;
  SendBuffer held_;                              // input that came while the session did not read
  std::int64_t deadline_ns_ = kNoDeadline;       // the session's; the linger's once half-closed
  std::int64_t send_deadline_ns_ = kNoDeadline;  // meaningful while sending_
  std::int64_t linger_end_ns_ = 0;               // what was sent last is the peer's by then
  // The wheel's entry is armed at this moment or not at all (kNoDeadline). A deadline that moves
  // away leaves it where it is, and it is armed anew when it fires.
  std::int64_t armed_ns_ = kNoDeadline;
  Timer timer_;
  PeerAddress peer_;
};

inline void AttentionList::push_back(Connection& connection) noexcept {
  if (connection.queued_) return;
  connection.queued_ = true;
  connection.next_attention_ = nullptr;
  (last_ ? last_->next_attention_ : first_) = &connection;
  last_ = &connection;
}

inline void AttentionList::pop_front() noexcept {
  first_->queued_ = false;
  first_ = first_->next_attention_;
  if (!first_) last_ = nullptr;
}

}  // namespace tokend::core
