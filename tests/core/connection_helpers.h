#pragma once
// What the tests of a connection share beside its server.

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/clock.h"

namespace tokend::core::tests {

inline std::string pattern(std::size_t bytes, unsigned salt = 0) {
  std::string text(bytes, '\0');
  unsigned state = salt + 1;
  for (char& character : text) {
    state = state * 1'664'525 + 1'013'904'223;
    character = static_cast<char>('a' + (state >> 24) % 26);
  }
  return text;
}

inline std::int64_t in_ms(std::int64_t ms) {
  return SystemClock{}.monotonic_ns() + ms * kNanosecondsPerMillisecond;
}

inline constexpr int kTinyBufferBytes = 4096;

}  // namespace tokend::core::tests
