#pragma once
// The characters of HTTP's grammar, and comparison of names without regard to case.

#include <cstddef>
#include <string_view>

namespace tokend::http {

// RFC 9110, 5.6.2: what methods, header names and transfer codings are made of.
[[nodiscard]] constexpr bool is_token(unsigned char byte) noexcept {
  if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') return true;
  if (byte >= '0' && byte <= '9') return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(byte)) !=
         std::string_view::npos;
}

// RFC 9110, 5.5: what a header value is made of, white space included.
[[nodiscard]] constexpr bool is_field_value(unsigned char byte) noexcept {
  return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
}

[[nodiscard]] constexpr bool is_blank(char byte) noexcept { return byte == ' ' || byte == '\t'; }

[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// `lower` is lower-case and has no '_' and no byte that differs from a letter, digit or '-' in 0x20
// only; `text` is made of token characters. Then OR-ing 0x20 decides.
[[nodiscard]] constexpr bool equals_lower(std::string_view text, std::string_view lower) noexcept {
  if (text.size() != lower.size()) return false;
  unsigned difference = 0;
  for (std::size_t index = 0; index < lower.size(); ++index) {
    difference |= static_cast<unsigned>((text[index] | 0x20) ^ lower[index]);
  }
  return difference == 0;
}

}  // namespace tokend::http
