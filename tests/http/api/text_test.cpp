#include "http/api/text.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tokend::api {
namespace {

TEST(Text, TrimRemovesWhatJavaScriptTrims) {
  for (const std::string space :
       {" ", "\t", "\n", "\v", "\f", "\r", "\u00A0", "\u1680", "\u2000", "\u200A", "\u2028",
        "\u2029", "\u202F", "\u205F", "\u3000", "\uFEFF"}) {
    EXPECT_EQ(trim(space + "a b" + space), "a b") << testing::PrintToString(space);
    EXPECT_EQ(trim(space + space), "") << testing::PrintToString(space);
  }
}

TEST(Text, TrimKeepsWhatIsNoWhiteSpace) {
  for (const std::string text :
       {"a", "\u200B", "\u180E", "\u0085", "é", "\x1C", "\u3001", "ü\u2010"}) {
    EXPECT_EQ(trim(text), text) << testing::PrintToString(text);
  }
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("\xE2\x80"), "\xE2\x80");
  EXPECT_EQ(trim("\xA0"), "\xA0");
}

TEST(Text, Utf8IsToldFromOtherBytes) {
  for (const std::string good : {"", "a", "é", "\u20AC", "\U0001F600", "\uD7FF\uE000", "\x7F"}) {
    EXPECT_TRUE(is_utf8(good)) << testing::PrintToString(good);
  }
  for (const std::string bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80",
        "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
        "\xE2\x28\xA1", "a\xC3(", "\xF0\x9F\x98"}) {
    EXPECT_FALSE(is_utf8(bad)) << testing::PrintToString(bad);
  }
}

TEST(Text, IsoTimesHaveMillisecondsAndZ) {
  EXPECT_EQ(view_of(iso_time(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(view_of(iso_time(951'827'696'789)), "2000-02-29T12:34:56.789Z");
  EXPECT_EQ(view_of(iso_time(4'102'444'799'999)), "2099-12-31T23:59:59.999Z");
  EXPECT_EQ(view_of(iso_time(-1)), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(view_of(iso_time(INT64_MAX)), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(view_of(iso_time(INT64_MIN)), "0000-01-01T00:00:00.000Z");
}

TEST(Text, PasswordsBecomeLowerCaseHexSha256) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Text, LifetimesAreSecondsOrHaveAUnit) {
  constexpr std::int64_t kDay = 86'400'000;
  for (const auto& [text, expected_ms] :
       std::vector<std::pair<std::string, std::int64_t>>{{"1", 1'000},
                                                         {"900", 900'000},
                                                         {"30s", 30'000},
                                                         {"15m", 900'000},
                                                         {"12h", 43'200'000},
                                                         {"7d", 7 * kDay},
                                                         {"007d", 7 * kDay},
                                                         {"0", 0},
                                                         {"0h", 0}}) {
    EXPECT_EQ(parse_lifetime_ms(text, 7 * kDay), expected_ms) << text;
  }
  for (const std::string text : {"", "d", "m15", "15 m", "15M", "1.5h", "-1", "+1", "1e3", "1w",
                                 "1ms", "1d1h", "15m ", "0x10"}) {
    EXPECT_FALSE(parse_lifetime_ms(text, 7 * kDay)) << text;
  }
  for (const std::string text :
       {"604801", "8d", "99999999999999999999999d", "18446744073709551617s", "213503982335d"}) {
    EXPECT_GT(parse_lifetime_ms(text, 7 * kDay), 7 * kDay) << text;
  }
}

TEST(Text, TimesAreRfc3339) {
  for (const auto& [text, expected_ms] : std::vector<std::pair<std::string, std::int64_t>>{
           {"1970-01-01T00:00:00Z", 0},
           {"1970-01-01T00:00:00.001Z", 1},
           {"1970-01-01T00:00:00.5Z", 500},
           {"1970-01-01T00:00:00.0019Z", 1},
           {"1970-01-01T02:00:00+02:00", 0},
           {"1969-12-31T18:30:00-05:30", 0},
           {"1969-12-31T23:59:59.999Z", -1},
           {"2026-01-31T23:59:59.999Z", 1'769'903'999'999},
           {"2024-02-29T00:00:00Z", 1'709'164'800'000},
           {"9999-12-31T23:59:59.999Z", 253'402'300'799'999}}) {
    EXPECT_EQ(parse_iso_time(text), expected_ms) << text;
  }
  EXPECT_EQ(parse_iso_time(view_of(iso_time(1'769'903'999'999))), 1'769'903'999'999);
  for (const std::string text : {"",
                                 "now",
                                 "1970-01-01",
                                 "1970-01-01T00:00Z",
                                 "1970-01-01T00:00:00",
                                 "1970-01-01 00:00:00Z",
                                 "1970-01-01T00:00:00.Z",
                                 "1970-01-01T00:00:00z",
                                 "1970-01-01T00:00:00Z ",
                                 "1970-13-01T00:00:00Z",
                                 "1970-00-01T00:00:00Z",
                                 "2026-02-29T00:00:00Z",
                                 "1970-01-32T00:00:00Z",
                                 "1970-01-01T24:00:00Z",
                                 "1970-01-01T00:60:00Z",
                                 "1970-01-01T00:00:60Z",
                                 "1970-01-01T00:00:00+24:00",
                                 "1970-01-01T00:00:00+0200",
                                 "1970-01-01T00:00:00+02",
                                 "-970-01-01T00:00:00Z",
                                 "1970-01-01T00:00:00.1",
                                 "99999-01-01T00:00:00Z",
                                 "1769903999999"}) {
    EXPECT_FALSE(parse_iso_time(text)) << text;
  }
}

TEST(Text, CountsAreDecimalAndBounded) {
  std::size_t count = 7;
  EXPECT_TRUE(parse_count("0", 100, count));
  EXPECT_EQ(count, 0U);
  EXPECT_TRUE(parse_count("0042", 100, count));
  EXPECT_EQ(count, 42U);
  EXPECT_TRUE(parse_count("99999999999999999999999999", 100, count));
  EXPECT_EQ(count, 100U);
  for (const char* bad : {"", "-1", "+1", "1.0", " 1", "1x", "0x1"}) {
    EXPECT_FALSE(parse_count(bad, 100, count)) << bad;
  }
}

TEST(Text, CaseIsIgnoredForAsciiOnly) {
  EXPECT_TRUE(equals_ignoring_case("Application/JSON", "application/json"));
  EXPECT_FALSE(equals_ignoring_case("application/json2", "application/json"));
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
}

}  // namespace
}  // namespace tokend::api
