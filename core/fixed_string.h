#pragma once
// A string of bounded length that lives where it stands: no allocation, trivially copyable.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/error.h"

namespace tokend::core {

template <std::size_t capacity>
class FixedString {
  static_assert(capacity <= 255);

 public:
  static constexpr std::size_t kCapacity = capacity;

  constexpr FixedString() noexcept = default;
  // Trips a CHECK when `text` does not fit: ask fits() first where the text is from outside.
  explicit FixedString(std::string_view text) noexcept {
    CHECK(fits(text));
    length_ = static_cast<std::uint8_t>(text.size());
    // An empty view may have no address, which memcpy must not be given.
    if (!text.empty()) std::memcpy(bytes_, text.data(), text.size());
  }

  [[nodiscard]] static constexpr bool fits(std::string_view text) noexcept {
    return text.size() <= capacity;
  }
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_, length_}; }
  [[nodiscard]] bool empty() const noexcept { return length_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return length_; }

  // The bytes behind the end are zeros, so all of it can be compared: that takes a few instructions
  // and no call.
  friend bool operator==(const FixedString& left, const FixedString& right) noexcept {
    static_assert(sizeof(FixedString) == 1 + capacity);
    return std::memcmp(&left, &right, sizeof(FixedString)) == 0;
  }
  friend auto operator<=>(const FixedString& left, const FixedString& right) noexcept {
    return left.view() <=> right.view();
  }

 private:
  std::uint8_t length_ = 0;
  char bytes_[capacity] = {};
};

}  // namespace tokend::core
