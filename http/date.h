#pragma once
// The Date header line, written anew once a second. One instance per core, used on its thread.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace tokend::http {

class DateLine {
 public:
  // "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" (RFC 9110, 5.6.7).
  static constexpr std::size_t kBytes = 37;

  [[nodiscard]] std::string_view at(std::int64_t wall_ms) noexcept {
    if (wall_ms < from_ms_ || wall_ms >= until_ms_) write(wall_ms);
    return {line_, kBytes};
  }

 private:
  void write(std::int64_t wall_ms) noexcept;

  // The second that line_ tells; none at first.
  std::int64_t from_ms_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t until_ms_ = std::numeric_limits<std::int64_t>::min();
  char line_[kBytes] = {};
};

}  // namespace tokend::http
