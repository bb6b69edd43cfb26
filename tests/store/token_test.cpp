#include "store/token.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

namespace tokend::store {
namespace {

TokenKey key_of(std::uint8_t byte) {
  TokenKey key;
  key.fill(byte);
  return key;
}

std::array<std::uint8_t, 20> bytes_of(std::uint8_t byte) {
  std::array<std::uint8_t, 20> bytes;
  bytes.fill(byte);
  return bytes;
}

TokenRecord sample() {
  TokenRecord record;
  record.digest = digest_of("a token");
  record.user = UserId("aobEdbYhXfu5hkeqG");
  record.issuer = UserId("rocket.cat");
  record.kind = TokenKind::personal;
  record.expires_ms = 1'800'000'000'123;
  record.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3};
  record.name = "deploy";
  return record;
}

void expect_same(const TokenRecord& left, const TokenRecord& right) {
  EXPECT_EQ(left.digest, right.digest);
  EXPECT_EQ(left.user, right.user);
  EXPECT_EQ(left.issuer, right.issuer);
  EXPECT_EQ(left.kind, right.kind);
  EXPECT_EQ(left.expires_ms, right.expires_ms);
  EXPECT_EQ(left.address, right.address);
  EXPECT_EQ(left.name, right.name);
}

TEST(Locator, KeepsItsParts) {
  const Locator locator = Locator::make(0x123456789abc, 0xfedc, 0xdeadbeef);
  EXPECT_EQ(locator.issued_ms(), 0x123456789abc);
  EXPECT_EQ(locator.shard(), 0xfedc);
  EXPECT_EQ(locator.sequence(), 0xdeadbeef);
}

TEST(Locator, ItsBytesSortByTimeThenSequence) {
  EXPECT_LT(Locator::make(255, 0, 9), Locator::make(256, 0, 0));
  EXPECT_LT(Locator::make(256, 0, 255), Locator::make(256, 0, 256));
}

TEST(TokenCodec, DecodesWhatItEncoded) {
  TokenCodec codec(key_of(7));
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    const Locator locator =
        Locator::make(static_cast<std::int64_t>(random() >> 16),
                      static_cast<std::uint16_t>(random()), static_cast<std::uint32_t>(random()));
    TokenText text;
    codec.encode(locator, bytes_of(static_cast<std::uint8_t>(random())), text);
    EXPECT_EQ(codec.decode(view_of(text)), locator);
  }
}

TEST(TokenCodec, ATokenIs43CharactersOfBase64url) {
  TokenCodec codec(key_of(7));
  std::set<char> seen;
  for (std::uint32_t i = 0; i < 500; ++i) {
    TokenText text;
    codec.encode(Locator::make(1, 0, i), bytes_of(static_cast<std::uint8_t>(i)), text);
    for (const char character : text) {
      EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(character)) || character == '-' ||
                  character == '_');
      seen.insert(character);
    }
  }
  EXPECT_EQ(seen.size(), 64U);
}

TEST(TokenCodec, NeighbouringLocatorsShareNothingVisible) {
  TokenCodec codec(key_of(7));
  TokenText first, second;
  codec.encode(Locator::make(1000, 0, 1), bytes_of(0), first);
  codec.encode(Locator::make(1000, 0, 2), bytes_of(0), second);
  EXPECT_NE(view_of(first).substr(0, 4), view_of(second).substr(0, 4));
}

TEST(TokenCodec, AnotherKeyFindsAnotherLocator) {
  TokenCodec codec(key_of(7)), other(key_of(8));
  TokenText text;
  codec.encode(Locator::make(1000, 0, 1), bytes_of(3), text);
  EXPECT_NE(other.decode(view_of(text)), Locator::make(1000, 0, 1));
}

TEST(TokenCodec, RefusesWhatIsNo43CharactersOfBase64url) {
  TokenCodec codec(key_of(7));
  TokenText text;
  codec.encode(Locator::make(1000, 0, 1), bytes_of(3), text);
  const std::string good(view_of(text));
  EXPECT_FALSE(codec.decode(""));
  EXPECT_FALSE(codec.decode("undefined"));
  EXPECT_FALSE(codec.decode(good.substr(1)));
  EXPECT_FALSE(codec.decode(good + "A"));
  for (std::size_t place = 0; place < good.size(); ++place) {
    for (const char bad : {'=', '+', '/', ' ', '\0', '\x80', '\xff'}) {
      std::string text_with_bad = good;
      text_with_bad[place] = bad;
      EXPECT_FALSE(codec.decode(text_with_bad)) << place;
    }
  }
}

