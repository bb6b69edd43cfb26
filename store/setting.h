#pragma once
// The settings that an administrator may change while the server runs, under the original's names.
//
// Operation: what the operator gave at the start (CommitterOptions) holds, and a change of it is
// refused; of the others what is stored holds, and what is not stored has its default. A change is
// one write: durable, and taken over by every core before it is answered.
//
// Concurrency: values. The committer's are the truth; every core has a copy of its own, so that the
// request path reads plain memory.

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace tokend::store {

enum class SettingKey : std::uint8_t {
  token_lifetime,
  rate_limiter,
  rate_limiter_calls,
  rate_limiter_window,
  cors,
  cors_origin,
  count_,
};
inline constexpr std::size_t kSettingCount = static_cast<std::size_t>(SettingKey::count_);

inline constexpr std::int64_t kTokenLifetimeMsMax = 36'500LL * 24 * 3600 * 1000;
inline constexpr std::int64_t kRateLimiterCallsMax = 1'000'000'000;
inline constexpr std::int64_t kRateLimiterWindowMsMax = 24LL * 3600 * 1000;
inline constexpr std::size_t kSettingTextBytesMax = 4096;

struct Settings {
  // Of tokens issued from now on; an issued token's expiry is fixed.
  std::int64_t token_lifetime_ms = 90LL * 24 * 3600 * 1000;
  bool rate_limiter = true;
  std::int64_t rate_limiter_calls_max = 10;  // in one window
  std::int64_t rate_limiter_window_ms = 60'000;
  bool cors = false;              // whether preflights are answered
  std::string cors_origin = "*";  // "*", or origins with commas between them
};

// Which of them were given by the operator.
using SettingSet = std::bitset<kSettingCount>;

// The alternative is the same for all values of a key.
using SettingValue = std::variant<bool, std::int64_t, std::string>;

// The original's name, under which a value is stored too.
[[nodiscard]] std::string_view id_of(SettingKey key) noexcept;
[[nodiscard]] std::optional<SettingKey> setting_of(std::string_view id) noexcept;

[[nodiscard]] SettingValue get(const Settings& settings, SettingKey key);
// Whether `value` has the key's type and lies within its bounds. What a text means is not asked.
[[nodiscard]] bool is_valid(SettingKey key, const SettingValue& value) noexcept;
// `value` is valid.
void set(Settings& settings, SettingKey key, const SettingValue& value);

// Where a number lies. Only of keys whose values are numbers.
struct SettingBounds {
  std::int64_t least;
  std::int64_t greatest;
};
[[nodiscard]] SettingBounds bounds_of(SettingKey key) noexcept;

// The value at rest; ARCHITECTURE.md specifies the bytes.
void encode(const SettingValue& value, std::string& out);
// Empty for bytes that are no value of any key.
[[nodiscard]] std::optional<SettingValue> decode_setting(std::string_view bytes);

}  // namespace tokend::store
