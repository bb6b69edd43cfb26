#pragma once
// Memory for requests that do not lie in the receive buffer: those that arrive in parts, those that
// wait unread behind a full pipeline, and those that a handler keeps. Three sizes: most requests
// fit in a small piece, every request within the limits in a large one, and the few that have a
// limit of their own (SessionLimits::large_body_path) in a largest one.
//
// Concurrency: one core. Limits: SessionLimits::kept_requests_max, for all sizes together;
// SessionLimits::large_requests_max of the largest.

#include <algorithm>
#include <cstddef>

#include "core/session.h"
#include "core/slab.h"

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

  // How many there are and what the longest request needs, without padding.
  struct Size {
    std::size_t buffers_max = 0;
    std::size_t request_bytes_max = 0;
  };

  RequestBuffers(const Size& all, const Size& largest)
      : buffers_max_(all.buffers_max),
        large_bytes_(all.request_bytes_max),
        largest_bytes_(std::max(all.request_bytes_max, largest.request_bytes_max)),
        small_(all.buffers_max, kSmallBytes),
        large_(all.buffers_max, large_bytes_ + core::kReceivePaddingBytes),
        largest_(largest.buffers_max, largest_bytes_ + core::kReceivePaddingBytes) {}

  // Room for at least `bytes`; none at the limits, and none for more than any request needs.
  [[nodiscard]] RequestBuffer take(std::size_t bytes) noexcept {
    if (in_use_ == buffers_max_ || bytes > largest_bytes_) return {};
    if (bytes > large_bytes_) {
      void* piece = largest_.take();
      if (!piece) return {};
      ++in_use_;
      return {static_cast<char*>(piece), largest_bytes_};
    }
    ++in_use_;
    if (bytes <= kSmallCapacity) return {static_cast<char*>(small_.take()), kSmallCapacity};
    return {static_cast<char*>(large_.take()), large_bytes_};
  }

  // Leaves `buffer` empty; an empty one is fine.
  void give(RequestBuffer& buffer) noexcept {
    if (!buffer) return;
    --in_use_;
    (buffer.capacity == kSmallCapacity ? small_
     : buffer.capacity == large_bytes_ ? large_
                                       : largest_)
        .give(buffer.data);
    buffer = {};
  }

  // Of a request whose body may be a large one, or not.
  [[nodiscard]] std::size_t bytes_max(bool large_body) const noexcept {
    return large_body ? largest_bytes_ : large_bytes_;
  }
  [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }

 private:
  static constexpr std::size_t kSmallCapacity = kSmallBytes - core::kReceivePaddingBytes;

  std::size_t buffers_max_;
  std::size_t large_bytes_;
  std::size_t largest_bytes_;
  std::size_t in_use_ = 0;
  core::Slab small_;
  core::Slab large_;
  core::Slab largest_;
};

}  // namespace tokend::http
