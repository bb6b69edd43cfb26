#include "http/parser.h"

#include <llhttp.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

#include "core/constant_time.h"
#include "core/error.h"
#include "http/characters.h"
#include "http/fields.h"

namespace tokend::http {
namespace {

static_assert(sizeof(llhttp_t) <= Parser::kMachineBytes);

llhttp_t& machine_at(std::byte* place) noexcept {
  return *std::launder(reinterpret_cast<llhttp_t*>(place));
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
  has_length_ = has_coding_ = has_expect_ = large_body_ = repeated_ = false;
  last_head_bytes_ = 0;
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
  std::size_t consumed = 0;
  Result result{Status::need_more, 0};
  if (phase_ == Phase::idle) {
    if (repeats_head(request, fresh)) {
      consumed = take_repeated_head();
      if (!in_body()) result.status = Status::complete;
    } else {
      begin();
    }
  }
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
    remember_head();
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

bool Parser::repeats_head(const char* request, std::size_t fresh) const noexcept {
  return last_head_bytes_ > 0 && fresh >= last_head_bytes_ &&
         core::equals_in_constant_time(request, last_head_.data(), last_head_bytes_);
}

// Everything but the body is as the last head left it.
std::size_t Parser::take_repeated_head() noexcept {
  phase_ = Phase::head;  // begun until reset(), as after a head that was parsed
  repeated_ = true;
  held_ = last_head_bytes_;
  begin_body(request_.body_length_);
  return last_head_bytes_;
}

void Parser::remember_head() noexcept {
  if (held_ > last_head_.size() || has_coding_ || has_expect_) return;
  last_head_bytes_ = held_;
  std::memcpy(last_head_.data(), base_, held_);
}

void Parser::begin_body(std::size_t length) noexcept {
  if (length == 0) return;
  phase_ = Phase::sized_body;
  body_left_ = length;
  request_.body_length_ = static_cast<std::uint32_t>(length);
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

}  // namespace tokend::http
