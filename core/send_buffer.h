#pragma once
// Bytes on their way to one peer: a chain of blocks from the core's pool. A block that the kernel
// reads stays untouched until its send completes, so bytes are only ever appended behind it.
//
// Concurrency: one core. Limit: the pool's block count (kept by BlockPool, named in its owner's
// limits). When it is reached an append fails, the buffer is `broken` and the connection must be
// aborted: half an answer is never sent as if it were whole.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "core/mapping.h"

namespace tokend::core {

// Not a power of two: the first lines of blocks would all fall on the same few sets of the caches.
inline constexpr std::size_t kBlockBytes = 8192 + 64;

struct Block {
  Block* next = nullptr;
  std::uint32_t begin = 0;  // first byte not yet sent
  std::uint32_t end = 0;    // one past the last byte written
  static constexpr std::size_t kCapacity = kBlockBytes - 2 * sizeof(void*);
  char data[kCapacity];
};
static_assert(sizeof(Block) == kBlockBytes);

// A core's blocks, in one mapping whose pages are touched only when first used. Behind the last one
// there is room to read kReceivePaddingBytes (core/session.h): held input is kept in blocks too.
class BlockPool {
 public:
  explicit BlockPool(std::size_t blocks_max);

  [[nodiscard]] Block* take() noexcept;  // nullptr at the limit
  void give(Block& block) noexcept;
  [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }

 private:
  Mapping memory_;
  Block* free_ = nullptr;
  std::size_t touched_ = 0;
  std::size_t in_use_ = 0;
  std::size_t blocks_max_;
};

class SendBuffer {
 public:
  explicit SendBuffer(BlockPool& pool) noexcept : pool_(&pool) {}
  ~SendBuffer() { clear(); }
  SendBuffer(const SendBuffer&) = delete;
  SendBuffer& operator=(const SendBuffer&) = delete;

  // False when the pool is exhausted; the buffer is then broken for good.
  bool append(std::string_view bytes) noexcept {
    // An empty view may have no address, which memcpy must not be given.
    if (last_ && !bytes.empty() && bytes.size() <= Block::kCapacity - last_->end) {
      std::memcpy(last_->data + last_->end, bytes.data(), bytes.size());
      last_->end += static_cast<std::uint32_t>(bytes.size());
      bytes_ += bytes.size();
      return true;
    }
    return append_slowly(bytes);
  }
  // At least `count` contiguous writable bytes (count <= Block::kCapacity) or nullptr when broken;
  // commit() says how many of them were written.
  [[nodiscard]] char* reserve(std::size_t count) noexcept;
  void commit(std::size_t count) noexcept;

  // Moves all of `later` behind what is here, without copying. Both use the same pool.
  void splice(SendBuffer& later) noexcept;
  // Drops `count` bytes from the front: the kernel took them.
  void consume(std::size_t count) noexcept;
  void clear() noexcept;

  [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool broken() const noexcept { return broken_; }
  // The chain, oldest bytes first. A block may be empty (reserved, nothing committed).
  [[nodiscard]] const Block* front() const noexcept { return first_; }
  // The unsent bytes of the first block, to be changed in place; empty only when the buffer is.
  [[nodiscard]] std::span<char> front_bytes() noexcept;

 private:
  bool append_slowly(std::string_view bytes) noexcept;
  bool add_block() noexcept;

  BlockPool* pool_;
  Block* first_ = nullptr;
  Block* last_ = nullptr;
  std::size_t bytes_ = 0;
  bool broken_ = false;
};

}  // namespace tokend::core
