#include "store/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/error.h"

namespace tokend::store {

Digest hmac_sha256(std::span<const std::uint8_t> key, std::string_view message) noexcept {
  Digest digest;
  unsigned int length = 0;
  // It fails only without memory or without SHA-256: no server without either.
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest.data(),
             &length) != nullptr &&
        length == digest.size());
  return digest;
}

}  // namespace tokend::store
