#include "core/send_buffer.h"

#include <algorithm>

#include "core/error.h"
#include "core/session.h"

namespace tokend::core {

BlockPool::BlockPool(std::size_t blocks_max)
    : memory_(blocks_max * sizeof(Block) + kReceivePaddingBytes),
      blocks_max_(blocks_max) {}

Block* BlockPool::take() noexcept {
  Block* block = free_;
  if (block) {
    free_ = block->next;
  } else if (touched_ < blocks_max_) {
    block = reinterpret_cast<Block*>(memory_.data()) + touched_++;
  } else {
    return nullptr;
  }
  ++in_use_;
  block->next = nullptr;
  block->begin = block->end = 0;
  return block;
}

void BlockPool::give(Block& block) noexcept {
  CHECK(in_use_ > 0);
  --in_use_;
  block.next = free_;
  free_ = &block;
}

bool SendBuffer::add_block() noexcept {
  Block* block = broken_ ? nullptr : pool_->take();
  if (!block) {
    broken_ = true;
    return false;
  }
  (last_ ? last_->next : first_) = block;
  last_ = block;
  return true;
}

bool SendBuffer::append_slowly(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    if (!last_ || last_->end == Block::kCapacity) {
      if (!add_block()) return false;
    }
    const std::size_t part = std::min<std::size_t>(bytes.size(), Block::kCapacity - last_->end);
    std::memcpy(last_->data + last_->end, bytes.data(), part);
    last_->end += static_cast<std::uint32_t>(part);
    bytes_ += part;
    bytes.remove_prefix(part);
  }
  return !broken_;
}

char* SendBuffer::reserve(std::size_t count) noexcept {
  CHECK(count <= Block::kCapacity);
  if (!last_ || count > Block::kCapacity - last_->end) {
    if (!add_block()) return nullptr;
  }
  return last_->data + last_->end;
}

void SendBuffer::commit(std::size_t count) noexcept {
  last_->end += static_cast<std::uint32_t>(count);
  bytes_ += count;
}

void SendBuffer::splice(SendBuffer& later) noexcept {
  broken_ = broken_ || later.broken_;
  if (!later.first_) return;
  (last_ ? last_->next : first_) = later.first_;
  last_ = later.last_;
  bytes_ += later.bytes_;
  later.first_ = later.last_ = nullptr;
  later.bytes_ = 0;
}

void SendBuffer::consume(std::size_t count) noexcept {
  CHECK(count <= bytes_);
  bytes_ -= count;
  while (first_) {
    const std::size_t here = first_->end - first_->begin;
    if (count < here) {
      first_->begin += static_cast<std::uint32_t>(count);
      return;
    }
    count -= here;
    Block* sent = first_;
    first_ = sent->next;
    if (!first_) last_ = nullptr;
    pool_->give(*sent);
  }
}

std::span<char> SendBuffer::front_bytes() noexcept {
  // Empty blocks give way, so that the first one has bytes whenever the buffer has.
  consume(0);
  if (!first_) return {};
  return {first_->data + first_->begin, first_->end - first_->begin};
}

void SendBuffer::clear() noexcept {
  while (first_) {
    Block* block = first_;
    first_ = block->next;
    pool_->give(*block);
  }
  last_ = nullptr;
  bytes_ = 0;
}

}  // namespace tokend::core
