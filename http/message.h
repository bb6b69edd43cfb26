#pragma once
// A request as views into the bytes it came in, and an answer as its parts. Neither owns memory.
//
// A request's header section is one contiguous run of bytes, its body another; everything that a
// Request says is an offset into one of them, so the bytes can be moved (Exchange::keep_request)
// by changing two pointers. Only the headers that some part of the server reads are remembered;
// the rest are checked by the parser and forgotten.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tokend::http {

enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options, other };

[[nodiscard]] std::string_view name_of(Method method) noexcept;

// The request headers that are read. Adding one here and to the table in parser.cpp is all it
// takes.
enum class Header : std::uint8_t {
  host,
  content_type,
  origin,
  access_control_request_method,
  authorization,
  x_auth_token,
  x_user_id,
  x_forwarded_for,
  x_real_ip,
  idempotency_key,
  count_,
};
inline constexpr std::size_t kHeaderCount = static_cast<std::size_t>(Header::count_);

struct Span {
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
};

class Request {
 public:
  [[nodiscard]] Method method() const noexcept { return method_; }
  // The part of the target before '?', not decoded. Paths are case-sensitive.
  [[nodiscard]] std::string_view path() const noexcept { return head_view(path_); }
  // The part after '?', not decoded, without it; empty when there is none.
  [[nodiscard]] std::string_view query() const noexcept { return head_view(query_); }
  // Value without the white space around it; empty when absent. The last one when repeated.
  [[nodiscard]] std::string_view header(Header name) const noexcept {
    return head_view(headers_[static_cast<std::size_t>(name)]);
  }
  [[nodiscard]] bool has(Header name) const noexcept { return present_ & bit(name); }
  [[nodiscard]] bool repeated(Header name) const noexcept { return repeated_ & bit(name); }
  // Decoded of any transfer coding; core::kReceivePaddingBytes more bytes are readable behind it.
  [[nodiscard]] std::string_view body() const noexcept { return {body_, body_length_}; }
  // 0 for HTTP/1.0, 1 for HTTP/1.1.
  [[nodiscard]] int minor_version() const noexcept { return minor_version_; }

 private:
  friend class Parser;
  friend class Exchange;

  static constexpr std::uint32_t bit(Header name) noexcept {
    return 1U << static_cast<unsigned>(name);
  }
  [[nodiscard]] std::string_view head_view(Span span) const noexcept {
    return {head_ + span.offset, span.length};
  }

  const char* head_ = "";
  const char* body_ = "";
  std::uint32_t head_length_ = 0;
  std::uint32_t body_length_ = 0;
  std::uint32_t present_ = 0;
  std::uint32_t repeated_ = 0;
  Span path_;
  Span query_;
  std::array<Span, kHeaderCount> headers_{};
  Method method_ = Method::other;
  std::uint8_t minor_version_ = 1;
};
static_assert(kHeaderCount <= 32, "present_ and repeated_ hold one bit for each header");

// What a handler says; the session adds the status line, Date, Content-Length and Connection.
struct Answer {
  int status = 200;
  // Whole header lines, each ending in CR LF, Content-Type among them.
  std::string_view headers;
  std::string_view body;
  // Close the connection once this answer is sent.
  bool close = false;
};

// Why the bytes that came are not a request that is served (the names are the field's own).
enum class Refusal : std::uint8_t {
  bad_request,              // 400
  request_timeout,          // 408
  content_too_large,        // 413
  uri_too_long,             // 414
  expectation_failed,       // 417: an Expect that is not 100-continue
  header_fields_too_large,  // 431
  not_implemented,          // 501: a method or transfer coding that is not known
  version_not_supported,    // 505
  overloaded,               // 503: a named limit of the server was reached
};

[[nodiscard]] int status_of(Refusal refusal) noexcept;

// The whole line "HTTP/1.1 200 OK\r\n"; empty for a status that no part of the server answers with.
[[nodiscard]] std::string_view status_line_of(int status) noexcept;

}  // namespace tokend::http
