#include "http/api/cors.h"

#include <algorithm>

#include "http/api/text.h"

namespace tokend::api {
namespace {

constexpr std::string_view kAnyOrigin = "*";

bool is_alpha(char byte) noexcept {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

// So that it fits into a header line beside all others; a host's name has at most 253 bytes.
constexpr std::size_t kOriginBytesMax = 300;

bool is_origin(std::string_view text) noexcept {
  if (text.size() > kOriginBytesMax) return false;
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || !is_alpha(text.front())) return false;
  const std::string_view scheme = text.substr(0, colon);
  const std::string_view authority = text.substr(colon + 3);
  const bool scheme_is_right = std::ranges::all_of(scheme, [](char byte) noexcept {
    return is_alpha(byte) || (byte >= '0' && byte <= '9') || byte == '+' || byte == '-' ||
           byte == '.';
  });
  // Whatever a header line could not hold is among what no authority holds.
  return scheme_is_right && !authority.empty() &&
         std::ranges::all_of(authority, [](char byte) noexcept {
           constexpr std::string_view kElsewhere = "/?#@\\\"<>*";
           return byte > ' ' && byte < 0x7F && !kElsewhere.contains(byte);
         });
}

// Calls `visit` with each item until it returns false. True when all were visited.
template <class Visit>
bool each_item(std::string_view list, Visit&& visit) noexcept {
  for (;;) {
    const std::size_t comma = list.find(',');
    if (!visit(trim(list.substr(0, comma)))) return false;
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
  }
}

// A browser sends its page's origin in lower case.
std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& byte : lowered) {
    if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte + ('a' - 'A'));
  }
  return lowered;
}

}  // namespace

bool is_origin_list(std::string_view text) noexcept {
  if (trim(text) == kAnyOrigin) return true;
  std::size_t count = 0;
  return each_item(text, [&](std::string_view item) noexcept {
    return is_origin(item) && ++count <= kCorsOriginsMax;
  });
}

Cors::Cors(std::string_view instance_id, const store::Settings& settings)
    : instance_id_(instance_id) {
  apply(settings);
}

void Cors::apply(const store::Settings& settings) {
  enabled_ = settings.cors;
  lists_ = enabled_ && trim(settings.cors_origin) != kAnyOrigin;
  origins_.clear();
  blocks_.clear();
  if (!lists_) {
    blocks_.emplace_back(instance_id_, "Access-Control-Allow-Origin: *\r\n");
  } else {
    // A cache must not give one origin what was answered to another.
    constexpr std::string_view kVary = "Vary: Origin\r\n";
    blocks_.emplace_back(instance_id_, kVary);
    each_item(settings.cors_origin, [&](std::string_view item) {
      if (!is_origin(item) || origins_.size() == kCorsOriginsMax) return false;
      const std::string& origin = origins_.emplace_back(lower(item));
      blocks_.emplace_back(
          instance_id_,
          std::string("Access-Control-Allow-Origin: ").append(origin).append("\r\n").append(kVary));
      return true;
    });
  }
  choices_ = static_cast<Choice>(blocks_.size());
}

Cors::Choice Cors::find(const http::Request& request) const noexcept {
  if (request.repeated(http::Header::origin)) return kNoOrigin;
  const auto found = std::ranges::find(origins_, request.header(http::Header::origin));
  if (found == origins_.end()) return kNoOrigin;
  return static_cast<Choice>(found - origins_.begin() + 1);
}

}  // namespace tokend::api
