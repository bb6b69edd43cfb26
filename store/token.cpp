#include "store/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "core/constant_time.h"
#include "store/address.h"
#include "store/bytes.h"

// TokenRecord, version 1. Integers are little-endian; text8 is a length byte and as many bytes,
// text16 has two length bytes.
//
//   offset  bytes  what
//        0      1  version: 1
//        1      1  low four bits: kind; 0x10 issuer follows (else the issuer is the user),
//                  0x20 a 4-byte address follows (IPv4), 0x40 a 16-byte one, 0x80 a name follows
//        2      8  expires: milliseconds since the epoch, 2^63-1 for never. At a fixed place: the
//                  compaction filter reads it without decoding the rest
//       10     32  SHA-256 of the token's 43 characters
//       42         user id: text8
//                  issuer's id: text8, if flagged
//                  address: 4 or 16 bytes, if flagged
//                  name: text16, if flagged
//
// An entry of `issuances`, version 1, is the same without the digest.
//
// The key is the locator: 6 bytes of milliseconds since the epoch, 2 of shard, 4 of sequence, all
// big-endian.

namespace tokend::store {
namespace {

constexpr std::uint8_t kRecordVersion = 1;
constexpr std::uint8_t kKindMask = 0x0f;
constexpr std::uint8_t kHasIssuer = 0x10;
constexpr std::uint8_t kHasIpv4 = 0x20;
constexpr std::uint8_t kHasIpv6 = 0x40;
constexpr std::uint8_t kHasName = 0x80;

constexpr std::size_t kDigestOffset = 10;

constexpr std::size_t kBlockBytes = 16;  // of AES
constexpr std::size_t kTokenBytes = 32;

constexpr std::string_view kIdAlphabet = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz";
static_assert(kIdAlphabet.size() == 55);
constexpr std::size_t kIdCharacters = 17;

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kNotInAlphabet = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNotInAlphabet);
  for (std::uint8_t i = 0; i < 64; ++i) values[static_cast<std::uint8_t>(kAlphabet[i])] = i;
  return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

EVP_CIPHER_CTX* cipher(void* context) noexcept { return static_cast<EVP_CIPHER_CTX*>(context); }

// 32 bytes are ten groups of three and one of two.
void encode_base64url(const std::array<std::uint8_t, kTokenBytes>& bytes,
                      TokenText& text) noexcept {
  std::size_t out = 0;
  for (std::size_t in = 0; in + 3 <= kTokenBytes; in += 3) {
    const std::uint32_t group =
        (std::uint32_t{bytes[in]} << 16) | (std::uint32_t{bytes[in + 1]} << 8) | bytes[in + 2];
    text[out++] = kAlphabet[group >> 18];
    text[out++] = kAlphabet[(group >> 12) & 63];
    text[out++] = kAlphabet[(group >> 6) & 63];
    text[out++] = kAlphabet[group & 63];
  }
  const std::uint32_t last = (std::uint32_t{bytes[30]} << 8) | bytes[31];
  text[out++] = kAlphabet[last >> 10];
  text[out++] = kAlphabet[(last >> 4) & 63];
  text[out++] = kAlphabet[(last << 2) & 63];
}

// The first block of a token, and whether all of its text is base64url: the bytes behind the block
// are proven by the digest, so nobody wants them. One value's bits that are not in the alphabet
// show in the OR of all, so there is one test at the end. The two unused bits of the last character
// must be zero: each token has one spelling.
bool decode_block(std::string_view text, std::array<std::uint8_t, kBlockBytes>& block) noexcept {
  const auto value = [&](std::size_t i) noexcept {
    return std::uint32_t{kValues[static_cast<std::uint8_t>(text[i])]};
  };
  constexpr std::size_t kGroups = 5;  // of four characters; a sixth one has the block's last byte
  std::uint32_t seen = 0;
  for (std::size_t group = 0; group <= kGroups; ++group) {
    const std::size_t in = 4 * group;
    const std::uint32_t a = value(in), b = value(in + 1), c = value(in + 2), d = value(in + 3);
    seen |= a | b | c | d;
    // In one word, which is stored as a whole: byte by byte it costs more than all of the rest.
    const std::uint32_t bytes = __builtin_bswap32((a << 26) | (b << 20) | (c << 14) | (d << 8));
    std::memcpy(block.data() + 3 * group, &bytes, group < kGroups ? sizeof(bytes) : 1);
  }
  for (std::size_t in = 4 * (kGroups + 1); in < kTokenCharacters; ++in) seen |= value(in);
  return (seen & 0xc0) == 0 && (value(kTokenCharacters - 1) & 3) == 0;
}

}  // namespace

