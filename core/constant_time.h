#pragma once
// Comparison of bytes among which there are secrets.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tokend::core {

// The time depends on `count` alone, so it does not tell how much of a secret was right.
[[nodiscard]] inline bool equals_in_constant_time(const void* left, const void* right,
                                                  std::size_t count) noexcept {
  const auto* const one = static_cast<const std::byte*>(left);
  const auto* const other = static_cast<const std::byte*>(right);
  std::uint64_t difference = 0;
  const auto compare = [&](std::size_t at, std::size_t bytes) {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    std::memcpy(&first, one + at, bytes);
    std::memcpy(&second, other + at, bytes);
    difference |= first ^ second;
  };
  std::size_t at = 0;
  for (; at + sizeof(difference) <= count; at += sizeof(difference)) {
    compare(at, sizeof(difference));
  }
  if (at < count) compare(at, count - at);
  return difference == 0;
}

}  // namespace tokend::core
