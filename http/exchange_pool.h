#pragma once
// A core's exchanges and the memory for kept requests. Outlives every session of the core, because
// exchanges outlive their connections.

#include <cstddef>

#include "core/send_buffer.h"
#include "core/slab.h"
#include "http/request_buffers.h"
#include "http/session.h"

namespace tokend::http {

class ExchangePool {
 public:
  ExchangePool(const SessionLimits& limits, core::BlockPool& blocks);

  [[nodiscard]] Exchange* take() noexcept;  // nullptr at SessionLimits::exchanges_max
  void give(Exchange& exchange) noexcept;

  [[nodiscard]] RequestBuffers& buffers() noexcept { return buffers_; }
  [[nodiscard]] bool exhausted() const noexcept { return exchanges_.exhausted(); }
  [[nodiscard]] std::size_t in_use() const noexcept { return exchanges_.in_use(); }

 private:
  core::BlockPool& blocks_;
  RequestBuffers buffers_;
  core::Slab exchanges_;
};

}  // namespace tokend::http
