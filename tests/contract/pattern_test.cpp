// The patterns that bodies are held against: a comparison that takes everything would make every
// other test worthless.

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

TEST(Pattern, TakesWhatItShould) {
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("a.b", "a.b"));
  EXPECT_TRUE(matches("23456789ABCDEFGHJ", "<id>"));
  EXPECT_TRUE(matches(std::string(43, '_'), "<token>"));
  EXPECT_TRUE(matches("2026-01-02T03:04:05.678Z", "<time>"));
  EXPECT_TRUE(matches("[10]", "[<int>]"));
  EXPECT_TRUE(matches(R"("a \"b\" \\")", R"("<text>")"));
  EXPECT_TRUE(matches(R"({"a":[1,2],"b":3})", R"({<any>,"b":<int>})"));
  EXPECT_TRUE(matches(std::string(1'000'000, 'x') + "y", "<any>y"));
}

TEST(Pattern, RefusesWhatItShould) {
  EXPECT_FALSE(matches("a", ""));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_FALSE(matches("axb", "a.b"));
  EXPECT_FALSE(matches("23456789ABCDEFGH", "<id>"));
  EXPECT_FALSE(matches("23456789ABCDEFGHI", "<id>"));
  EXPECT_FALSE(matches("23456789ABCDEFGHJK", "<id>"));
  EXPECT_FALSE(matches(std::string(42, 'a') + "+", "<token>"));
  EXPECT_FALSE(matches(std::string(44, 'a'), "<token>"));
  EXPECT_FALSE(matches("2026-01-02T03:04:05Z", "<time>"));
  EXPECT_FALSE(matches("[]", "[<int>]"));
  EXPECT_FALSE(matches("[-1]", "[<int>]"));
  EXPECT_FALSE(matches(R"("a"b")", R"("<text>")"));
  EXPECT_FALSE(matches(R"({"a":1,"b":3}x)", R"({<any>,"b":<int>})"));
}

}  // namespace
}  // namespace tokend::tests
