#include "store/setting.h"

#include <array>

#include "core/error.h"
#include "store/bytes.h"

namespace tokend::store {
namespace {

using Member = std::variant<bool Settings::*, std::int64_t Settings::*, std::string Settings::*>;

struct Row {
  SettingKey key;
  std::string_view id;
  Member member;
  SettingBounds bounds{0, 0};  // of numbers
};

constexpr std::array<Row, kSettingCount> kRows = {{
    {SettingKey::token_lifetime,
     "Accounts_LoginExpiration",
     &Settings::token_lifetime_ms,
     {1, kTokenLifetimeMsMax}},
    {SettingKey::rate_limiter, "API_Enable_Rate_Limiter", &Settings::rate_limiter},
    {SettingKey::rate_limiter_calls,
     "API_Enable_Rate_Limiter_Limit_Calls_Default",
     &Settings::rate_limiter_calls_max,
     {1, kRateLimiterCallsMax}},
    {SettingKey::rate_limiter_window,
     "API_Enable_Rate_Limiter_Limit_Time_Default",
     &Settings::rate_limiter_window_ms,
     {1, kRateLimiterWindowMsMax}},
    {SettingKey::cors, "API_Enable_CORS", &Settings::cors},
    {SettingKey::cors_origin, "API_CORS_Origin", &Settings::cors_origin},
}};

// The rows stand in the order of the enumeration, so an index is a value.
constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < kSettingCount; ++i) {
    if (static_cast<std::size_t>(kRows[i].key) != i) return false;
  }
  return true;
}
static_assert(rows_are_in_order());

const Row& row(SettingKey key) noexcept {
  CHECK(key < SettingKey::count_);
  return kRows[static_cast<std::size_t>(key)];
}

constexpr std::uint8_t kRecordVersion = 1;
// The alternatives of SettingValue, as their numbers stand in records.
static_assert(std::variant_size_v<SettingValue> == 3);

}  // namespace

std::string_view id_of(SettingKey key) noexcept { return row(key).id; }

std::optional<SettingKey> setting_of(std::string_view id) noexcept {
  for (const Row& candidate : kRows) {
    if (candidate.id == id) return candidate.key;
  }
  return std::nullopt;
}

SettingValue get(const Settings& settings, SettingKey key) {
  return std::visit([&](auto member) -> SettingValue { return settings.*member; }, row(key).member);
}

bool is_valid(SettingKey key, const SettingValue& value) noexcept {
  if (value.index() != row(key).member.index()) return false;
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return *number >= row(key).bounds.least && *number <= row(key).bounds.greatest;
  }
  const auto* text = std::get_if<std::string>(&value);
  return !text || text->size() <= kSettingTextBytesMax;
}

void set(Settings& settings, SettingKey key, const SettingValue& value) {
  CHECK(is_valid(key, value));
  std::visit([&]<class Type>(Type Settings::* member) { settings.*member = std::get<Type>(value); },
             row(key).member);
}

SettingBounds bounds_of(SettingKey key) noexcept { return row(key).bounds; }

void encode(const SettingValue& value, std::string& out) {
  Writer writer(out);
  writer.u8(kRecordVersion);
  writer.u8(static_cast<std::uint8_t>(value.index()));
  if (const auto* flag = std::get_if<bool>(&value)) writer.u8(*flag ? 1 : 0);
  if (const auto* number = std::get_if<std::int64_t>(&value)) writer.i64(*number);
  if (const auto* text = std::get_if<std::string>(&value)) writer.text16(*text);
}

std::optional<SettingValue> decode_setting(std::string_view bytes) {
  Reader reader(bytes);
  if (reader.u8() != kRecordVersion) return std::nullopt;
  std::optional<SettingValue> value;
  switch (reader.u8()) {
    case 0: {
      const std::uint8_t flag = reader.u8();
      if (flag <= 1) value = flag == 1;
      break;
    }
    case 1: value = reader.i64(); break;
    case 2: value = std::string(reader.text16()); break;
    default: break;
  }
  return reader.complete() ? value : std::nullopt;
}

}  // namespace tokend::store
