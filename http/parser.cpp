#include "http/parser.h"

#include <llhttp.h>

#include <algorithm>
#include <new>
#include <optional>

#include "core/error.h"
#include "http/characters.h"
#include "http/fields.h"

namespace tokend::http {
namespace {

static_assert(sizeof(llhttp_t) <= Parser::kMachineBytes);

constexpr std::string_view kVersionPrefix = " HTTP/";
constexpr std::size_t kLengthDigitsMax = 19;  // of a Content-Length, leading zeros included

llhttp_t& machine_at(std::byte* place) noexcept {
  return *std::launder(reinterpret_cast<llhttp_t*>(place));
}

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

// llhttp's C callbacks, handed on to the parser that its machine belongs to.
struct ParserCallbacks {
  static Parser& of(llhttp_t* machine) noexcept { return *static_cast<Parser*>(machine->data); }

  static void extend(Parser& parser, Span& span, const char* at, std::size_t count) noexcept {
    if (span.length == 0) span.offset = parser.offset_of(at);
    span.length += static_cast<std::uint32_t>(count);
  }
  static int on_method(llhttp_t* machine, const char* at, std::size_t count) noexcept {
    extend(of(machine), of(machine).method_, at, count);
    return 0;
  }
  static int on_method_complete(llhttp_t* machine) noexcept {
    return of(machine).on_method_complete(machine->method);
  }
  static int on_target(llhttp_t* machine, const char* at, std::size_t count) noexcept {
    extend(of(machine), of(machine).target_, at, count);
    return 0;
  }
  static int on_target_complete(llhttp_t* machine) noexcept {
    return of(machine).on_target_complete();
  }
  static int on_version(llhttp_t* machine, const char* at, std::size_t count) noexcept {
    extend(of(machine), of(machine).version_, at, count);
    return 0;
  }
  static int on_version_complete(llhttp_t* machine) noexcept {
    return of(machine).on_version_complete();
  }
  static int on_name(llhttp_t* machine, const char* at, std::size_t count) noexcept {
    return of(machine).on_name(at, count);
  }
  static int on_value(llhttp_t* machine, const char* at, std::size_t count) noexcept {
    return of(machine).on_value(at, count);
  }
  static int on_value_complete(llhttp_t* machine) noexcept {
    return of(machine).on_value_complete();
  }
  // The body is framed by the parser; llhttp never sees it, so it never enters its upgrade mode.
  static int on_headers_complete(llhttp_t*) noexcept { return HPE_PAUSED; }

