#pragma once
// A connection without a socket: what a session says stays in its output.

#include "core/error.h"
#include "core/send_buffer.h"
#include "core/session.h"

namespace tokend::bench {

class MemoryTransport final : public core::Transport {
 public:
  explicit MemoryTransport(core::BlockPool& blocks) : output_(blocks) {}
  core::SendBuffer& output() noexcept override { return output_; }
  void flush_later() noexcept override {}
  void pause_reading() noexcept override { CHECK(false); }
  void resume_reading() noexcept override {}
  void set_deadline(std::int64_t) noexcept override {}
  void finish() noexcept override { CHECK(false); }
  void abort() noexcept override { CHECK(false); }
  const core::PeerAddress& peer() const noexcept override { return peer_; }
  void set_peer(const core::PeerAddress& peer) noexcept override { peer_ = peer; }

 private:
  core::SendBuffer output_;
  core::PeerAddress peer_;
};

}  // namespace tokend::bench
