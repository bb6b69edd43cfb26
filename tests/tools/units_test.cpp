#include "tools/tokend/units.h"

#include <gtest/gtest.h>

namespace tokend::tools {
namespace {

TEST(Units, DurationsNeedAUnit) {
  EXPECT_EQ(parse_duration_ms("90d").value(), 90LL * 86'400'000);
  EXPECT_EQ(parse_duration_ms("12h").value(), 12LL * 3'600'000);
  EXPECT_EQ(parse_duration_ms("10m").value(), 600'000);
  EXPECT_EQ(parse_duration_ms("2s").value(), 2'000);
  EXPECT_EQ(parse_duration_ms("500ms").value(), 500);
  EXPECT_EQ(parse_duration_ms("0").value(), 0);
  for (const char* wrong : {"", "90", "d", "-1s", "1.5h", "1 h", "1H", "1w", "1d2h", "+1s",
                            "9223372036854775807d", "99999999999999999999s"}) {
    EXPECT_FALSE(parse_duration_ms(wrong).has_value()) << wrong;
  }
}

TEST(Units, SizesAreBinary) {
  EXPECT_EQ(parse_bytes("65536").value(), 65'536);
  EXPECT_EQ(parse_bytes("1B").value(), 1);
  EXPECT_EQ(parse_bytes("64KiB").value(), 65'536);
  EXPECT_EQ(parse_bytes("8MiB").value(), 8LL << 20);
  EXPECT_EQ(parse_bytes("3GiB").value(), 3LL << 30);
  for (const char* wrong :
       {"", "KiB", "64KB", "64k", "64kib", "-1", "1.5MiB", "9223372036854775807GiB"}) {
    EXPECT_FALSE(parse_bytes(wrong).has_value()) << wrong;
  }
}

TEST(Units, CountsAreDigitsOnly) {
  EXPECT_EQ(parse_count("0").value(), 0);
  EXPECT_EQ(parse_count("9223372036854775807").value(), INT64_MAX);
  for (const char* wrong : {"", "9223372036854775808", "1k", " 1", "0x10", "-0", "1,000"}) {
    EXPECT_FALSE(parse_count(wrong).has_value()) << wrong;
  }
}

TEST(Units, SwitchesAreWords) {
  for (const char* on : {"true", "yes", "on", "1"}) EXPECT_TRUE(parse_switch(on).value()) << on;
  for (const char* off : {"false", "no", "off", "0"}) {
    EXPECT_FALSE(parse_switch(off).value()) << off;
  }
  for (const char* wrong : {"", "TRUE", "2", "enabled"}) {
    EXPECT_FALSE(parse_switch(wrong).has_value()) << wrong;
  }
}

TEST(Units, CpusAreNumbersAndRanges) {
  EXPECT_EQ(parse_cpus("").value(), std::vector<int>{});
  EXPECT_EQ(parse_cpus("2").value(), std::vector<int>{2});
  EXPECT_EQ(parse_cpus("0-2,7").value(), (std::vector<int>{0, 1, 2, 7}));
  EXPECT_EQ(parse_cpus("3,1").value(), (std::vector<int>{3, 1}));
  for (const char* wrong : {",", "1,", "2-1", "1,1", "0-2,1", "a", "1-", "-1", "5000", "1;2"}) {
    EXPECT_FALSE(parse_cpus(wrong).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace tokend::tools
