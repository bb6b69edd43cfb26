// The head of a request: its line, its headers, and what they say of the body (http/parser.h).
// Called back by llhttp, piece by piece; what llhttp would let pass and an intermediary could read
// differently is refused here.

#include <llhttp.h>

#include <algorithm>
#include <optional>

#include "http/characters.h"
#include "http/fields.h"
#include "http/parser.h"

namespace tokend::http {
namespace {

constexpr std::string_view kVersionPrefix = " HTTP/";
constexpr std::size_t kLengthDigitsMax = 19;  // of a Content-Length, leading zeros included

Method method_of(std::uint8_t method) noexcept {
  switch (method) {
    case HTTP_GET: return Method::get;
    case HTTP_HEAD: return Method::head;
    case HTTP_POST: return Method::post;
    case HTTP_PUT: return Method::put;
    case HTTP_PATCH: return Method::patch;
    case HTTP_DELETE: return Method::delete_;
    case HTTP_OPTIONS: return Method::options;
    default: return Method::other;
  }
}

}  // namespace

// ---- The headers that are read.
// ------------------------------------------------------------------

enum class Parser::Known : std::uint8_t {
  // Those of a Request, with its numbers.
  unknown = kHeaderCount,
  connection,
  content_length,
  transfer_encoding,
  expect,
};

Parser::Known Parser::known_header(std::string_view name) noexcept {
  const auto match = [name](std::string_view lower, auto header) {
    return equals_lower(name, lower) ? static_cast<Known>(header) : Known::unknown;
  };
  const int first = name.empty() ? 0 : name[0] | 0x20;
  switch (name.size()) {
    case 4: return match("host", Header::host);
    case 6: return first == 'o' ? match("origin", Header::origin) : match("expect", Known::expect);
    case 9:
      return equals_lower(name, "x-user-id") ? static_cast<Known>(Header::x_user_id)
                                             : match("x-real-ip", Header::x_real_ip);
    case 10: return match("connection", Known::connection);
    case 12:
      return first == 'c' ? match("content-type", Header::content_type)
                          : match("x-auth-token", Header::x_auth_token);
    case 13: return match("authorization", Header::authorization);
    case 14: return match("content-length", Known::content_length);
    case 15:
      return first == 'i' ? match("idempotency-key", Header::idempotency_key)
                          : match("x-forwarded-for", Header::x_forwarded_for);
    case 17: return match("transfer-encoding", Known::transfer_encoding);
    case 29: return match("access-control-request-method", Header::access_control_request_method);
    default: return Known::unknown;
  }
}

void Parser::remember(Header header, Span value) noexcept {
  const std::uint32_t bit = Request::bit(header);
  request_.repeated_ |= request_.present_ & bit;
  request_.present_ |= bit;
  request_.headers_[static_cast<std::size_t>(header)] = value;
}

// ---- The request line.
// -----------------------------------------------------------------------------

int Parser::stop(Refusal refusal) noexcept {
  refusal_ = refusal;
  stopped_ = true;
  return HPE_USER;
}

int Parser::on_method_complete(std::uint8_t method) noexcept {
  part_ = Part::target;
  // HTTP/2's preface begins with a method of its own.
  if (method == HTTP_PRI) return stop(Refusal::version_not_supported);
  // No tunnels here; and what llhttp knows of RTSP is behind PRI.
  if (method == HTTP_CONNECT || method > HTTP_PRI) return stop(Refusal::not_implemented);
  request_.method_ = method_of(method);
  is_head_ = request_.method_ == Method::head;
  return 0;
}

int Parser::on_target_complete() noexcept {
  part_ = Part::version;
  const std::uint32_t target_begin = method_.length + 1;
  const std::uint32_t target_end = target_.offset + target_.length;
  if (target_end > target_begin + limits_.target_bytes_max) return stop(Refusal::uri_too_long);
  // Exactly one space on either side. Without the second it is the versionless form of HTTP/0.9.
  if (method_.offset != 0 || target_.offset != target_begin || base_[method_.length] != ' ' ||
      base_[target_end] != ' ') {
    return stop(Refusal::bad_request);
  }
  const std::optional<Target> target =
      split_target(text(target_), request_.method_ == Method::options);
  if (!target) return stop(Refusal::bad_request);
  request_.path_ = {target_.offset + target->path.offset, target->path.length};
  request_.query_ = {target_.offset + target->query.offset, target->query.length};
  return 0;
}

int Parser::on_version_complete() noexcept {
  part_ = Part::headers;
  const std::uint32_t target_end = target_.offset + target_.length;
  if (version_.offset != target_end + kVersionPrefix.size() ||
      std::string_view(base_ + target_end, kVersionPrefix.size()) != kVersionPrefix) {
    return stop(Refusal::bad_request);
  }
  const std::string_view version = text(version_);
  if (version != "1.1" && version != "1.0") return stop(Refusal::version_not_supported);
  request_.minor_version_ = version[2] == '1' ? 1 : 0;
  line_end_ = version_.offset + version_.length;
  return 0;
}

// ---- The headers.
// ----------------------------------------------------------------------------------

int Parser::on_name(const char* at, std::size_t count) noexcept {
  if (!in_name_) {
    in_name_ = true;
    name_ = {offset_of(at), 0};
    // A folded line would stand between the two, and so would a bare CR or LF.
    if (name_.offset != line_end_ + 2 || !line_ends_at(line_end_)) {
      return stop(Refusal::bad_request);
    }
  }
  name_.length += static_cast<std::uint32_t>(count);
  return 0;
}

int Parser::on_value(const char* at, std::size_t count) noexcept {
  const std::uint32_t offset = offset_of(at);
  if (in_value_) {
    if (offset != value_.offset + value_.length) return stop(Refusal::bad_request);
    value_.length += static_cast<std::uint32_t>(count);
    return 0;
  }
  in_name_ = false;
  in_value_ = true;
  std::uint32_t begin = name_.offset + name_.length;
  if (name_.length == 0 || base_[begin++] != ':') return stop(Refusal::bad_request);
  while (begin < offset && is_blank(base_[begin])) ++begin;
  // llhttp tells of an empty value only behind its line's end.
  const bool empty = count == 0 && begin + 2 == offset && line_ends_at(begin);
  if (begin != offset && !empty) return stop(Refusal::bad_request);
  value_ = {begin, static_cast<std::uint32_t>(count)};
  return 0;
}

int Parser::on_value_complete() noexcept {
  in_value_ = false;
  line_end_ = value_.offset + value_.length;
  Span value = value_;
  while (value.length > 0 && is_blank(base_[value.offset + value.length - 1])) --value.length;

  const Known known = known_header(text(name_));
  switch (known) {
    case Known::unknown: return 0;
    case Known::connection: read_connection(text(value)); return 0;
    case Known::content_length:
      if (has_length_) return stop(Refusal::bad_request);
      has_length_ = true;
      length_ = value;
      return 0;
    case Known::transfer_encoding:
      if (has_coding_) return stop(Refusal::bad_request);
      has_coding_ = true;
      coding_ = value;
      return 0;
    case Known::expect:
      // Two that differ could be read either way; `100-continue` twice says nothing new.
      if (has_expect_ && !equals_lower(text(value), "100-continue")) expect_ = value;
      if (!has_expect_) expect_ = value;
      has_expect_ = true;
      return 0;
    default: break;
  }
  const Header header = static_cast<Header>(known);
  if (header == Header::host && (request_.has(header) || !is_host(text(value)))) {
    return stop(Refusal::bad_request);
  }
  remember(header, value);
  return 0;
}

void Parser::read_connection(std::string_view value) noexcept {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view option = trimmed(value.substr(0, comma));
    if (equals_lower(option, "close")) connection_close_ = true;
    if (equals_lower(option, "keep-alive")) connection_keep_alive_ = true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
}

bool Parser::accept_head() noexcept {
  const bool http_1_1 = request_.minor_version_ == 1;
  const auto refused = [this](Refusal refusal) {
    refusal_ = refusal;
    return false;
  };
  // Nothing but the end of the last line and an empty one stands between it and the body.
  if (held_ != line_end_ + 4U || !line_ends_at(line_end_) || !line_ends_at(line_end_ + 2)) {
    return refused(Refusal::bad_request);
  }
  if (http_1_1 && !request_.has(Header::host)) return refused(Refusal::bad_request);

  const std::string_view coding = text(coding_);
  if (has_coding_) {
    if (has_length_ || !http_1_1 || !is_coding_list(coding)) return refused(Refusal::bad_request);
    if (!equals_lower(coding, "chunked")) return refused(Refusal::not_implemented);
  }
  std::size_t length = 0;
  if (has_length_) {
    const std::string_view digits = text(length_);
    if (digits.empty() || digits.size() > kLengthDigitsMax) return refused(Refusal::bad_request);
    for (const char digit : digits) {
      if (digit < '0' || digit > '9') return refused(Refusal::bad_request);
      length = length * 10 + static_cast<std::size_t>(digit - '0');
    }
  }
  // HTTP/1.0 knows no expectations (RFC 9110, 10.1.1).
  const bool expects = has_expect_ && http_1_1;
  if (expects && !equals_lower(text(expect_), "100-continue")) {
    return refused(Refusal::expectation_failed);
  }
  large_body_ = !limits_.large_body_path.empty() && text(request_.path_) == limits_.large_body_path;
  const std::size_t body_bytes_max =
      large_body_ ? limits_.large_body_bytes_max : limits_.body_bytes_max;
  if (length > body_bytes_max) return refused(Refusal::content_too_large);

  keep_alive_ = !connection_close_ && (http_1_1 || connection_keep_alive_);
  awaits_continue_ = expects && (has_coding_ || length > 0);
  if (has_coding_) {
    phase_ = Phase::chunked_body;
    chunked_.start(body_bytes_max);
  } else {
    begin_body(length);
  }
  return true;
}

}  // namespace tokend::http
