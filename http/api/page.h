#pragma once
// Which part of a list a query asks for: `count` and `offset` (contract 4.3, 9.15).

#include <cstddef>
#include <cstdint>
#include <limits>

#include "http/api/body.h"
#include "http/api/text.h"

namespace tokend::api {

inline constexpr std::size_t kPageCountDefault = 50;
inline constexpr std::size_t kPageCountMax = 100;  // a larger count is taken for this one
inline constexpr std::size_t kPageOffsetMax = std::numeric_limits<std::uint32_t>::max();

// False: one of them is no number (kInvalidPage).
[[nodiscard]] inline bool read_page(const Body& query, std::size_t& offset,
                                    std::size_t& count) noexcept {
  const auto given_count = query.name("count");
  const auto given_offset = query.name("offset");
  if ((given_count && !parse_count(*given_count, kPageCountMax, count)) ||
      (given_offset && !parse_count(*given_offset, kPageOffsetMax, offset))) {
    return false;
  }
  // 0 asks the original for everything, which it does not give either.
  if (!given_count || count == 0) count = kPageCountDefault;
  return true;
}

}  // namespace tokend::api
