#include "core/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/error.h"

namespace tokend::core {

GatherArena::Gather& GatherArena::take(Ring& ring) noexcept {
  if (used_ == kGathersMax) {
    while (ring.prepared() != 0) ring.submit();
    used_ = 0;
  }
  return gathers_[used_++];
}

Connection::Connection(ConnectionParts& parts, Tag place, Descriptor descriptor,
                       const PeerAddress& peer) noexcept
    : parts_(parts),
      index_(place.index),
      generation_(place.generation),
      descriptor_(std::move(descriptor)),
      output_(parts.blocks),
      held_(parts.blocks),
      timer_(*this),
      peer_(peer) {}

Connection::~Connection() {
  CHECK(operations_ == 0 && !queued_);  // else a completion could meet the slot's next tenant
  parts_.timers.disarm(timer_);
}

void Connection::start(Session& session) noexcept {
  session_ = &session;
  parts_.attention.push_back(*this);
}

// ---- Input ------------------------------------------------------------------------------------

void Connection::on_received(const Completion& completion) noexcept {
  if (!completion.more()) {
    receiving_ = false;
    --operations_;
    parts_.attention.push_back(*this);
  }
  if (completion.result > 0) {
    parts_.metrics.add(CoreCounter::received_bytes, static_cast<std::uint64_t>(completion.result));
    take_bytes(parts_.buffers.bytes_of(completion));
  } else if (completion.result == 0) {
    end_of_input_ = true;
    parts_.attention.push_back(*this);
  } else if (completion.result == -ENOBUFS) {
    parts_.metrics.add(CoreCounter::receive_buffer_shortages);
  } else if (completion.result != -ECANCELED && completion.result != -EINTR) {
    end(CoreCounter::connections_lost);
  }
  if (completion.flags & IORING_CQE_F_BUFFER) parts_.buffers.give_back(completion);
}

void Connection::take_bytes(std::span<char> bytes) noexcept {
  if (!live()) return;
  parts_.attention.push_back(*this);
  if (!paused_ && held_.empty()) {
    session_->on_bytes(bytes);
  } else if (!held_.append({bytes.data(), bytes.size()})) {
    end(CoreCounter::output_overflows);
  }
}

void Connection::deliver_held() noexcept {
  while (live() && !paused_ && !held_.empty()) {
    const std::span<char> bytes = held_.front_bytes();
    session_->on_bytes(bytes);
    held_.consume(bytes.size());
  }
  if (live() && !paused_ && end_of_input_ && !end_of_input_told_) {
    end_of_input_told_ = true;
    session_->on_end_of_input();
  }
}

void Connection::update_receive() noexcept {
  // Once the session has finished, input is read in order to be discarded, paused or not: a peer
  // that reads nothing before it has written everything would wait for ever.
  const bool wanted = !end_of_input_ && !(live() && paused_);
  if (wanted && !receiving_) {
    io_uring_sqe& entry = parts_.ring.prepare(tag_of(Event::receive, generation_, index_));
    io_uring_prep_recv_multishot(&entry, descriptor_.get(), nullptr, 0, 0);
    entry.flags |= IOSQE_BUFFER_SELECT;
    entry.buf_group = ReceiveBuffers::kGroup;
    receiving_ = true;
    ++operations_;
  } else if (receiving_ && live() && paused_ && !held_.empty()) {
    // A pause costs nothing until something arrives during it.
    cancel_receive();
  }
}

void Connection::resume_reading() noexcept {
  if (!paused_) return;
  paused_ = false;
  parts_.attention.push_back(*this);
}

// ---- Output -----------------------------------------------------------------------------------

void Connection::send_output() noexcept {
  if (sending_ || output_.empty()) return;
  const Tag tag = tag_of(Event::send, generation_, index_);
  const Block* block = output_.front();
  if (block->next == nullptr) {
    io_uring_prep_send(&parts_.ring.prepare(tag), descriptor_.get(), block->data + block->begin,
                       block->end - block->begin, MSG_NOSIGNAL);
  } else {
    // The arena first: it may submit, and an entry must be complete by then.
    GatherArena::Gather& gather = parts_.gathers.take(parts_.ring);
    std::size_t count = 0;
    for (; block && count < GatherArena::kBlocksMax; block = block->next) {
      if (block->begin == block->end) continue;
      gather.parts[count++] = {const_cast<char*>(block->data) + block->begin,
                               block->end - block->begin};
    }
    gather.message = {};
    gather.message.msg_iov = gather.parts;
    gather.message.msg_iovlen = count;
    io_uring_prep_sendmsg(&parts_.ring.prepare(tag), descriptor_.get(), &gather.message,
                          MSG_NOSIGNAL);
  }
  sending_ = true;
  ++operations_;
  send_deadline_ns_ = parts_.clock.monotonic_ns + parts_.send_timeout_ns;
  if (send_deadline_ns_ < armed_ns_) rearm(send_deadline_ns_);
}

void Connection::on_sent(std::int32_t result) noexcept {
  sending_ = false;
  --operations_;
  if (result >= 0) {
    parts_.metrics.add(CoreCounter::sent_bytes, static_cast<std::uint64_t>(result));
    linger_end_ns_ = parts_.clock.monotonic_ns + parts_.linger_timeout_ns;
    output_.consume(static_cast<std::size_t>(result));
    if (live() && output_.empty()) session_->on_output_sent();
  } else if (result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
    end(CoreCounter::connections_lost);
  }
  if (!output_.empty() || !live()) parts_.attention.push_back(*this);
}

// ---- Time -------------------------------------------------------------------------------------

std::int64_t Connection::earliest_deadline() const noexcept {
  return sending_ ? std::min(deadline_ns_, send_deadline_ns_) : deadline_ns_;
}

void Connection::rearm(std::int64_t deadline_ns) noexcept {
  armed_ns_ = deadline_ns;
  if (deadline_ns != kNoDeadline) parts_.timers.arm(timer_, deadline_ns);
}

void Connection::set_deadline(std::int64_t monotonic_ns) noexcept {
  if (!live()) return;
  deadline_ns_ = monotonic_ns;
  if (monotonic_ns < armed_ns_) rearm(monotonic_ns);
}

void Connection::on_timer() noexcept {
  armed_ns_ = kNoDeadline;
  const std::int64_t now_ns = parts_.clock.monotonic_ns;
  if (stage_ == Stage::ending) return;
  if (sending_ && send_deadline_ns_ <= now_ns) {
    reset_on_close();
    end(CoreCounter::send_timeouts);
    return;
  }
  if (deadline_ns_ <= now_ns) {
    deadline_ns_ = kNoDeadline;
    if (stage_ == Stage::lingering) {
      end(CoreCounter::linger_timeouts);
      return;
    }
    parts_.attention.push_back(*this);
    session_->on_deadline();
  }
  const std::int64_t earliest_ns = earliest_deadline();
  if (earliest_ns < armed_ns_) rearm(earliest_ns);
}

// ---- The end ----------------------------------------------------------------------------------

void Connection::finish() noexcept {
  if (!live()) return;
  stage_ = Stage::finishing;
  deadline_ns_ = kNoDeadline;
  parts_.attention.push_back(*this);
}

void Connection::abort() noexcept {
  if (stage_ == Stage::ending) return;
  reset_on_close();
  end(CoreCounter::connections_aborted);
}

void Connection::drain() noexcept {
  if (!live()) return;
  parts_.attention.push_back(*this);
  session_->on_drain();
}

void Connection::end(CoreCounter why) noexcept {
  if (stage_ == Stage::ending) return;
  stage_ = Stage::ending;
  parts_.metrics.add(why);
  parts_.attention.push_back(*this);
}

void Connection::reset_on_close() noexcept {
  // The peer is told at once, and the kernel does not go on offering what nobody takes.
  const linger no_linger{.l_onoff = 1, .l_linger = 0};
  setsockopt(descriptor_.get(), SOL_SOCKET, SO_LINGER, &no_linger, sizeof(no_linger));
}

void Connection::half_close() noexcept {
  // The linger is for what was just sent: a reset, provoked by input that crosses our close, must
  // not take it from the peer. Where the last answer is older than that, or there was none, nothing
  // is gained by waiting until the peer notices, which an idle client may never do.
  if (linger_end_ns_ <= parts_.clock.monotonic_ns) {
    stage_ = Stage::ending;
    return;
  }
  stage_ = Stage::lingering;
  if (shutdown(descriptor_.get(), SHUT_WR) != 0) {
    end(CoreCounter::connections_lost);
    return;
  }
  deadline_ns_ = linger_end_ns_;
  if (deadline_ns_ < armed_ns_) rearm(deadline_ns_);
}

void Connection::cancel_receive() noexcept {
  if (cancelling_) return;
  io_uring_sqe& entry = parts_.ring.prepare(tag_of(Event::cancel, generation_, index_));
  io_uring_prep_cancel64(&entry, tag_of(Event::receive, generation_, index_).pack(), 0);
  cancelling_ = true;
  ++operations_;
}

void Connection::cancel_all() noexcept {
  if (cancelling_) return;
  io_uring_sqe& entry = parts_.ring.prepare(tag_of(Event::cancel, generation_, index_));
  io_uring_prep_cancel_fd(&entry, descriptor_.get(), IORING_ASYNC_CANCEL_ALL);
  cancelling_ = true;
  ++operations_;
}

void Connection::on_cancelled() noexcept {
  // What it cancelled completes by itself. Should the cancellation have come at a moment when the
  // kernel could not find the operation, settle() asks again.
  cancelling_ = false;
  --operations_;
  parts_.attention.push_back(*this);
}

bool Connection::settle() noexcept {
  deliver_held();
  if (output_.broken()) {
    reset_on_close();
    end(CoreCounter::output_overflows);
  }
  if (stage_ == Stage::finishing || stage_ == Stage::lingering) held_.clear();
  if (stage_ == Stage::finishing && !sending_ && output_.empty()) {
    if (end_of_input_) {
      stage_ = Stage::ending;  // both sides have said everything
    } else {
      half_close();
    }
  }
  if (stage_ == Stage::lingering && end_of_input_) stage_ = Stage::ending;
  if (stage_ == Stage::ending) {
    if (sending_ || receiving_) cancel_all();
    return operations_ == 0;
  }
  send_output();
  update_receive();
  return false;
}

}  // namespace tokend::core
