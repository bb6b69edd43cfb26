#pragma once
// An array that grows at its end without moving what it holds, in chunks of a huge page each: a
// look at random costs a cache miss and no walk of the page tables. Memory is kept until the end.
//
// Concurrency: as for a std::vector. Growing trips a CHECK when the address space is exhausted.

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "core/mapping.h"

namespace tokend::core {

template <class T>
class ChunkedArray {
 public:
  static constexpr std::size_t kChunkBytes = Mapping::kHugePageBytes;
  static constexpr std::size_t kChunkItems = kChunkBytes / sizeof(T);
  static_assert(kChunkItems > 0);

  ChunkedArray() = default;
  ~ChunkedArray() {
    while (size_ > 0) pop_back();
  }
  ChunkedArray(const ChunkedArray&) = delete;
  ChunkedArray& operator=(const ChunkedArray&) = delete;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] T& operator[](std::size_t index) noexcept { return *place(index); }
  [[nodiscard]] const T& operator[](std::size_t index) const noexcept { return *place(index); }

  void push_back(T&& item) {
    if (size_ == chunks_.size() * kChunkItems) {
      chunks_.push_back(std::make_unique<Mapping>(kChunkBytes));
    }
    ::new (static_cast<void*>(place(size_))) T(std::move(item));
    ++size_;
  }
  void pop_back() noexcept {
    --size_;
    std::destroy_at(place(size_));
  }

 private:
  [[nodiscard]] T* place(std::size_t index) const noexcept {
    return reinterpret_cast<T*>(chunks_[index / kChunkItems]->data()) + index % kChunkItems;
  }

  std::vector<std::unique_ptr<Mapping>> chunks_;
  std::size_t size_ = 0;
};

}  // namespace tokend::core
