#pragma once
// One core's loop. SKETCH of the public face: the owner of core/ completes it.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/clock.h"
#include "core/error.h"
#include "core/mailbox.h"
#include "core/session.h"

namespace tokend::core {

struct ReactorOptions {
  std::size_t connections_max = 16'384;
  std::size_t receive_buffers = 1024;  // power of two
  std::size_t receive_buffer_bytes = 8192;
  std::size_t send_blocks_max = 65'536;
  std::int64_t linger_timeout_ms = 2'000;  // lingering close
  std::int64_t send_timeout_ms = 30'000;   // a peer that takes nothing
};

class Reactor {
 public:
  Reactor(const ReactorOptions& options, const Clock& clock);
  ~Reactor();

  [[nodiscard]] Mailbox& mailbox() noexcept;
  [[nodiscard]] const TurnClock& turn_clock() const noexcept;
  [[nodiscard]] BlockPool& blocks() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokend::core
