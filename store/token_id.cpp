#include "store/token_id.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

#include "core/error.h"
#include "store/hmac.h"

namespace tokend::store {
namespace {

constexpr std::size_t kBlockBytes = 16;  // of AES
static_assert(kTokenIdCharacters == 2 * kBlockBytes);
using Block = std::array<std::uint8_t, kBlockBytes>;

constexpr std::string_view kDigits = "0123456789abcdef";
// Keys for different purposes are different keys.
constexpr std::string_view kPurpose = "tokend token id";

EVP_CIPHER_CTX* cipher(void* context) noexcept { return static_cast<EVP_CIPHER_CTX*>(context); }

}  // namespace

TokenIdCodec::TokenIdCodec(const TokenKey& key)
    : encrypt_(EVP_CIPHER_CTX_new()),
      decrypt_(EVP_CIPHER_CTX_new()) {
  // These fail only without memory, AES or SHA-256: no server without them.
  CHECK(encrypt_ && decrypt_);
  TokenKey own = hmac_sha256(key, kPurpose);
  CHECK(EVP_EncryptInit_ex(cipher(encrypt_), EVP_aes_256_ecb(), nullptr, own.data(), nullptr) == 1);
  CHECK(EVP_DecryptInit_ex(cipher(decrypt_), EVP_aes_256_ecb(), nullptr, own.data(), nullptr) == 1);
  OPENSSL_cleanse(own.data(), own.size());
  // One block in, one block out.
  EVP_CIPHER_CTX_set_padding(cipher(encrypt_), 0);
  EVP_CIPHER_CTX_set_padding(cipher(decrypt_), 0);
}

TokenIdCodec::~TokenIdCodec() {
  EVP_CIPHER_CTX_free(cipher(encrypt_));
  EVP_CIPHER_CTX_free(cipher(decrypt_));
}

TokenId TokenIdCodec::encode(const Locator& locator) noexcept {
  Block plain{};
  std::ranges::copy(locator.bytes, plain.begin());
  Block block;
  int written = 0;
  CHECK(EVP_EncryptUpdate(cipher(encrypt_), block.data(), &written, plain.data(), kBlockBytes) ==
            1 &&
        written == kBlockBytes);
  TokenId id;
  for (std::size_t index = 0; index < block.size(); ++index) {
    id[2 * index] = kDigits[block[index] >> 4];
    id[2 * index + 1] = kDigits[block[index] & 15];
  }
  return id;
}

std::optional<Locator> TokenIdCodec::decode(std::string_view id) noexcept {
  if (id.size() != kTokenIdCharacters) return std::nullopt;
  Block block;
  for (std::size_t index = 0; index < block.size(); ++index) {
    const std::size_t high = kDigits.find(id[2 * index]);
    const std::size_t low = kDigits.find(id[2 * index + 1]);
    if (high == kDigits.npos || low == kDigits.npos) return std::nullopt;
    block[index] = static_cast<std::uint8_t>(high * 16 + low);
  }
  std::array<std::uint8_t, 2 * kBlockBytes> plain;
  int written = 0;
  CHECK(EVP_DecryptUpdate(cipher(decrypt_), plain.data(), &written, block.data(), kBlockBytes) ==
            1 &&
        written == kBlockBytes);
  Locator locator;
  const auto zeros = plain.begin() + locator.bytes.size();
  if (std::any_of(zeros, plain.begin() + kBlockBytes, [](auto byte) { return byte != 0; })) {
    return std::nullopt;
  }
  std::copy(plain.begin(), zeros, locator.bytes.begin());
  return locator;
}

}  // namespace tokend::store
