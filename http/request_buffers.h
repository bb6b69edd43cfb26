#pragma once
// Memory for requests that do not lie in the receive buffer: those that arrive in parts, those that
// wait unread behind a full pipeline, and those that a handler keeps. Two sizes: most requests fit
// in a small piece, every request within the limits fits in a large one.
//
// Concurrency: one core. Limit: SessionLimits::kept_requests_max, for both sizes together.

#include <cstddef>

#include "core/session.h"
#include "http/slab.h"

namespace tokend::http {

// One piece, or none. Owned by exactly one session or exchange at a time.
struct RequestBuffer {
  char* data = nullptr;
  std::size_t capacity = 0;  // bytes of a request; the padding comes on top

  explicit operator bool() const noexcept { return data != nullptr; }
};

class RequestBuffers {
 public:
  static constexpr std::size_t kSmallBytes = 4096;

  // `request_bytes_max`: what the largest request needs, without padding.
  RequestBuffers(std::size_t buffers_max, std::size_t request_bytes_max)
      : buffers_max_(buffers_max),
        large_bytes_(request_bytes_max),
        small_(buffers_max, kSmallBytes),
        large_(buffers_max, request_bytes_max + core::kReceivePaddingBytes) {}

  // Room for at least `bytes`; none at the limit, and none for more than request_bytes_max.
  [[nodiscard]] RequestBuffer take(std::size_t bytes) noexcept {
    if (in_use_ == buffers_max_ || bytes > large_bytes_) return {};
    ++in_use_;
    if (bytes <= kSmallCapacity) return {static_cast<char*>(small_.take()), kSmallCapacity};
    return {static_cast<char*>(large_.take()), large_bytes_};
  }

  // Leaves `buffer` empty; an empty one is fine.
  void give(RequestBuffer& buffer) noexcept {
    if (!buffer) return;
    --in_use_;
    (buffer.capacity == kSmallCapacity ? small_ : large_).give(buffer.data);
    buffer = {};
  }

  [[nodiscard]] std::size_t bytes_max() const noexcept { return large_bytes_; }
  [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }

 private:
  static constexpr std::size_t kSmallCapacity = kSmallBytes - core::kReceivePaddingBytes;

  std::size_t buffers_max_;
  std::size_t large_bytes_;
  std::size_t in_use_ = 0;
  Slab small_;
  Slab large_;
};

}  // namespace tokend::http
