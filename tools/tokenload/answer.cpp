#include "tools/tokenload/answer.h"

#include <charconv>
#include <cstring>
#include <optional>

namespace tokend::load {
namespace {

constexpr std::size_t kStatusOffset = 9;  // behind "HTTP/1.1 "
constexpr std::size_t kStatusLineMin = 12;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

std::optional<int> status_of(std::string_view bytes) noexcept {
  if (bytes.size() < kStatusLineMin || !bytes.starts_with("HTTP/1.") || bytes[8] != ' ') {
    return std::nullopt;
  }
  int status = 0;
  for (std::size_t i = kStatusOffset; i < kStatusLineMin; ++i) {
    if (bytes[i] < '0' || bytes[i] > '9') return std::nullopt;
    status = status * 10 + (bytes[i] - '0');
  }
  return status;
}

bool has_no_body(int status) noexcept { return status == 204 || status == 304; }

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

Framing AnswerFramer::parse(std::string_view bytes, Answer& answer) noexcept {
  if (parse_learned(bytes, answer)) return Framing::complete;
  return parse_lines(bytes, answer);
}

// The name right before the digits and the empty line at the learned place fix the header section:
// an earlier empty line would mean a body that repeats both of them at exactly these offsets, and
// the JSON that we ask for holds no raw CR LF.
bool AnswerFramer::parse_learned(std::string_view bytes, Answer& answer) const noexcept {
  if (layout_.header_bytes == 0 || bytes.size() < layout_.header_bytes) return false;
  const char* data = bytes.data();
  if (std::memcmp(data + layout_.header_bytes - 4, "\r\n\r\n", 4) != 0 ||
      std::memcmp(data + layout_.value_offset - kNameBytes, layout_.name.data(), kNameBytes) != 0) {
    return false;
  }
  const std::optional<int> status = status_of(bytes);
  // A redirect, 204 or 304 has rules of its own, and errors need no speed.
  if (status != 200) return false;
  std::size_t body_bytes = 0;
  const auto [end, error] =
      std::from_chars(data + layout_.value_offset, data + layout_.header_bytes, body_bytes);
  if (error != std::errc{} || *end != '\r') return false;
  if (body_bytes > bytes.size() - layout_.header_bytes) return false;
  answer.status = 200;
  answer.head = bytes.substr(0, layout_.header_bytes);
  answer.body = bytes.substr(layout_.header_bytes, body_bytes);
  answer.bytes = layout_.header_bytes + body_bytes;
  answer.close = false;
  return true;
}

Framing AnswerFramer::parse_lines(std::string_view bytes, Answer& answer) noexcept {
  constexpr std::string_view kVersion = "HTTP/1.";
  if (bytes.substr(0, kVersion.size()) != kVersion.substr(0, bytes.size())) {
    return Framing::malformed;
  }
  const std::size_t header_end = bytes.find("\r\n\r\n");
  if (header_end == std::string_view::npos) {
    return bytes.size() > kAnswerBytesMax ? Framing::malformed : Framing::incomplete;
  }
  const std::optional<int> status = status_of(bytes);
  if (!status) return Framing::malformed;

  const std::size_t header_bytes = header_end + 4;
  std::optional<std::size_t> body_bytes;
  Layout layout{.header_bytes = header_bytes};
  bool close = bytes[7] == '0';  // HTTP/1.0 closes unless it says otherwise
  std::size_t line_start = bytes.find("\r\n") + 2;
  while (line_start < header_end + 2) {
    const std::size_t line_end = bytes.find("\r\n", line_start);
    const std::string_view line = bytes.substr(line_start, line_end - line_start);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return Framing::malformed;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (equal_ignoring_case(name, "content-length")) {
      std::size_t parsed = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
      if (error != std::errc{} || end != value.data() + value.size()) return Framing::malformed;
      if (parsed > kAnswerBytesMax || (body_bytes && *body_bytes != parsed)) {
        return Framing::malformed;
      }
      body_bytes = parsed;
      layout.value_offset = static_cast<std::size_t>(value.data() - bytes.data());
    } else if (equal_ignoring_case(name, "connection")) {
      if (equal_ignoring_case(value, "close")) close = true;
      if (equal_ignoring_case(value, "keep-alive")) close = false;
    } else if (equal_ignoring_case(name, "transfer-encoding")) {
      return Framing::malformed;  // a length is all that this client understands
    }
    line_start = line_end + 2;
  }
  if (has_no_body(*status)) body_bytes = 0;
  if (!body_bytes) return Framing::malformed;
  if (*body_bytes > bytes.size() - header_bytes) return Framing::incomplete;

  if (*status == 200 && !close) {
    std::memcpy(layout.name.data(), bytes.data() + layout.value_offset - kNameBytes, kNameBytes);
    if (equal_ignoring_case({layout.name.data(), kNameBytes}, "content-length: ")) layout_ = layout;
  }
  answer.status = *status;
  answer.head = bytes.substr(0, header_bytes);
  answer.body = bytes.substr(header_bytes, *body_bytes);
  answer.bytes = header_bytes + *body_bytes;
  answer.close = close;
  return Framing::complete;
}

}  // namespace tokend::load
