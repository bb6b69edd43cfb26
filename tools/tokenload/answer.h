#pragma once
// Bytes from a server to whole HTTP answers. The first answer is parsed line by line and teaches
// the framer its header layout; an answer of the same layout then costs a few comparisons at known
// offsets and one parse of its Content-Length. Everything else takes the slow way again.
//
// One framer per thread. It keeps nothing of the bytes that it is given.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tokend::load {

// Above what a bulk answer of 10,000 tokens takes, about 1 MB.
inline constexpr std::size_t kAnswerBytesMax = 4U << 20;

struct Answer {
  int status = 0;
  std::string_view head;  // status line and header section
  std::string_view body;
  std::size_t bytes = 0;  // of the whole answer, header section included
  bool close = false;     // the server closes the connection behind it
};

enum class Framing : std::uint8_t { complete, incomplete, malformed };

class AnswerFramer {
 public:
  // Looks for one answer at the start of `bytes`; `answer` is set only when it is complete.
  [[nodiscard]] Framing parse(std::string_view bytes, Answer& answer) noexcept;

 private:
  static constexpr std::size_t kNameBytes = 16;  // "Content-Length: "

  struct Layout {
    std::size_t header_bytes = 0;  // 0: none learned
    std::size_t value_offset = 0;  // of Content-Length's first digit
    std::array<char, kNameBytes> name{};
  };

  [[nodiscard]] bool parse_learned(std::string_view bytes, Answer& answer) const noexcept;
  [[nodiscard]] Framing parse_lines(std::string_view bytes, Answer& answer) noexcept;

  Layout layout_;
};

}  // namespace tokend::load
