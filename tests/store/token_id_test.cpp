#include "store/token_id.h"

#include <gmock/gmock.h>

#include <set>
#include <string>

namespace tokend::store {
namespace {

TokenKey key_of(std::uint8_t first) {
  TokenKey key{};
  key[0] = first;
  return key;
}

TEST(TokenId, ComesBackAsItsLocator) {
  TokenIdCodec codec(key_of(1));
  TokenIdCodec again(key_of(1));
  for (std::uint32_t sequence = 0; sequence < 1000; ++sequence) {
    const Locator locator = Locator::make(1'760'000'000'000 + sequence / 10, 7, sequence);
    const TokenId id = codec.encode(locator);
    EXPECT_THAT(std::string(view_of(id)), testing::MatchesRegex("[0-9a-f]{32}"));
    EXPECT_EQ(again.decode(view_of(id)), locator);
  }
}

TEST(TokenId, WhatWasNotEncodedDoesNotDecode) {
  TokenIdCodec codec(key_of(1));
  const std::string id(view_of(codec.encode(Locator::make(1'760'000'000'000, 0, 5))));
  for (std::size_t index = 0; index < id.size(); ++index) {
    std::string changed = id;
    changed[index] = changed[index] == '0' ? '1' : '0';
    EXPECT_FALSE(codec.decode(changed)) << changed;
    changed[index] = 'G';
    EXPECT_FALSE(codec.decode(changed)) << changed;
  }
  EXPECT_FALSE(codec.decode(""));
  EXPECT_FALSE(codec.decode(id + "0"));
  EXPECT_FALSE(codec.decode(id.substr(1)));
  EXPECT_FALSE(codec.decode(std::string(32, 'A')));
  EXPECT_FALSE(TokenIdCodec(key_of(2)).decode(id));
}

TEST(TokenId, TellsNothingOfTheTokensText) {
  const TokenKey key = key_of(1);
  TokenCodec tokens(key);
  TokenIdCodec ids(key);
  const Locator locator = Locator::make(1'760'000'000'000, 0, 5);
  // Even of a token whose random bytes are all zero.
  TokenText text;
  tokens.encode(locator, std::array<std::uint8_t, 20>{}, text);
  const TokenId id = ids.encode(locator);
  // The front of the text as hexadecimal digits: were the keys the same, it would be the id.
  std::string front;
  std::uint32_t bits = 0;
  int held = 0;
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (const char character : text) {
    bits = (bits << 6) | static_cast<std::uint32_t>(kAlphabet.find(character));
    for (held += 6; held >= 4; held -= 4) front += "0123456789abcdef"[(bits >> (held - 4)) & 15];
  }
  EXPECT_NE(front.substr(0, 32), view_of(id));
  // Neighbours' ids have nothing in common.
  std::set<std::string> fronts;
  for (std::uint32_t sequence = 0; sequence < 64; ++sequence) {
    fronts.emplace(
        view_of(ids.encode(Locator::make(1'760'000'000'000, 0, sequence))).substr(0, 12));
  }
  EXPECT_EQ(fronts.size(), 64U);
}

}  // namespace
}  // namespace tokend::store
