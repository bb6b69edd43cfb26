#pragma once
// A core's receive buffers. They are lent to the kernel, which fills one whenever bytes arrive on
// any connection; whoever looked at the bytes gives the buffer back in the same turn. So a handful
// of buffers serves any number of connections, and idle ones hold none.
//
// Concurrency: one core. Limit: `count` buffers; when all are filled the receives that find none
// end with ENOBUFS and are armed again after the turn has given buffers back.

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/error.h"
#include "core/mapping.h"
#include "core/ring.h"
#include "core/session.h"

namespace tokend::core {

class ReceiveBuffers {
 public:
  // The kernel's name of the group in its ring.
  static constexpr std::uint16_t kGroup = 1;

  // `count` is a power of two, at most 32,768.
  ReceiveBuffers(std::size_t count, std::size_t buffer_bytes);

  // Lends all buffers to the kernel. The ring must outlive the buffers' use, not their memory.
  [[nodiscard]] Result<void> lend_to(Ring& ring);

  // The bytes of a completion with IORING_CQE_F_BUFFER.
  [[nodiscard]] std::span<char> bytes_of(const Completion& completion) noexcept {
    return {address_of(id_of(completion)), static_cast<std::size_t>(completion.result)};
  }
  // Gives the completion's buffer back; the kernel sees it after publish().
  void give_back(const Completion& completion) noexcept;
  void publish() noexcept;

 private:
  [[nodiscard]] static std::uint16_t id_of(const Completion& completion) noexcept {
    return static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
  }
  [[nodiscard]] char* address_of(std::uint16_t id) noexcept {
    return reinterpret_cast<char*>(buffers_.data() + std::size_t{id} * stride_);
  }

  std::size_t count_;
  std::size_t buffer_bytes_;
  // Each buffer is followed by its own padding. That also keeps the distance between two buffers
  // from being a power of two, which would put all of them on the same few sets of the caches.
  std::size_t stride_;
  int given_back_ = 0;
  Mapping ring_memory_;
  Mapping buffers_;
};

}  // namespace tokend::core
