#include "store/setting.h"

#include <string>

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;
using namespace std::string_literals;

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;

SettingKey key_at(std::size_t index) { return static_cast<SettingKey>(index); }

// Another value than the default, of the key's type.
SettingValue other_value(SettingKey key) {
  const SettingValue value = get(Settings{}, key);
  if (const auto* flag = std::get_if<bool>(&value)) return !*flag;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number + 1;
  return "https://example.org"s;
}

TEST(Setting, EveryKeyIsFoundByItsIdAndHoldsItsOwnValue) {
  for (std::size_t i = 0; i < kSettingCount; ++i) {
    const SettingKey key = key_at(i);
    EXPECT_EQ(setting_of(id_of(key)), key);
    Settings settings;
    set(settings, key, other_value(key));
    for (std::size_t j = 0; j < kSettingCount; ++j) {
      EXPECT_EQ(get(settings, key_at(j)) == get(Settings{}, key_at(j)), i != j) << id_of(key);
    }
    EXPECT_EQ(get(settings, key), other_value(key));
  }
  EXPECT_EQ(setting_of(""), std::nullopt);
  EXPECT_EQ(setting_of("api_enable_cors"), std::nullopt);
}

TEST(Setting, ValuesHaveATypeAndBounds) {
  for (const SettingKey key : {SettingKey::token_lifetime, SettingKey::rate_limiter_calls,
                               SettingKey::rate_limiter_window}) {
    const auto [least, greatest] = bounds_of(key);
    EXPECT_TRUE(is_valid(key, least));
    EXPECT_TRUE(is_valid(key, greatest));
    EXPECT_FALSE(is_valid(key, least - 1));
    EXPECT_FALSE(is_valid(key, greatest + 1));
    EXPECT_FALSE(is_valid(key, true));
    EXPECT_FALSE(is_valid(key, "1"s));
  }
  EXPECT_FALSE(is_valid(SettingKey::cors, std::int64_t{1}));
  EXPECT_FALSE(is_valid(SettingKey::cors_origin, false));
  EXPECT_TRUE(is_valid(SettingKey::cors_origin, std::string(kSettingTextBytesMax, 'x')));
  EXPECT_FALSE(is_valid(SettingKey::cors_origin, std::string(kSettingTextBytesMax + 1, 'x')));
}

TEST(Setting, RecordsComeBackAndDamagedOnesDoNot) {
  for (const SettingValue& value : {SettingValue(true), SettingValue(false),
                                    SettingValue(std::int64_t{-5}), SettingValue("a text"s)}) {
    std::string bytes;
    encode(value, bytes);
    EXPECT_EQ(decode_setting(bytes), value);
    EXPECT_EQ(decode_setting(bytes + "x"), std::nullopt);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(decode_setting(bytes.substr(0, size)), std::nullopt);
    }
  }
  EXPECT_EQ(decode_setting("\x02\x00\x01"s), std::nullopt);  // version
  EXPECT_EQ(decode_setting("\x01\x03\x01"s), std::nullopt);  // type
  EXPECT_EQ(decode_setting("\x01\x00\x02"s), std::nullopt);  // neither true nor false
}

class SettingsTest : public StoreFixture {
 protected:
  // Nothing when it succeeded.
  std::optional<Errc> change(SettingKey key, const SettingValue& value, std::size_t core = 0) {
    Asked<UpdateSetting> operation;
    operation.key = key;
    operation.value = value;
    store(core).write(operation);
    settle();
    EXPECT_TRUE(operation.done());
    return operation.result ? std::nullopt : std::optional(operation.result.error());
  }
};

TEST_F(SettingsTest, AChangeCountsOnEveryCoreWhenItIsAnsweredAndLasts) {
  EXPECT_EQ(store().settings().rate_limiter_calls_max, 10);
  Asked<UpdateSetting> operation;
  operation.key = SettingKey::rate_limiter_calls;
  operation.value = std::int64_t{3};
  operation.at_done = [&] {
    for (std::size_t core = 0; core < cores.size(); ++core) {
      EXPECT_EQ(store(core).settings().rate_limiter_calls_max, 3) << core;
    }
  };
  store(1).write(operation);
  settle();
  EXPECT_TRUE(operation.succeeded());
  restart();
  EXPECT_EQ(store().settings().rate_limiter_calls_max, 3);
  EXPECT_EQ(store(1).settings().rate_limiter_calls_max, 3);
  EXPECT_EQ(store().settings().rate_limiter_window_ms, 60'000);
}

TEST_F(SettingsTest, TheLifetimeIsThatOfTokensIssuedFromThenOn) {
  const Token before = issue(root);
  EXPECT_EQ(change(SettingKey::token_lifetime, 2 * kDayMs), std::nullopt);
  EXPECT_EQ(issue(root).expires_ms, clock.now_ms + 2 * kDayMs);
  EXPECT_EQ(before.expires_ms, clock.now_ms + 90 * kDayMs);
  clock.now_ms += 3 * kDayMs;
  EXPECT_TRUE(authenticates_anywhere(before.text, root));
  restart();
  EXPECT_EQ(issue(root).expires_ms, clock.now_ms + 2 * kDayMs);
}

TEST_F(SettingsTest, WhatIsInvalidChangesNothing) {
  EXPECT_EQ(change(SettingKey::token_lifetime, std::int64_t{0}), Errc::invalid);
  EXPECT_EQ(change(SettingKey::cors, "true"s), Errc::invalid);
  EXPECT_EQ(change(SettingKey::count_, true), Errc::invalid);
  EXPECT_EQ(database.size(Family::settings), 0U);
  EXPECT_EQ(store().settings().token_lifetime_ms, 90 * kDayMs);
}

// What is stored waits until the operator gives nothing any more.
TEST_F(SettingsTest, WhatTheOperatorGaveWinsOverWhatIsStoredAndIsNotChanged) {
  EXPECT_EQ(change(SettingKey::cors, true), std::nullopt);
  EXPECT_EQ(change(SettingKey::rate_limiter_calls, std::int64_t{5}), std::nullopt);
  options.settings.rate_limiter_calls_max = 7;
  options.given_settings.set(static_cast<std::size_t>(SettingKey::rate_limiter_calls));
  restart();
  EXPECT_EQ(store().settings().rate_limiter_calls_max, 7);
  EXPECT_TRUE(store().settings().cors);
  EXPECT_EQ(change(SettingKey::rate_limiter_calls, std::int64_t{9}), Errc::refused);
  EXPECT_EQ(store(1).settings().rate_limiter_calls_max, 7);
  options = {};
  restart();
  EXPECT_EQ(store().settings().rate_limiter_calls_max, 5);
}

TEST_F(SettingsTest, ADamagedRecordIsRefusedAtTheStart) {
  close();
  database.set(Family::settings, id_of(SettingKey::cors), "x");
  const auto opened =
      Committer::open({database, clock, committer_waker, random}, identity, options);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Errc::corrupt);
  EXPECT_NE(opened.error().message.find("setting"), std::string::npos);
}

}  // namespace
}  // namespace tokend::store
