// Names, secrets and bytes of what a request with an Idempotency-Key leaves.

#include "store/idempotency.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/store/idempotency_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

constexpr std::int64_t kWindowMs = 60'000;

TEST(IdempotencyKeys, NameAndSecretAreOfTheStoreTheIssuerAndTheKey) {
  const TokenKey one{1};
  const TokenKey two{2};
  std::set<KeyedRequest::Name> names;
  std::set<Digest> secrets;
  std::size_t made = 0;
  const auto add = [&](const TokenKey& store, const char* issuer, const char* key) {
    KeyedRequest request;
    IdempotencyKeys(store).name(UserId(issuer), key, request);
    names.insert(request.name);
    secrets.insert(request.secret);
    ++made;
  };
  add(one, "alice", "key");
  add(two, "alice", "key");
  add(one, "bob", "key");
  add(one, "alice", "key2");
  add(one, "alicek", "ey");
  EXPECT_EQ(names.size(), made);
  EXPECT_EQ(secrets.size(), made);
  add(one, "alice", "key");
  EXPECT_EQ(names.size(), made - 1);
  EXPECT_EQ(secrets.size(), made - 1);
}

TEST(IdempotencyKeys, BytesOfATokenAreOfTheSecretTheItemAndTheLocator) {
  KeyedRequest request;
  KeyedRequest other;
  IdempotencyKeys keys(TokenKey{1});
  keys.name(UserId("alice"), "key", request);
  keys.name(UserId("alice"), "other key", other);
  const Locator first = Locator::make(1'000, 0, 1);
  const Locator second = Locator::make(1'000, 0, 2);
  const auto bytes = token_bytes_of(request, 0, first);
  EXPECT_EQ(bytes, token_bytes_of(request, 0, first));
  EXPECT_NE(bytes, token_bytes_of(request, 1, first));
  EXPECT_NE(bytes, token_bytes_of(request, 0, second));
  EXPECT_NE(bytes, token_bytes_of(other, 0, first));
}

TEST(IdempotencyPart, ComesBackAndADamagedOneDoesNot) {
  for (const bool names_users : {false, true}) {
    KeyedRequest request;
    request.asked = what("this");
    request.window_ends_ms = 77;
    request.names_users = names_users;
    request.part.expires_ms = 99;
    const std::vector<KeyedItem> items = {
        {.result = {}, .locator = Locator::make(5, 1, 2), .user = UserId("alice")},
        {.result = std::unexpected(Errc::invalid), .locator = {}, .user = {}},
        {.result = std::unexpected(Errc::not_found), .locator = {}, .user = {}},
        {.result = std::unexpected(Errc::refused), .locator = {}, .user = {}},
        {.result = std::unexpected(Errc::corrupt), .locator = {}, .user = {}},
        {.result = {}, .locator = Locator::make(6, 1, 2), .user = UserId("bob")}};
    for (const KeyedItem& item : items) encode_item(item, names_users, request.part.items);
    request.part.count = static_cast<std::uint32_t>(items.size());
    std::string bytes;
    encode_part(request, bytes);
    const auto part = decode_part(bytes);
    ASSERT_TRUE(part);
    EXPECT_EQ(part->asked, request.asked);
    EXPECT_EQ(part->window_ends_ms, 77);
    EXPECT_EQ(window_end_of_part(bytes), 77);
    ASSERT_EQ(part->items.size(), items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      EXPECT_EQ(part->items[i].result, items[i].result);
      EXPECT_EQ(part->items[i].locator, items[i].locator);
      EXPECT_EQ(part->items[i].user, names_users ? UserId() : items[i].user);
      EXPECT_EQ(part->items[i].expires_ms, 99);
    }
    EXPECT_FALSE(decode_part(bytes + "x"));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(decode_part(bytes.substr(0, size))) << size;
    }
    for (const auto& [at, value] : {std::pair{0U, '\x02'}, {1U, '\x02'}, {50U, '\x07'}}) {
      std::string other = bytes;
      other[at] = value;  // the version, a flag, the count
      EXPECT_FALSE(decode_part(other)) << at;
    }
    std::string other = bytes;
    other[54] = 5;  // the first outcome
    EXPECT_FALSE(decode_part(other));
    other = bytes;
    other[0] = 2;
    EXPECT_FALSE(window_end_of_part(other));
    EXPECT_FALSE(window_end_of_part(bytes.substr(0, 9)));
  }
}

}  // namespace
}  // namespace tokend::store
