#include "http/api/body.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/session.h"
#include "http/api/text.h"

namespace tokend::api {
namespace {

namespace dom = simdjson::dom;

static_assert(core::kReceivePaddingBytes >= simdjson::SIMDJSON_PADDING);
static_assert(sizeof(JsonValue) == sizeof(dom::element));

// simdjson's place in a document is the same two words.
dom::element element_of(JsonValue value) noexcept { return std::bit_cast<dom::element>(value); }

bool is_digit(char byte) noexcept { return byte >= '0' && byte <= '9'; }

// The length of the JSON number that `text` starts with; 0 when it starts with none.
std::size_t number_length(std::string_view text) noexcept {
  std::size_t at = 0;
  const auto digits = [&]() noexcept {
    const std::size_t first = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - first;
  };
  if (at < text.size() && text[at] == '-') ++at;
  if (at < text.size() && text[at] == '0') {
    ++at;
  } else if (digits() == 0) {
    return 0;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) return 0;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return 0;
  }
  return at;
}

// Whether simdjson can hold a well-formed number, to be on the safe side.
bool is_held(std::string_view number) noexcept {
  double value = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), value);
  return parsed.ec == std::errc() && std::abs(value) < 1e18;
}

// JSON sets no bounds on numbers but simdjson refuses what neither 64 bits nor a double can hold.
// No number that large means anything to us, so it may be a fraction, which integer() does not
// tell either. Whole scalars are looked at, from delimiter to delimiter: a malformed one stays as
// it is and is refused.
void replace_numbers(std::string_view json, std::string& out) {
  constexpr std::string_view kDelimiters = "[]{},: \t\r\n\"";
  constexpr std::string_view kFraction = "0.5";
  out.clear();
  bool in_string = false;
  for (std::size_t at = 0; at < json.size();) {
    const char byte = json[at];
    std::size_t length = 1;
    if (in_string) {
      if (byte == '\\') length = std::min<std::size_t>(2, json.size() - at);
      in_string = byte != '"';
    } else if (kDelimiters.contains(byte)) {
      in_string = byte == '"';
    } else {
      length = std::min(json.find_first_of(kDelimiters, at), json.size()) - at;
      const std::string_view scalar = json.substr(at, length);
      if (number_length(scalar) == length && !is_held(scalar)) {
        out += kFraction;
        at += length;
        continue;
      }
    }
    out.append(json, at, length);
    at += length;
  }
}

// True when nothing of a valid document lies deeper than kJsonDepthMax. simdjson's own limit is one
// more, because it counts a container only once something stands in it: it alone could let 64
// levels through or stop at 65, but not both whatever the innermost one holds.
bool is_shallow(std::string_view json) noexcept {
  // Each level has two brackets: bodies of the common size need no look.
  if (json.size() <= 2 * kJsonDepthMax) return true;
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < json.size(); ++at) {
    switch (json[at]) {
      case '"': in_string = !in_string; break;
      case '\\': ++at; break;  // in a string, since the document is valid
      case '[':
      case '{':
        if (!in_string && ++depth > kJsonDepthMax) return false;
        break;
      case ']':
      case '}':
        if (!in_string) --depth;
        break;
      default: break;
    }
  }
  return true;
}

}  // namespace

// ---- Values ------------------------------------------------------------------------------------

std::optional<std::string_view> JsonValue::text() const noexcept {
  std::string_view text;
  if (!document_ || element_of(*this).get_string().get(text) != simdjson::SUCCESS) return {};
  return text;
}

std::optional<bool> JsonValue::boolean() const noexcept {
  bool value = false;
  if (!document_ || element_of(*this).get_bool().get(value) != simdjson::SUCCESS) return {};
  return value;
}

std::optional<std::int64_t> JsonValue::integer() const noexcept {
  std::int64_t value = 0;
  // As it was written: 1.0 has another type.
  if (!document_ || !element_of(*this).is_int64() ||
      element_of(*this).get_int64().get(value) != simdjson::SUCCESS) {
    return {};
  }
  return value;
}

bool JsonValue::is_null() const noexcept { return document_ && element_of(*this).is_null(); }

std::optional<double> JsonValue::number() const noexcept {
  double value = 0;
  if (!document_ || element_of(*this).get_double().get(value) != simdjson::SUCCESS) return {};
  return value;
}

bool JsonValue::is_object() const noexcept { return document_ && element_of(*this).is_object(); }

bool JsonValue::is_array() const noexcept { return document_ && element_of(*this).is_array(); }

