#include "http/api/text.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>

#include "core/clock.h"
#include "store/token.h"

namespace tokend::api {
namespace {

// Bytes of the white space character that `text` starts with; 0 when it starts with another.
std::size_t leading_space(std::string_view text) noexcept {
  const auto byte = [text](std::size_t index) noexcept {
    return index < text.size() ? static_cast<unsigned char>(text[index]) : 0U;
  };
  const unsigned first = byte(0);
  if (first == ' ' || (first >= '\t' && first <= '\r')) return 1;
  if (first == 0xC2) return byte(1) == 0xA0 ? 2 : 0;                     // U+00A0
  if (first == 0xE1) return byte(1) == 0x9A && byte(2) == 0x80 ? 3 : 0;  // U+1680
  if (first == 0xE3) return byte(1) == 0x80 && byte(2) == 0x80 ? 3 : 0;  // U+3000
  if (first == 0xEF) return byte(1) == 0xBB && byte(2) == 0xBF ? 3 : 0;  // U+FEFF
  if (first != 0xE2) return 0;
  if (byte(1) == 0x81) return byte(2) == 0x9F ? 3 : 0;  // U+205F
  if (byte(1) != 0x80) return 0;
  const unsigned third = byte(2);
  const bool space = (third >= 0x80 && third <= 0x8A) ||               // U+2000 to U+200A
                     third == 0xA8 || third == 0xA9 || third == 0xAF;  // U+2028, 2029, 202F
  return space ? 3 : 0;
}

std::size_t trailing_space(std::string_view text) noexcept {
  for (std::size_t bytes = 1; bytes <= std::min<std::size_t>(3, text.size()); ++bytes) {
    if (leading_space(text.substr(text.size() - bytes)) == bytes) return bytes;
  }
  return 0;
}

void put_digits(char* out, unsigned value, int digits) noexcept {
  for (int index = digits - 1; index >= 0; --index) {
    out[index] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

std::string_view trim(std::string_view text) noexcept {
  while (const std::size_t bytes = leading_space(text)) text.remove_prefix(bytes);
  while (const std::size_t bytes = trailing_space(text)) text.remove_suffix(bytes);
  return text;
}

bool is_utf8(std::string_view text) noexcept {
  const auto* byte = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = byte + text.size();
  while (byte < end) {
    const unsigned first = *byte++;
    if (first < 0x80) continue;
    if (first < 0xC2 || first > 0xF4) return false;
    const int more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    if (end - byte < more) return false;
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
    const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (byte[0] < low || byte[0] > high) return false;
    for (int index = 1; index < more; ++index) {
      if ((byte[index] & 0xC0) != 0x80) return false;
    }
    byte += more;
  }
  return true;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) noexcept {
  return std::ranges::equal(text, lower, [](char left, char right) noexcept {
    return (left >= 'A' && left <= 'Z' ? static_cast<char>(left + ('a' - 'A')) : left) == right;
  });
}

IsoTime iso_time(std::int64_t wall_ms) noexcept {
  namespace chrono = std::chrono;
  constexpr std::int64_t kFirstMs = -62'167'219'200'000;  // 0000-01-01T00:00:00.000Z
  constexpr std::int64_t kLastMs = 253'402'300'799'999;   // 9999-12-31T23:59:59.999Z
  const chrono::sys_time<chrono::milliseconds> moment{
      chrono::milliseconds{std::clamp(wall_ms, kFirstMs, kLastMs)}};
  const auto day = chrono::floor<chrono::days>(moment);
  const chrono::year_month_day date{day};
  const auto in_day = static_cast<unsigned>((moment - day).count());
  IsoTime out{'0', '0', '0', '0', '-', '0', '0', '-', '0', '0', 'T', '0',
              '0', ':', '0', '0', ':', '0', '0', '.', '0', '0', '0', 'Z'};
  put_digits(out.data(), static_cast<unsigned>(static_cast<int>(date.year())), 4);
  put_digits(out.data() + 5, static_cast<unsigned>(date.month()), 2);
  put_digits(out.data() + 8, static_cast<unsigned>(date.day()), 2);
  put_digits(out.data() + 11, in_day / 3'600'000, 2);
  put_digits(out.data() + 14, in_day / 60'000 % 60, 2);
  put_digits(out.data() + 17, in_day / 1'000 % 60, 2);
  put_digits(out.data() + 20, in_day % 1'000, 3);
  return out;
}

std::optional<std::int64_t> parse_iso_time(std::string_view text) noexcept {
  namespace chrono = std::chrono;
  bool sound = true;
  const auto take = [&](char wanted) noexcept {
    sound = sound && text.starts_with(wanted);
    if (sound) text.remove_prefix(1);
  };
  const auto number = [&](std::size_t digits) noexcept {
    int value = 0;
    for (; digits > 0; --digits) {
      sound = sound && !text.empty() && text.front() >= '0' && text.front() <= '9';
      if (!sound) return 0;
      value = value * 10 + (text.front() - '0');
      text.remove_prefix(1);
    }
    return value;
  };
  const int year = number(4);
  take('-');
  const int month = number(2);
  take('-');
  const int day = number(2);
  take('T');
  const int hours = number(2);
  take(':');
  const int minutes = number(2);
  take(':');
  const int seconds = number(2);
  int milliseconds = 0;
  if (text.starts_with('.')) {
    take('.');
    // One digit at least.
    for (int weight = 100;
         weight == 100 || (sound && !text.empty() && text.front() <= '9' && text.front() >= '0');
         weight /= 10) {
      milliseconds += number(1) * weight;
    }
  }
  int offset_minutes = 0;
  if (text.starts_with('Z')) {
    take('Z');
  } else {
    const int sign = text.starts_with('-') ? -1 : 1;
    take(sign < 0 ? '-' : '+');
    const int offset_hours = number(2);
    take(':');
    const int rest = number(2);
    sound = sound && offset_hours <= 23 && rest <= 59;
    offset_minutes = sign * (offset_hours * 60 + rest);
  }
  const chrono::year_month_day date{chrono::year(year), chrono::month(static_cast<unsigned>(month)),
                                    chrono::day(static_cast<unsigned>(day))};
  if (!sound || !text.empty() || !date.ok() || hours > 23 || minutes > 59 || seconds > 59) {
    return std::nullopt;
  }
  const chrono::milliseconds moment = chrono::sys_days(date).time_since_epoch() +
                                      chrono::hours(hours) +
                                      chrono::minutes(minutes - offset_minutes) +
                                      chrono::seconds(seconds) + chrono::milliseconds(milliseconds);
  return moment.count();
}

std::optional<std::int64_t> parse_time_ms(std::string_view text) noexcept {
  constexpr std::int64_t kLastMs = 253'402'300'799'999;  // 9999-12-31T23:59:59.999Z
  const char* const end = text.data() + text.size();
  std::int64_t number = 0;
  const auto whole = std::from_chars(text.data(), end, number);
  const auto moment =
      whole.ec == std::errc() && whole.ptr == end ? std::optional(number) : parse_iso_time(text);
  return moment && *moment >= 0 && *moment <= kLastMs ? moment : std::nullopt;
}

std::string sha256_hex(std::string_view password) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const store::Digest digest = store::digest_of(password);
  std::string hex;
  hex.reserve(2 * digest.size());
  for (const std::uint8_t byte : digest) {
    hex += kHex[byte >> 4];
    hex += kHex[byte & 15];
  }
  return hex;
}

std::optional<std::int64_t> parse_lifetime_ms(std::string_view text, std::int64_t max_ms) noexcept {
  std::int64_t unit_ms = core::kMillisecondsPerSecond;
  if (!text.empty() && (text.back() < '0' || text.back() > '9')) {
    switch (text.back()) {
      case 's': break;
      case 'm': unit_ms *= 60; break;
      case 'h': unit_ms *= 60 * 60; break;
      case 'd': unit_ms *= 24 * 60 * 60; break;
      default: return std::nullopt;
    }
    text.remove_suffix(1);
  }
  std::size_t count = 0;
  const auto count_max = static_cast<std::size_t>(max_ms / unit_ms + 1);
  if (!parse_count(text, count_max, count)) return std::nullopt;
  return static_cast<std::int64_t>(count) * unit_ms;
}

bool parse_count(std::string_view text, std::size_t max, std::size_t& count) noexcept {
  if (text.empty()) return false;
  std::size_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return false;
    value = std::min(max, value * 10 + static_cast<std::size_t>(digit - '0'));
  }
  count = value;
  return true;
}

}  // namespace tokend::api
