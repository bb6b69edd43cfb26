#pragma once
// A fixed number of equal pieces of memory in one mapping whose pages are touched only when first
// used. Free pieces are poisoned under AddressSanitizer, so that touching what was given back is
// found there although no allocator is involved.
//
// Concurrency: one core. Limit: pieces_max.

#include <sanitizer/asan_interface.h>

#include <cstddef>
#include <cstring>

#include "core/cache_line.h"
#include "core/error.h"
#include "core/mapping.h"

namespace tokend::core {

class Slab {
 public:
  Slab(std::size_t pieces_max, std::size_t piece_bytes)
      : piece_bytes_(round_up(piece_bytes)),
        pieces_max_(pieces_max),
        mapping_(piece_bytes_ * (pieces_max ? pieces_max : 1)) {}
  ~Slab() { ASAN_UNPOISON_MEMORY_REGION(mapping_.data(), piece_bytes_ * touched_); }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // nullptr at the limit. The bytes are of no particular value.
  [[nodiscard]] void* take() noexcept {
    std::byte* piece = free_;
    if (piece) {
      ASAN_UNPOISON_MEMORY_REGION(piece, piece_bytes_);
      std::memcpy(&free_, piece, sizeof free_);
    } else if (touched_ < pieces_max_) {
      piece = mapping_.data() + piece_bytes_ * touched_++;
    } else {
      return nullptr;
    }
    ++in_use_;
    return piece;
  }

  void give(void* memory) noexcept {
    CHECK(in_use_ > 0);
    --in_use_;
    std::byte* piece = static_cast<std::byte*>(memory);
    std::memcpy(piece, &free_, sizeof free_);
    free_ = piece;
    ASAN_POISON_MEMORY_REGION(piece, piece_bytes_);
  }

  // Whether a piece is one of these.
  [[nodiscard]] bool owns(const void* memory) const noexcept {
    const auto* piece = static_cast<const std::byte*>(memory);
    return piece >= mapping_.data() && piece < mapping_.data() + mapping_.bytes();
  }
  [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }
  [[nodiscard]] bool exhausted() const noexcept { return in_use_ == pieces_max_; }

 private:
  static constexpr std::size_t kAlignment = kCacheLineBytes;  // neighbours share none
  static constexpr std::size_t round_up(std::size_t bytes) noexcept {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  std::size_t piece_bytes_;
  std::size_t pieces_max_;
  core::Mapping mapping_;
  std::byte* free_ = nullptr;
  std::size_t touched_ = 0;
  std::size_t in_use_ = 0;
};

}  // namespace tokend::core