std::size_t JsonValue::size() const noexcept {
  dom::object object;
  if (!document_ || element_of(*this).get_object().get(object) != simdjson::SUCCESS) return 0;
  return object.size();
}

std::optional<JsonValue> JsonValue::member(std::string_view key) const noexcept {
  dom::object object;
  if (!document_ || element_of(*this).get_object().get(object) != simdjson::SUCCESS) return {};
  std::optional<JsonValue> found;
  for (auto field = object.begin(); field != object.end(); ++field) {
    if (field.key() == key) found = std::bit_cast<JsonValue>(field.value());
  }
  return found;
}

bool JsonValue::each_element(void* context, Visitor visit) const noexcept {
  dom::array array;
  if (!document_ || element_of(*this).get_array().get(array) != simdjson::SUCCESS) return false;
  for (const dom::element element : array) {
    if (!visit(context, std::bit_cast<JsonValue>(element))) return false;
  }
  return true;
}

std::optional<std::string_view> Body::json_text(std::string_view key) const noexcept {
  const auto value = json_.member(key);
  return value ? value->text() : std::nullopt;
}

std::optional<std::string_view> Body::name(std::string_view key) const noexcept {
  const auto given = text(key);
  if (!given) return std::nullopt;
  const std::string_view trimmed = trim(*given);
  if (trimmed.empty()) return std::nullopt;
  return trimmed;
}

std::optional<bool> Body::boolean(std::string_view key) const noexcept {
  if (!form_) {
    const auto value = json_.member(key);
    return value ? value->boolean() : std::nullopt;
  }
  const auto given = form_->find(key);
  if (given == "true") return true;
  if (given == "false") return false;
  return std::nullopt;
}

std::optional<std::int64_t> Body::integer(std::string_view key) const noexcept {
  if (!form_) {
    const auto value = json_.member(key);
    return value ? value->integer() : std::nullopt;
  }
  const std::string_view given = form_->find(key).value_or(std::string_view());
  const char* const end = given.data() + given.size();
  std::int64_t value = 0;
  const auto [rest, error] = std::from_chars(given.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

// ---- Reading -----------------------------------------------------------------------------------

struct BodyReader::Parser {
  dom::parser json;
  std::string rewritten;
};

BodyReader::BodyReader(std::size_t body_bytes_max, std::size_t json_bytes_max)
    : form_bytes_max_(body_bytes_max),
      parser_(std::make_unique<Parser>()),
      form_(body_bytes_max) {
  CHECK(json_bytes_max >= body_bytes_max);
  CHECK(parser_->json.allocate(json_bytes_max, kJsonDepthMax + 1) == simdjson::SUCCESS);
  parser_->rewritten.reserve(json_bytes_max + core::kReceivePaddingBytes);
}

BodyReader::~BodyReader() = default;

BodyFault BodyReader::read(std::string_view content_type, std::string_view bytes,
                           Body& body) noexcept {
  body = Body();
  if (content_type == "application/json") return read_json(bytes, body);
  const std::string_view media_type = trim(content_type.substr(0, content_type.find(';')));
  if (content_type.empty() || equals_ignoring_case(media_type, "application/json")) {
    return read_json(bytes, body);
  }
  if (!equals_ignoring_case(media_type, "application/x-www-form-urlencoded")) {
    return BodyFault::unsupported_media_type;
  }
  return read_query(bytes, body);
}

BodyFault BodyReader::read_query(std::string_view query, Body& body) noexcept {
  body = Body();
  if (query.size() > form_bytes_max_ || !form_.parse(query)) return BodyFault::invalid_form;
  body.form_ = &form_;
  return BodyFault::none;
}

BodyFault BodyReader::read_json(std::string_view bytes, Body& body) noexcept {
  if (bytes.empty()) return BodyFault::none;
  dom::element root;
  auto error = parser_->json.parse(bytes.data(), bytes.size(), false).get(root);
  if (error == simdjson::NUMBER_ERROR) {
    std::string& rewritten = parser_->rewritten;
    replace_numbers(bytes, rewritten);
    const std::size_t length = rewritten.size();
    rewritten.append(core::kReceivePaddingBytes, ' ');
    error = parser_->json.parse(rewritten.data(), length, false).get(root);
  }
  if (error == simdjson::EMPTY) return BodyFault::none;
  if (error != simdjson::SUCCESS || !root.is_object() || !is_shallow(bytes)) {
    return BodyFault::invalid_json;
  }
  body.json_ = std::bit_cast<JsonValue>(root);
  return BodyFault::none;
}

}  // namespace tokend::api
