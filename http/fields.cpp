#include "http/fields.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "http/characters.h"

namespace tokend::http {
namespace {

constexpr Span span_of(std::size_t begin, std::size_t end) noexcept {
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end - begin)};
}

}  // namespace

std::optional<Target> split_target(std::string_view target, bool is_options) noexcept {
  std::size_t question = std::string_view::npos;
  for (std::size_t index = 0; index < target.size(); ++index) {
    const unsigned char byte = static_cast<unsigned char>(target[index]);
    if (byte <= ' ' || byte >= 0x7F || byte == '#') return {};
    if (byte == '?' && question == std::string_view::npos) question = index;
  }
  const std::size_t path_end = std::min(question, target.size());
  Target parts{span_of(0, path_end),
               question == std::string_view::npos ? Span{} : span_of(question + 1, target.size())};
  if (target[0] == '/') return parts;
  if (target == "*") return is_options ? std::optional(parts) : std::nullopt;

  const std::size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return {};
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!equals_lower(scheme, "http") && !equals_lower(scheme, "https")) return {};
  const std::size_t host_begin = scheme_end + 3;
  if (host_begin > path_end) return {};
  const std::size_t path_begin = std::min(target.find('/', host_begin), path_end);
  if (!is_host(target.substr(host_begin, path_begin - host_begin))) return {};
  // An empty path is "/", of which the scheme's separator has one to point at.
  parts.path = path_begin == path_end ? span_of(scheme_end + 1, scheme_end + 2)
                                      : span_of(path_begin, path_end);
  return parts;
}

bool is_host(std::string_view host) noexcept {
  if (host.empty()) return false;
  std::size_t index = 0;
  if (host[0] == '[') {
    for (index = 1; index < host.size() && host[index] != ']'; ++index) {
      const char byte = host[index];
      const int letter = byte | 0x20;
      const bool hex = (byte >= '0' && byte <= '9') || (letter >= 'a' && letter <= 'f');
      if (!hex && byte != ':' && byte != '.') return false;
    }
    if (index == host.size() || index == 1) return false;
    ++index;
  } else {
    static constexpr CharacterSet kRegName("-._~%!$&'()*+,;=");
    for (; index < host.size() && host[index] != ':'; ++index) {
      if (!kRegName.contains(host[index])) return false;
    }
    if (index == 0) return false;
  }
  if (index == host.size()) return true;
  if (host[index++] != ':') return false;
  return std::ranges::all_of(host.substr(index),
                             [](char byte) { return byte >= '0' && byte <= '9'; });
}

bool is_coding_list(std::string_view list) noexcept {
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view item = trimmed(list.substr(0, comma));
    const std::string_view name = trimmed(item.substr(0, item.find(';')));
    if (name.empty()) return false;
    for (const char byte : name) {
      if (!is_token(static_cast<unsigned char>(byte))) return false;
    }
    if (equals_lower(name, "chunked") &&
        (comma != std::string_view::npos || name.size() != item.size()))
      return false;
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace tokend::http