Locator Locator::make(std::int64_t issued_ms, std::uint16_t shard,
                      std::uint32_t sequence) noexcept {
  CHECK(issued_ms >= 0 && issued_ms < (std::int64_t{1} << 48));
  Locator locator;
  const auto time = static_cast<std::uint64_t>(issued_ms);
  for (std::size_t i = 0; i < 6; ++i) {
    locator.bytes[i] = static_cast<std::uint8_t>(time >> (8 * (5 - i)));
  }
  locator.bytes[6] = static_cast<std::uint8_t>(shard >> 8);
  locator.bytes[7] = static_cast<std::uint8_t>(shard);
  for (std::size_t i = 0; i < 4; ++i) {
    locator.bytes[8 + i] = static_cast<std::uint8_t>(sequence >> (8 * (3 - i)));
  }
  return locator;
}

std::int64_t Locator::issued_ms() const noexcept {
  std::int64_t time = 0;
  for (std::size_t i = 0; i < 6; ++i) time = (time << 8) | bytes[i];
  return time;
}

std::uint16_t Locator::shard() const noexcept {
  return static_cast<std::uint16_t>((bytes[6] << 8) | bytes[7]);
}

std::uint32_t Locator::sequence() const noexcept {
  std::uint32_t sequence = 0;
  for (std::size_t i = 8; i < 12; ++i) sequence = (sequence << 8) | bytes[i];
  return sequence;
}

Digest digest_of(std::string_view token) noexcept {
  Digest digest;
  // The low-level calls cost 50 ns, the one-shot call of OpenSSL 3 costs 310: it looks the
  // algorithm up each time. They are deprecated, not removed, in all of OpenSSL 3.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, token.data(), token.size());
  SHA256_Final(digest.data(), &context);
#pragma GCC diagnostic pop
  return digest;
}

bool equal_in_constant_time(std::span<const std::uint8_t> left,
                            std::span<const std::uint8_t> right) noexcept {
  return left.size() == right.size() &&
         core::equals_in_constant_time(left.data(), right.data(), left.size());
}

void encode(const TokenRecord& record, std::string& out) {
  const bool has_issuer = record.issuer != record.user;
  const AddressForm address = form_of(record.address);
  Writer writer(out);
  writer.u8(kRecordVersion);
  writer.u8(static_cast<std::uint8_t>(
      static_cast<unsigned>(record.kind) | (has_issuer ? kHasIssuer : 0U) |
      (address == AddressForm::ipv4 ? kHasIpv4 : 0U) |
      (address == AddressForm::ipv6 ? kHasIpv6 : 0U) | (record.name.empty() ? 0U : kHasName)));
  writer.i64(record.expires_ms);
  writer.bytes(record.digest);
  writer.text8(record.user.view());
  if (has_issuer) writer.text8(record.issuer.view());
  write_address(writer, record.address);
  if (!record.name.empty()) writer.text16(record.name);
}

namespace {

core::Result<TokenRecord> decode(std::string_view bytes, bool has_digest) {
  Reader reader(bytes);
  TokenRecord record;
  const std::uint8_t version = reader.u8();
  const std::uint8_t flags = reader.u8();
  record.expires_ms = reader.i64();
  if (has_digest) reader.bytes(record.digest);
  record.user = reader.fixed<UserId>();
  record.issuer = (flags & kHasIssuer) ? reader.fixed<UserId>() : record.user;
  record.address = read_address(reader, flags & kHasIpv4   ? AddressForm::ipv4
                                        : flags & kHasIpv6 ? AddressForm::ipv6
                                                           : AddressForm::none);
  if (flags & kHasName) record.name = reader.text16();
  record.kind = static_cast<TokenKind>(flags & kKindMask);
  const bool valid = reader.complete() && version == kRecordVersion &&
                     (flags & kKindMask) <= static_cast<unsigned>(TokenKind::personal) &&
                     (flags & (kHasIpv4 | kHasIpv6)) != (kHasIpv4 | kHasIpv6) &&
                     !record.user.empty();
  if (!valid) return core::fail(core::Errc::corrupt, "a token's record does not decode");
  return record;
}

}  // namespace

core::Result<TokenRecord> decode_token_record(std::string_view bytes) {
  return decode(bytes, true);
}

void append_issuance(std::string_view token_record, std::string& out) {
  out.append(token_record.substr(0, kDigestOffset));
  if (token_record.size() > kDigestOffset + kDigestBytes) {
    out.append(token_record.substr(kDigestOffset + kDigestBytes));
  }
}

