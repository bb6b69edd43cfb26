#pragma once
// A vector that loses its first items at no cost: they stay in front until there are some, and no
// room behind the last one. Where one goes for each that comes, as with a user's tokens, the rest
// stays where it is instead of being moved each time.
//
// It grows by an eighth, from some items on: most users who come to have many have the same number
// of them, so the slack of doubling would be there for all of them at once.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

namespace tokend::store {

template <class Item>
class SlidingVector {
  static_assert(std::is_trivially_copyable_v<Item>);

 public:
  SlidingVector() = default;
  SlidingVector(SlidingVector&& other) noexcept
      : items_(std::move(other.items_)),
        dropped_(std::exchange(other.dropped_, 0)) {}
  SlidingVector& operator=(SlidingVector&& other) noexcept {
    items_ = std::move(other.items_);
    dropped_ = std::exchange(other.dropped_, 0);
    return *this;
  }

  [[nodiscard]] std::size_t size() const noexcept { return items_.size() - dropped_; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] const Item* begin() const noexcept { return items_.data() + dropped_; }
  [[nodiscard]] const Item* end() const noexcept { return items_.data() + items_.size(); }
  [[nodiscard]] const Item& back() const noexcept { return items_.back(); }
  // Items that there is memory for, dropped ones included.
  [[nodiscard]] std::size_t capacity() const noexcept { return items_.capacity(); }

  void push_back(const Item& item) {
    make_room();
    items_.push_back(item);
  }
  // In front of the item number `at`.
  void insert(std::size_t at, const Item& item) {
    make_room();
    items_.insert(items_.begin() + static_cast<std::ptrdiff_t>(dropped_ + at), item);
  }
  // count <= size()
  void drop_front(std::size_t count) noexcept { dropped_ += static_cast<std::uint32_t>(count); }
  // Returns how many that were.
  template <class Matches>
  std::size_t erase_if(Matches&& matches) noexcept {
    const auto first = items_.begin() + dropped_;
    const auto left = std::remove_if(first, items_.end(), matches);
    const auto erased = static_cast<std::size_t>(items_.end() - left);
    items_.erase(left, items_.end());
    return erased;
  }

 private:
  void make_room() {
    constexpr std::size_t kStepMin = 4;  // fewer are doubled, as a vector does by itself
    const std::size_t count = items_.size();
    if (count < kStepMin || count < items_.capacity()) return;
    const std::size_t step = std::max(kStepMin, count / 8);
    // Only where that makes room for so many that it need not be done for each item.
    if (dropped_ >= step) {
      items_.erase(items_.begin(), items_.begin() + dropped_);
      dropped_ = 0;
    } else {
      items_.reserve(count + step);
    }
  }

  std::vector<Item> items_;
  std::uint32_t dropped_ = 0;
};

}  // namespace tokend::store
