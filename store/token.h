#pragma once
// What a token is.
//
// A token is 43 characters of base64url (no padding) that encode 32 bytes: one AES-256 block and 16
// random bytes. The block hides 12 bytes of locator and 4 more random bytes, so that a token tells
// nothing about its time or number and looks uniformly random; 160 bits are unpredictable. The
// locator is the token's primary key: tokens sort by the order of their issue, so inserts go to the
// tail of the database. A forged token decodes to an impossible locator and fails without a read.
//
// At rest there is SHA-256 of the 43 characters, never the token. Comparisons take constant time.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/cache_line.h"
#include "core/error.h"
#include "core/fixed_string.h"

namespace tokend::store {

inline constexpr std::size_t kTokenCharacters = 43;
inline constexpr std::size_t kDigestBytes = 32;
inline constexpr std::size_t kTokenKeyBytes = 32;
inline constexpr std::int64_t kNeverExpires = INT64_MAX;

// Ids made here have 17 characters (contract section 2); imported ones may have up to the capacity.
using UserId = core::FixedString<31>;
using TokenText = std::array<char, kTokenCharacters>;
using Digest = std::array<std::uint8_t, kDigestBytes>;
using TokenKey = std::array<std::uint8_t, kTokenKeyBytes>;

[[nodiscard]] inline std::string_view view_of(const TokenText& text) noexcept {
  return {text.data(), text.size()};
}

// 48 bits of milliseconds since the epoch, 16 bits of shard, 32 bits of sequence, big-endian: the
// order of the bytes is the order of issue. Made by the committer, or out of what it set apart,
// strictly increasing, whatever the clock does.
struct Locator {
  std::array<std::uint8_t, 12> bytes{};

  [[nodiscard]] static Locator make(std::int64_t issued_ms, std::uint16_t shard,
                                    std::uint32_t sequence) noexcept;
  [[nodiscard]] std::int64_t issued_ms() const noexcept;
  [[nodiscard]] std::uint16_t shard() const noexcept;
  [[nodiscard]] std::uint32_t sequence() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return *this == Locator{}; }
  friend auto operator<=>(const Locator&, const Locator&) noexcept = default;
  // Of a size that the compiler knows: no call.
  friend bool operator==(const Locator& left, const Locator& right) noexcept {
    return std::memcmp(left.bytes.data(), right.bytes.data(), sizeof(left.bytes)) == 0;
  }
};

enum class TokenKind : std::uint8_t {
  login = 0,     // by users' own login
  issued = 1,    // by users.createToken
  personal = 2,  // personal access token: named, never expires, not counted in the limit
};

// The value stored under a locator; ARCHITECTURE.md specifies the bytes.
struct TokenRecord {
  Digest digest{};
  UserId user;
  UserId issuer;  // who asked for it; the user itself at login
  TokenKind kind = TokenKind::login;
  std::int64_t expires_ms = kNeverExpires;  // wall clock; fixed, not sliding
  std::array<std::uint8_t, 16> address{};   // of the client that asked, as core::PeerAddress
  std::string name;                         // of a personal access token
};

// What a token's text says: where its record is, and what proves it there.
struct TokenProof {
  Locator locator;
  Digest digest{};
};

[[nodiscard]] Digest digest_of(std::string_view token) noexcept;
[[nodiscard]] bool equal_in_constant_time(std::span<const std::uint8_t> left,
                                          std::span<const std::uint8_t> right) noexcept;

// Appends to `out`; never fails.
void encode(const TokenRecord& record, std::string& out);
[[nodiscard]] core::Result<TokenRecord> decode_token_record(std::string_view bytes);
// What remains of a token in the audit (the family `issuances`): its record without the digest.
// Appends to `out`; bytes that are no record come out as no issuance.
void append_issuance(std::string_view token_record, std::string& out);
// The digest is empty.
[[nodiscard]] core::Result<TokenRecord> decode_issuance_record(std::string_view bytes);
// Only the moment of expiry, for the compaction filter; empty for bytes that are no record.
[[nodiscard]] std::optional<std::int64_t> expiry_of_token_record(std::string_view bytes) noexcept;

// Tokens to text and back. One instance per thread: it holds a cipher's state.
class TokenCodec {
 public:
  explicit TokenCodec(const TokenKey& key);
  ~TokenCodec();
  TokenCodec(const TokenCodec&) = delete;
  TokenCodec& operator=(const TokenCodec&) = delete;

  // `random` must come fresh from a CSPRNG.
  void encode(const Locator& locator, std::span<const std::uint8_t, 20> random,
              TokenText& text) noexcept;
  // Empty when `token` is not 43 characters of base64url. That a locator comes out does not mean
  // that the token exists.
  [[nodiscard]] std::optional<Locator> decode(std::string_view token) noexcept;

 private:
  void* encrypt_;  // EVP_CIPHER_CTX
  void* decrypt_;
};

// Cryptographically secure bytes, drawn from OpenSSL in blocks (3 ns a token; a draw for each costs
// 760). Bytes handed out are wiped from the block. One instance per thread.
class alignas(core::kCacheLineBytes) RandomBytes {
 public:
  RandomBytes() = default;
  virtual ~RandomBytes();
  RandomBytes(const RandomBytes&) = delete;
  RandomBytes& operator=(const RandomBytes&) = delete;

  void fill(std::span<std::uint8_t> out) noexcept;

 protected:
  // The simulator overrides this with a seeded generator.
  virtual void refill(std::span<std::uint8_t> block) noexcept;

 private:
  std::array<std::uint8_t, 4096> block_{};
  std::size_t used_ = sizeof(block_);
};

// A random id of 17 characters of the original's unmistakable alphabet, without modulo bias.
[[nodiscard]] UserId make_id(RandomBytes& random) noexcept;
// Whether a text looks like one of these.
[[nodiscard]] bool is_made_id(std::string_view text) noexcept;

}  // namespace tokend::store
