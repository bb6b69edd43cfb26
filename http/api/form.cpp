#include "http/api/form.h"

#include <algorithm>
#include <ranges>

#include "http/api/text.h"

namespace tokend::api {
namespace {

int hex_digit(char digit) noexcept {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

FormFields::FormFields(std::size_t bytes_max) : decoded_(bytes_max, '\0') {
  fields_.reserve(kFormFieldsMax);
}

std::optional<std::string_view> FormFields::decode(std::string_view encoded) noexcept {
  char* const begin = decoded_.data() + used_;
  char* out = begin;
  for (std::size_t index = 0; index < encoded.size(); ++index) {
    const char byte = encoded[index];
    if (byte == '+') {
      *out++ = ' ';
    } else if (byte != '%') {
      *out++ = byte;
    } else {
      if (encoded.size() - index < 3) return std::nullopt;
      const int high = hex_digit(encoded[index + 1]);
      const int low = hex_digit(encoded[index + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      *out++ = static_cast<char>(high * 16 + low);
      index += 2;
    }
  }
  const std::string_view text(begin, static_cast<std::size_t>(out - begin));
  if (!is_utf8(text)) return std::nullopt;
  used_ += text.size();
  return text;
}

bool FormFields::parse(std::string_view encoded) noexcept {
  fields_.clear();
  used_ = 0;
  if (encoded.size() > decoded_.size()) decoded_.resize(encoded.size());
  while (!encoded.empty()) {
    const std::size_t end = std::min(encoded.find('&'), encoded.size());
    const std::string_view pair = encoded.substr(0, end);
    encoded.remove_prefix(std::min(end + 1, encoded.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto name = decode(pair.substr(0, equals));
    const auto value = decode(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !value || fields_.size() == kFormFieldsMax) {
      fields_.clear();
      return false;
    }
    fields_.push_back({*name, *value});
  }
  return true;
}

std::optional<std::string_view> FormFields::find(std::string_view name) const noexcept {
  for (const Field& field : fields_ | std::views::reverse) {
    if (field.name == name) return field.value;
  }
  return std::nullopt;
}

bool FormFields::repeats(std::string_view name) const noexcept {
  return std::ranges::count(fields_, name, &Field::name) > 1;
}

}  // namespace tokend::api
