#include "store/idempotency.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "store/bytes.h"
#include "store/hmac.h"

// A part, version 1. Integers are little-endian.
//
//   offset  bytes  what
//        0      1  version: 1
//        1      1  flags: 0x01 no user ids
//        2      8  end of the window: milliseconds since the epoch. At a fixed place, because the
//                  compaction filter reads it without decoding the rest
//       10     32  SHA-256 of what was asked for
//       42      8  expires: of its tokens
//       50      4  items; of each:
//                  outcome (1): 0 a token, 1 invalid, 2 not found, 3 refused, 4 corrupt
//                  of a token: its locator (12), and its user's id as text8, if not flagged
//
// The key is the request's name (16) and the number of the first item, 4 bytes big-endian.

namespace tokend::store {
namespace {

using core::Errc;

constexpr std::uint8_t kPartVersion = 1;
constexpr std::uint8_t kHasNoUsers = 0x01;

constexpr std::string_view kNamesPurpose = "tokend idempotency name";
constexpr std::string_view kSecretsPurpose = "tokend idempotency secret";

// In the order of their codes, from 1.
constexpr std::array kRefusals = {Errc::invalid, Errc::not_found, Errc::refused, Errc::corrupt};

std::string_view view(std::span<const std::uint8_t> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void append_big_endian(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

}  // namespace

KeyedRequest::~KeyedRequest() { OPENSSL_cleanse(secret.data(), secret.size()); }

IdempotencyKeys::IdempotencyKeys(const TokenKey& token_key)
    : names_(hmac_sha256(token_key, kNamesPurpose)),
      secrets_(hmac_sha256(token_key, kSecretsPurpose)) {}

IdempotencyKeys::~IdempotencyKeys() {
  OPENSSL_cleanse(names_.data(), names_.size());
  OPENSSL_cleanse(secrets_.data(), secrets_.size());
}

void IdempotencyKeys::name(const UserId& issuer, std::string_view key,
                           KeyedRequest& request) const {
  // With a length in front, so that no issuer and key look like another pair.
  std::string message;
  Writer writer(message);
  writer.text8(issuer.view());
  message += key;
  const Digest name = hmac_sha256(names_, message);
  std::copy_n(name.begin(), request.name.size(), request.name.begin());
  request.secret = hmac_sha256(secrets_, message);
  OPENSSL_cleanse(message.data(), message.size());
}

std::array<std::uint8_t, 20> token_bytes_of(const KeyedRequest& request, std::uint32_t item,
                                            const Locator& locator) noexcept {
  std::array<std::uint8_t, sizeof(item) + sizeof(locator.bytes)> message;
  for (std::size_t i = 0; i < sizeof(item); ++i) {
    message[i] = static_cast<std::uint8_t>(item >> (8 * i));
  }
  std::ranges::copy(locator.bytes, message.begin() + sizeof(item));
  const Digest digest = hmac_sha256(request.secret, view(message));
  std::array<std::uint8_t, 20> bytes;
  std::copy_n(digest.begin(), bytes.size(), bytes.begin());
  return bytes;
}

std::string part_key(const KeyedRequest::Name& name, std::uint32_t first_item) {
  std::string key(view(name));
  append_big_endian(key, first_item);
  return key;
}

void encode_item(const KeyedItem& item, bool names_users, std::string& items) {
  Writer writer(items);
  if (!item.result) {
    const auto code = std::ranges::find(kRefusals, item.result.error());
    CHECK(code != kRefusals.end());
    return writer.u8(static_cast<std::uint8_t>(code - kRefusals.begin() + 1));
  }
  writer.u8(0);
  writer.bytes(item.locator.bytes);
  if (!names_users) writer.text8(item.user.view());
}

void encode_part(const KeyedRequest& request, std::string& out) {
  Writer writer(out);
  writer.u8(kPartVersion);
  writer.u8(request.names_users ? kHasNoUsers : 0);
  writer.i64(request.window_ends_ms);
  writer.bytes(request.asked);
  writer.i64(request.part.expires_ms);
  writer.u32(request.part.count);
  out += request.part.items;
}

core::Result<KeyedPart> decode_part(std::string_view bytes) {
  Reader reader(bytes);
  KeyedPart part;
  const std::uint8_t version = reader.u8();
  const std::uint8_t flags = reader.u8();
  part.window_ends_ms = reader.i64();
  reader.bytes(part.asked);
  const std::int64_t expires_ms = reader.i64();
  const std::uint32_t count = reader.u32();
  bool valid = version == kPartVersion && (flags & ~kHasNoUsers) == 0 && count > 0;
  // A count that lies is noticed at the first item that is not there.
  for (std::uint32_t number = 0; valid && number < count && !reader.failed(); ++number) {
    KeyedItem& item = part.items.emplace_back();
    item.expires_ms = expires_ms;
    const std::uint8_t outcome = reader.u8();
    if (outcome == 0) {
      reader.bytes(item.locator.bytes);
      if ((flags & kHasNoUsers) == 0) item.user = reader.fixed<UserId>();
    } else if (outcome <= kRefusals.size()) {
      item.result = std::unexpected(kRefusals[outcome - 1U]);
    } else {
      valid = false;
    }
  }
  if (!valid || !reader.complete()) {
    return core::fail(Errc::corrupt, "a part of a keyed request does not decode");
  }
  return part;
}

std::optional<std::int64_t> window_end_of_part(std::string_view bytes) noexcept {
  Reader reader(bytes);
  const std::uint8_t version = reader.u8();
  reader.u8();
  const std::int64_t window_ends_ms = reader.i64();
  if (reader.failed() || version != kPartVersion) return std::nullopt;
  return window_ends_ms;
}

}  // namespace tokend::store
