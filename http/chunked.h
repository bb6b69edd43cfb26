#pragma once
// Decodes a chunked body (RFC 9112, 7.1) in place: data moves down over the framing in front of it,
// extensions and trailers are checked and dropped. Stricter than llhttp's decoder, which is why it
// is ours: every line ends in CR LF, nothing but ';' or CR follows a size, and what is dropped is
// bounded. The outcome depends on the bytes only, never on where they were split.

#include <cstddef>
#include <cstdint>

namespace tokend::http {

class ChunkedDecoder {
 public:
  static constexpr std::size_t kSizeDigitsMax = 16;          // of one chunk
  static constexpr std::size_t kExtensionBytesMax = 1024;    // of one body
  static constexpr std::size_t kTrailerBytesMax = 4 * 1024;  // of one body

  enum class Status : std::uint8_t {
    need_more,          // all input was used
    complete,           // the byte behind the body is the next one
    malformed,          // 400
    body_too_large,     // 413
    trailer_too_large,  // 431
  };
  struct Result {
    Status status;
    const char* input;  // one past the last byte used
    char* output;       // one past the last byte of the body
  };

  void start(std::size_t body_bytes_max) noexcept {
    *this = ChunkedDecoder();
    room_ = body_bytes_max;
  }
  // Decodes [input, end) to `output`, which is not above `input`.
  [[nodiscard]] Result decode(const char* input, const char* end, char* output) noexcept;

 private:
  enum class State : std::uint8_t {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    final_lf,
  };
  // One byte of framing; need_more: go on.
  [[nodiscard]] Status step(unsigned char byte) noexcept;

  std::size_t room_ = 0;  // bytes that the body may still grow by
  std::uint64_t chunk_ = 0;
  std::size_t digits_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  State state_ = State::size;
};

}  // namespace tokend::http