TEST(TokenCodec, EachTokenHasOneSpelling) {
  TokenCodec codec(key_of(7));
  TokenText text;
  codec.encode(Locator::make(1000, 0, 1), bytes_of(3), text);
  std::string spelled(view_of(text));
  int accepted = 0;
  for (const char last : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                          "0123456789-_")) {
    spelled.back() = last;
    accepted += codec.decode(spelled).has_value();
  }
  EXPECT_EQ(accepted, 16);
}

TEST(Digest, IsSha256) {
  const Digest digest = digest_of("abc");
  EXPECT_EQ(digest[0], 0xba);
  EXPECT_EQ(digest[1], 0x78);
  EXPECT_EQ(digest[31], 0xad);
}

TEST(ConstantTimeComparison, SeesEveryByteAndTheLength) {
  const Digest left = digest_of("x");
  EXPECT_TRUE(equal_in_constant_time(left, left));
  for (std::size_t i = 0; i < left.size(); ++i) {
    Digest right = left;
    right[i] ^= 1;
    EXPECT_FALSE(equal_in_constant_time(left, right)) << i;
  }
  EXPECT_FALSE(equal_in_constant_time(left, std::span(left).first(31)));
}

TEST(TokenRecord, ComesBackAsItWas) {
  TokenRecord record = sample();
  std::string bytes;
  encode(record, bytes);
  const auto decoded = decode_token_record(bytes);
  ASSERT_TRUE(decoded);
  expect_same(*decoded, record);
}

TEST(TokenRecord, OfALoginFromIpv6ComesBackAsItWas) {
  TokenRecord record = sample();
  record.issuer = record.user;
  record.kind = TokenKind::login;
  record.address = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  record.name.clear();
  std::string bytes;
  encode(record, bytes);
  EXPECT_LT(bytes.size(), 80U);
  const auto decoded = decode_token_record(bytes);
  ASSERT_TRUE(decoded);
  expect_same(*decoded, record);
}

TEST(TokenRecord, EveryTruncationAndExtensionIsCorrupt) {
  std::string bytes;
  encode(sample(), bytes);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto decoded = decode_token_record(std::string_view(bytes).substr(0, length));
    ASSERT_FALSE(decoded) << length;
    EXPECT_EQ(decoded.error().code, core::Errc::corrupt);
  }
  EXPECT_FALSE(decode_token_record(bytes + '\0'));
}

TEST(TokenRecord, AnUnknownVersionOrKindIsCorrupt) {
  std::string bytes;
  encode(sample(), bytes);
  std::string changed = bytes;
  changed[0] = 2;
  EXPECT_FALSE(decode_token_record(changed));
  changed = bytes;
  changed[1] = static_cast<char>((changed[1] & 0xf0) | 0x0f);
  EXPECT_FALSE(decode_token_record(changed));
}

TEST(TokenRecord, RandomBytesNeverHurt) {
  std::mt19937_64 random(42);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (!bytes.empty()) bytes[0] = 1;
    const auto decoded = decode_token_record(bytes);
    if (decoded) {
      EXPECT_FALSE(decoded->user.empty());
    }
  }
}

TEST(TokenRecord, ItsExpiryIsReadWithoutTheRest) {
  std::string bytes;
  encode(sample(), bytes);
  EXPECT_EQ(expiry_of_token_record(bytes), sample().expires_ms);
  EXPECT_EQ(expiry_of_token_record(std::string_view(bytes).substr(0, 9)), std::nullopt);
  bytes[0] = 9;
  EXPECT_EQ(expiry_of_token_record(bytes), std::nullopt);
}

TEST(RandomBytes, NeverHandsOutTheSameBytesTwice) {
  RandomBytes random;
  std::set<std::array<std::uint8_t, 20>> seen;
  for (int i = 0; i < 2000; ++i) {
    std::array<std::uint8_t, 20> bytes{};
    random.fill(bytes);
    EXPECT_TRUE(seen.insert(bytes).second);
  }
}

TEST(Ids, Are17UnmistakableCharacters) {
  RandomBytes random;
  std::set<char> seen;
  for (int i = 0; i < 500; ++i) {
    const UserId id = make_id(random);
    EXPECT_EQ(id.size(), 17U);
    seen.insert(id.view().begin(), id.view().end());
  }
  EXPECT_EQ(seen.size(), 55U);
  for (const char confusing : std::string_view("01IOUVl")) EXPECT_FALSE(seen.contains(confusing));
}

}  // namespace
}  // namespace tokend::store