  static constexpr llhttp_settings_t settings() noexcept {
    llhttp_settings_t settings{};
    settings.on_method = on_method;
    settings.on_method_complete = on_method_complete;
    settings.on_url = on_target;
    settings.on_url_complete = on_target_complete;
    settings.on_version = on_version;
    settings.on_version_complete = on_version_complete;
    settings.on_header_field = on_name;
    settings.on_header_value = on_value;
    settings.on_header_value_complete = on_value_complete;
    settings.on_headers_complete = on_headers_complete;
    return settings;
  }
};

namespace {
constinit llhttp_settings_t callbacks = ParserCallbacks::settings();
}

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

// ---- One request.
// ----------------------------------------------------------------------------------

Parser::Result Parser::skip_empty_lines(const char* bytes, std::size_t count) noexcept {
  CHECK(phase_ == Phase::idle);
  std::size_t skipped = 0;
  for (; skipped < count; ++skipped) {
    const bool after_cr = empty_line_bytes_ % 2 == 1;
    if (bytes[skipped] != (after_cr ? '\n' : '\r')) {
      // A bare CR or LF; llhttp would skip it.
      if (after_cr || bytes[skipped] == '\n') return refuse(Refusal::bad_request);
      empty_line_bytes_ = 0;
      return {Status::complete, skipped};
    }
    if (++empty_line_bytes_ > 2 * kEmptyLinesMax) return refuse(Refusal::bad_request);
  }
  return {Status::need_more, skipped};
}

void Parser::begin() noexcept {
  phase_ = Phase::head;
  part_ = Part::method;
  stopped_ = in_name_ = in_value_ = false;
  keep_alive_ = awaits_continue_ = is_head_ = false;
  connection_close_ = connection_keep_alive_ = false;
  has_length_ = has_coding_ = has_expect_ = false;
  line_end_ = 0;
  method_ = target_ = version_ = {};
  request_.present_ = request_.repeated_ = 0;
  request_.headers_ = {};
  request_.body_length_ = 0;
  llhttp_t* machine = ::new (static_cast<void*>(machine_)) llhttp_t;
  llhttp_init(machine, HTTP_REQUEST, &callbacks);
  machine->data = this;
}

Parser::Result Parser::parse(char* request, std::size_t fresh) noexcept {
  base_ = request;
  if (phase_ == Phase::idle) begin();
  std::size_t consumed = 0;
  Result result{Status::need_more, 0};
  // The head ends, or turns out to have a strange method, at most once each.
  for (Phase before = Phase::idle; before != phase_ && result.status == Status::need_more;) {
    before = phase_;
    const std::size_t left = fresh - consumed;
    switch (phase_) {
      case Phase::idle: break;
      case Phase::head: result = parse_head(left); break;
      case Phase::unknown_method: result = parse_unknown_method(left); break;
      case Phase::sized_body: result = parse_sized_body(left); break;
      case Phase::chunked_body: result = parse_chunked_body(left); break;
    }
    consumed += result.consumed;
  }
  if (result.status == Status::complete) {
    request_.head_ = base_;
    request_.body_ = base_ + request_.head_length_;
  }
  return {result.status, consumed};
}

Parser::Result Parser::refuse(Refusal refusal) noexcept {
  refusal_ = refusal;
  return {Status::refused, 0};
}

Parser::Result Parser::complete(std::size_t consumed) noexcept {
  return {Status::complete, consumed};
}

Parser::Result Parser::parse_head(std::size_t fresh) noexcept {
  llhttp_t& machine = machine_at(machine_);
  const char* begin = base_ + held_;
  const std::size_t part = std::min(fresh, limits_.header_bytes_max - held_);
  const llhttp_errno_t error = llhttp_execute(&machine, begin, part);
  if (stopped_) return {Status::refused, 0};

  if (error == HPE_OK) {
    held_ += part;
    if (target_exceeds_limit_at(held_)) return refuse(Refusal::uri_too_long);
    if (held_ == limits_.header_bytes_max) return refuse(Refusal::header_fields_too_large);
    return {Status::need_more, part};
  }
  if (error == HPE_PAUSED) {
    const std::size_t consumed = static_cast<std::size_t>(llhttp_get_error_pos(&machine) - begin);
    held_ += consumed;
    request_.head_length_ = static_cast<std::uint32_t>(held_);
    if (!accept_head()) return {Status::refused, consumed};
    if (in_body()) return {Status::need_more, consumed};
    return complete(consumed);
  }
  if (error == HPE_INVALID_METHOD) {
    phase_ = Phase::unknown_method;
    return {Status::need_more, 0};
  }
  // Wherever the limit of the target was passed before the error, the limit is what counts: a peer
  // that sent one byte at a time would have met it first.
  if (target_exceeds_limit_at(offset_of(llhttp_get_error_pos(&machine)))) {
    return refuse(Refusal::uri_too_long);
  }
  // llhttp refuses some versions itself. With all three characters seen it was a version.
  if (error == HPE_INVALID_VERSION && part_ == Part::version && version_.length == 3) {
    return refuse(Refusal::version_not_supported);
  }
  return refuse(Refusal::bad_request);
}

// llhttp tells of the target's end late, so the bytes that ended it may be among those seen.
bool Parser::target_exceeds_limit_at(std::size_t position) const noexcept {
  if (part_ != Part::target) return false;
  const std::size_t target_begin = method_.length + 1;
  const auto ends_target = [](char byte) { return byte == ' ' || byte == '\r' || byte == '\n'; };
  while (position > target_begin && ends_target(base_[position - 1])) --position;
  return position > target_begin + limits_.target_bytes_max;
}

// llhttp gives up at the first character that leads to no method it knows; whether the method is
// unknown or nonsense is decided where it ends.
Parser::Result Parser::parse_unknown_method(std::size_t fresh) noexcept {
  const std::size_t seen = std::min(held_ + fresh, kMethodBytesMax);
  for (std::size_t index = 0; index < seen; ++index) {
    const unsigned char byte = static_cast<unsigned char>(base_[index]);
    if (is_token(byte)) continue;
    return refuse(byte == ' ' && index > 0 ? Refusal::not_implemented : Refusal::bad_request);
  }
  if (seen == kMethodBytesMax) return refuse(Refusal::not_implemented);
  held_ += fresh;
  return {Status::need_more, fresh};
}

Parser::Result Parser::parse_sized_body(std::size_t fresh) noexcept {
  const std::size_t part = std::min(fresh, body_left_);
  if (part > 0) awaits_continue_ = false;
  held_ += part;
  body_left_ -= part;
  return body_left_ == 0 ? complete(part) : Result{Status::need_more, part};
}

Parser::Result Parser::parse_chunked_body(std::size_t fresh) noexcept {
  if (fresh > 0) awaits_continue_ = false;
  char* begin = base_ + held_;
  const ChunkedDecoder::Result decoded = chunked_.decode(begin, begin + fresh, begin);
  const std::size_t consumed = static_cast<std::size_t>(decoded.input - begin);
  held_ = static_cast<std::size_t>(decoded.output - base_);
  switch (decoded.status) {
    case ChunkedDecoder::Status::need_more: return {Status::need_more, consumed};
    case ChunkedDecoder::Status::complete:
      request_.body_length_ = static_cast<std::uint32_t>(held_ - request_.head_length_);
      return complete(consumed);
    case ChunkedDecoder::Status::malformed: return refuse(Refusal::bad_request);
    case ChunkedDecoder::Status::body_too_large: return refuse(Refusal::content_too_large);
    case ChunkedDecoder::Status::trailer_too_large: return refuse(Refusal::header_fields_too_large);
  }
  CHECK(false);
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
  if (length > limits_.body_bytes_max) return refused(Refusal::content_too_large);

  keep_alive_ = !connection_close_ && (http_1_1 || connection_keep_alive_);
  awaits_continue_ = expects && (has_coding_ || length > 0);
  if (has_coding_) {
    phase_ = Phase::chunked_body;
    chunked_.start(limits_.body_bytes_max);
  } else if (length > 0) {
    phase_ = Phase::sized_body;
    body_left_ = length;
    request_.body_length_ = static_cast<std::uint32_t>(length);
  }
  return true;
}

}  // namespace tokend::http
