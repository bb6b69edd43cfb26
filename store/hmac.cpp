#include "store/hmac.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <array>

#include "core/error.h"

namespace tokend::store {

Digest hmac_sha256(std::span<const std::uint8_t> key, std::string_view message) noexcept {
  CHECK(key.size() <= SHA256_CBLOCK);
  std::array<std::uint8_t, SHA256_CBLOCK> inner{};
  std::array<std::uint8_t, SHA256_CBLOCK> outer{};
  for (std::size_t i = 0; i < inner.size(); ++i) {
    const std::uint8_t byte = i < key.size() ? key[i] : 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  Digest digest;
  // Deprecated, not removed, in all of OpenSSL 3; store/token.cpp says why they are used.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, inner.data(), inner.size());
  SHA256_Update(&context, message.data(), message.size());
  SHA256_Final(digest.data(), &context);
  SHA256_Init(&context);
  SHA256_Update(&context, outer.data(), outer.size());
  SHA256_Update(&context, digest.data(), digest.size());
  SHA256_Final(digest.data(), &context);
#pragma GCC diagnostic pop
  OPENSSL_cleanse(inner.data(), inner.size());
  OPENSSL_cleanse(outer.data(), outer.size());
  return digest;
}

}  // namespace tokend::store
