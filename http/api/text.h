#pragma once
// Small questions about text that the contract asks in many places. Pure functions; any thread.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tokend::api {

// Without the white space at both ends, where white space is what JavaScript's trim() removes:
// clients were written against it.
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

// `lower` must be lower-case ASCII.
[[nodiscard]] bool equals_ignoring_case(std::string_view text, std::string_view lower) noexcept;

// 2026-01-31T23:59:59.999Z. Moments outside the years 0 to 9999 are shown as the nearest one.
using IsoTime = std::array<char, 24>;
[[nodiscard]] IsoTime iso_time(std::int64_t wall_ms) noexcept;
[[nodiscard]] inline std::string_view view_of(const IsoTime& time) noexcept {
  return {time.data(), time.size()};
}

// A subset of RFC 3339, section 5.6, as in 2026-01-31T23:59:59.999Z or 2026-02-01T01:59:59+02:00: T
// and Z are capitals, there are no leap seconds; what is less than a millisecond is cut.
// Milliseconds since the epoch; nothing when malformed or no such moment.
[[nodiscard]] std::optional<std::int64_t> parse_iso_time(std::string_view text) noexcept;
// Such a moment, or milliseconds since the epoch in digits; from 1970 to 9999.
[[nodiscard]] std::optional<std::int64_t> parse_time_ms(std::string_view text) noexcept;

// What a password becomes before it is hashed or compared: lower-case hex of its SHA-256.
[[nodiscard]] std::string sha256_hex(std::string_view password);

// Seconds, or a whole number with s, m, h or d: "900", "15m", "12h", "7d". Nothing when malformed;
// what is longer than `max_ms` comes back as something longer than that.
[[nodiscard]] std::optional<std::int64_t> parse_lifetime_ms(std::string_view text,
                                                            std::int64_t max_ms) noexcept;

// Decimal digits only; at most `max` (larger numbers come back as `max`). False when malformed.
[[nodiscard]] bool parse_count(std::string_view text, std::size_t max, std::size_t& count) noexcept;

}  // namespace tokend::api