core::Result<TokenRecord> decode_issuance_record(std::string_view bytes) {
  return decode(bytes, false);
}

std::optional<std::int64_t> expiry_of_token_record(std::string_view bytes) noexcept {
  Reader reader(bytes);
  const std::uint8_t version = reader.u8();
  reader.u8();
  const std::int64_t expires_ms = reader.i64();
  if (reader.failed() || version != kRecordVersion) return std::nullopt;
  return expires_ms;
}

TokenCodec::TokenCodec(const TokenKey& key)
    : encrypt_(EVP_CIPHER_CTX_new()),
      decrypt_(EVP_CIPHER_CTX_new()) {
  // These fail only without memory or without AES: no server without either.
  CHECK(encrypt_ && decrypt_);
  CHECK(EVP_EncryptInit_ex(cipher(encrypt_), EVP_aes_256_ecb(), nullptr, key.data(), nullptr) == 1);
  CHECK(EVP_DecryptInit_ex(cipher(decrypt_), EVP_aes_256_ecb(), nullptr, key.data(), nullptr) == 1);
  // One block in, one block out. ECB of one block, unique by its locator, hides all that it holds.
  EVP_CIPHER_CTX_set_padding(cipher(encrypt_), 0);
  EVP_CIPHER_CTX_set_padding(cipher(decrypt_), 0);
}

TokenCodec::~TokenCodec() {
  EVP_CIPHER_CTX_free(cipher(encrypt_));
  EVP_CIPHER_CTX_free(cipher(decrypt_));
}

void TokenCodec::encode(const Locator& locator, std::span<const std::uint8_t, 20> random,
                        TokenText& text) noexcept {
  std::array<std::uint8_t, kTokenBytes> bytes;
  std::array<std::uint8_t, kBlockBytes> block;
  std::memcpy(block.data(), locator.bytes.data(), locator.bytes.size());
  std::memcpy(block.data() + locator.bytes.size(), random.data(), 4);
  std::memcpy(bytes.data() + kBlockBytes, random.data() + 4, 16);
  int written = 0;
  CHECK(EVP_EncryptUpdate(cipher(encrypt_), bytes.data(), &written, block.data(), kBlockBytes) ==
            1 &&
        written == kBlockBytes);
  encode_base64url(bytes, text);
}

std::optional<Locator> TokenCodec::decode(std::string_view token) noexcept {
  if (token.size() != kTokenCharacters) return std::nullopt;
  std::array<std::uint8_t, kBlockBytes> block;
  if (!decode_block(token, block)) return std::nullopt;
  std::array<std::uint8_t, 2 * kBlockBytes> plain;
  int written = 0;
  CHECK(EVP_DecryptUpdate(cipher(decrypt_), plain.data(), &written, block.data(), kBlockBytes) ==
            1 &&
        written == kBlockBytes);
  Locator locator;
  std::memcpy(locator.bytes.data(), plain.data(), locator.bytes.size());
  return locator;
}

RandomBytes::~RandomBytes() { OPENSSL_cleanse(block_.data(), block_.size()); }

void RandomBytes::refill(std::span<std::uint8_t> block) noexcept {
  // No randomness means no secrets: there is nothing left to serve.
  CHECK(RAND_bytes(block.data(), static_cast<int>(block.size())) == 1);
}

void RandomBytes::fill(std::span<std::uint8_t> out) noexcept {
  CHECK(out.size() <= block_.size());
  if (out.size() > block_.size() - used_) {
    refill(block_);
    used_ = 0;
  }
  std::memcpy(out.data(), block_.data() + used_, out.size());
  std::memset(block_.data() + used_, 0, out.size());
  used_ += out.size();
}

UserId make_id(RandomBytes& random) noexcept {
  // Bytes from here on would favour the alphabet's first characters.
  constexpr std::uint8_t kFairBelow = 256 / kIdAlphabet.size() * kIdAlphabet.size();
  char id[kIdCharacters];
  for (std::size_t i = 0; i < kIdCharacters;) {
    std::uint8_t byte = 0;
    random.fill({&byte, 1});
    if (byte < kFairBelow) id[i++] = kIdAlphabet[byte % kIdAlphabet.size()];
  }
  return UserId({id, kIdCharacters});
}

bool is_made_id(std::string_view text) noexcept {
  return text.size() == kIdCharacters &&
         text.find_first_not_of(kIdAlphabet) == std::string_view::npos;
}

}  // namespace tokend::store
