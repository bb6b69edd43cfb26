#pragma once
// From bytes to a Request. llhttp (strict mode) splits the request line and the headers; what HTTP
// leaves open or llhttp lets pass is decided here, so that no request has two readings: an
// ambiguous one is refused. Bodies are framed here and in ChunkedDecoder.
//
// The caller keeps a request contiguous: every call to parse() names the request's first byte, with
// held() bytes that earlier calls have seen behind it and the new ones behind those. The outcome
// depends on the bytes only, never on how they were split between calls.
//
// Concurrency: one core. Limits: ParserLimits, and the constants below.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/chunked.h"
#include "http/message.h"

namespace tokend::http {

struct ParserLimits {
  std::size_t header_bytes_max = 16 * 1024;  // request line and header section with its empty line
  std::size_t target_bytes_max = 8 * 1024;
  std::size_t body_bytes_max = 64 * 1024;
  // Of requests for exactly this path; empty: there is none.
  std::string_view large_body_path;
  std::size_t large_body_bytes_max = 0;
};

class Parser {
 public:
  static constexpr std::size_t kEmptyLinesMax = 4;    // in front of a request
  static constexpr std::size_t kMethodBytesMax = 64;  // looked at of a method that is not known
  static constexpr std::size_t kMachineBytes = 128;   // of llhttp's state
  // Clients that keep a connection send the same head again and again: one that is no longer than
  // this and has neither `Expect` nor `Transfer-Encoding` is compared with the one before it, and
  // what is the same byte for byte is not parsed again.
  static constexpr std::size_t kRepeatedHeadBytesMax = 1024;

  enum class Status : std::uint8_t { need_more, complete, refused };
  struct Result {
    Status status;
    // Of the new bytes; all of them with need_more.
    std::size_t consumed;
  };

  explicit Parser(const ParserLimits& limits) noexcept : limits_(limits) {}
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  // Before a request: the number of leading bytes that are empty lines. Then `status` complete: a
  // request begins behind them; need_more: there was nothing else; refused: there were too many.
  [[nodiscard]] Result skip_empty_lines(const char* bytes, std::size_t count) noexcept;

  // After `complete`, request() is valid as long as the bytes stay where they are, and reset() must
  // come before the next call. After `refused`, refusal() says why and the parser is spent. A
  // chunked body is moved together in place: with need_more held() grows by less than `fresh`.
  [[nodiscard]] Result parse(char* request, std::size_t fresh) noexcept;
  void reset() noexcept { phase_ = Phase::idle, held_ = 0; }

  [[nodiscard]] const Request& request() const noexcept { return request_; }
  [[nodiscard]] Refusal refusal() const noexcept { return refusal_; }

  // Bytes of the unfinished request that must be kept: its head and what is decoded of its body.
  [[nodiscard]] std::size_t held() const noexcept { return held_; }
  // A request's first byte was seen and its last was not.
  [[nodiscard]] bool begun() const noexcept { return phase_ != Phase::idle; }
  [[nodiscard]] bool in_body() const noexcept {
    return phase_ == Phase::sized_body || phase_ == Phase::chunked_body;
  }
  // Head seen, body not: it may be longer than `body_bytes_max`.
  [[nodiscard]] bool in_large_body() const noexcept { return in_body() && large_body_; }
  // Head seen: whether the connection stays open after this request.
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }
  // The client waits for "100 Continue" before it sends its body, of which no byte has come.
  [[nodiscard]] bool awaits_continue() const noexcept { return awaits_continue_; }
  // A HEAD request, as far as is known: its answer has no body even when it is refused.
  [[nodiscard]] bool is_head() const noexcept { return is_head_; }
  // After `complete`: the head is, byte for byte, that of the request before it.
  [[nodiscard]] bool repeated() const noexcept { return repeated_; }

 private:
  friend struct ParserCallbacks;

  enum class Phase : std::uint8_t { idle, head, unknown_method, sized_body, chunked_body };
  enum class Part : std::uint8_t { method, target, version, headers };
  enum class Known : std::uint8_t;
  static Known known_header(std::string_view name) noexcept;

  void begin() noexcept;
  // Whether the request that begins here has the head that was parsed last.
  [[nodiscard]] bool repeats_head(const char* request, std::size_t fresh) const noexcept;
  [[nodiscard]] std::size_t take_repeated_head() noexcept;
  void remember_head() noexcept;
  // The head is whole: what follows it.
  void begin_body(std::size_t length) noexcept;
  Result parse_head(std::size_t fresh) noexcept;
  // Whether the target is known to be too long once `position` bytes of the request were looked at.
  [[nodiscard]] bool target_exceeds_limit_at(std::size_t position) const noexcept;
  Result parse_unknown_method(std::size_t fresh) noexcept;
  Result parse_sized_body(std::size_t fresh) noexcept;
  Result parse_chunked_body(std::size_t fresh) noexcept;
  Result refuse(Refusal refusal) noexcept;
  Result complete(std::size_t consumed) noexcept;

  // Each returns what an llhttp callback returns: 0, or HPE_USER after it set refusal_.
  int on_method_complete(std::uint8_t method) noexcept;
  int on_target_complete() noexcept;
  int on_version_complete() noexcept;
  int on_name(const char* at, std::size_t count) noexcept;
  int on_value(const char* at, std::size_t count) noexcept;
  int on_value_complete() noexcept;
  int stop(Refusal refusal) noexcept;

  void remember(Header header, Span value) noexcept;
  // The first rule of section 6 of RFC 9112 that the whole head breaks, if any.
  [[nodiscard]] bool accept_head() noexcept;
  void read_connection(std::string_view value) noexcept;

  [[nodiscard]] std::uint32_t offset_of(const char* at) const noexcept {
    return static_cast<std::uint32_t>(at - base_);
  }
  [[nodiscard]] std::string_view text(Span span) const noexcept {
    return {base_ + span.offset, span.length};
  }
  [[nodiscard]] bool line_ends_at(std::uint32_t offset) const noexcept {
    return base_[offset] == '\r' && base_[offset + 1] == '\n';
  }

  const ParserLimits limits_;
  char* base_ = nullptr;  // the request's first byte, during parse()
  std::size_t held_ = 0;
  std::size_t body_left_ = 0;
  Phase phase_ = Phase::idle;
  Refusal refusal_ = Refusal::bad_request;
  std::uint8_t empty_line_bytes_ = 0;

  // Of the head that is being parsed. Everything between two parts is accounted for: line_end_ is
  // where the line before ended, so nothing that llhttp skips goes unnoticed.
  Part part_ = Part::method;
  bool stopped_ = false;  // by one of our callbacks, with refusal_ set
  bool in_name_ = false;
  bool in_value_ = false;
  bool keep_alive_ = false;
  bool awaits_continue_ = false;
  bool is_head_ = false;
  bool connection_close_ = false;
  bool connection_keep_alive_ = false;
  bool has_length_ = false;
  bool has_coding_ = false;
  bool has_expect_ = false;
  bool large_body_ = false;
  std::uint32_t line_end_ = 0;
  Span method_;
  Span target_;
  Span version_;
  Span name_;
  Span value_;
  Span length_;
  Span coding_;
  Span expect_;

  Request request_;
  ChunkedDecoder chunked_;
  alignas(std::max_align_t) std::byte machine_[kMachineBytes];

  // The head that was parsed last, while request_ and what else it meant are still as it said.
  std::size_t last_head_bytes_ = 0;  // 0: there is none, or it must not be taken for another
  bool repeated_ = false;
  std::array<char, kRepeatedHeadBytesMax> last_head_;
};

}  // namespace tokend::http
