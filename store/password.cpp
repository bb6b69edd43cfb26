#include "store/password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "store/token.h"

namespace tokend::store {
namespace {

constexpr char kPrefix[] = "$2b$";
constexpr std::size_t kSaltBytes = 16;

// crypt(3) with its 32 KiB of state, wiped afterwards; empty when it refuses the setting.
std::string run_crypt(const std::string& phrase, const std::string& setting) {
  const auto state = std::make_unique<crypt_data>();
  const char* hash =
      crypt_rn(phrase.c_str(), setting.c_str(), state.get(), static_cast<int>(sizeof(crypt_data)));
  std::string result = hash ? hash : "";
  OPENSSL_cleanse(state.get(), sizeof(crypt_data));
  return result;
}

std::string setting_for(int cost, std::span<const std::uint8_t, kSaltBytes> salt) {
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  const char* made = crypt_gensalt_rn(
      kPrefix, static_cast<unsigned long>(cost), reinterpret_cast<const char*>(salt.data()),
      static_cast<int>(salt.size()), setting.data(), static_cast<int>(setting.size()));
  return made ? made : "";
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * kDigestBytes);
  for (const std::uint8_t byte : digest_of(bytes)) {
    hex.push_back(kHex[byte >> 4]);
    hex.push_back(kHex[byte & 15]);
  }
  return hex;
}

core::Result<std::string> hash_password(const std::string& sha256_hex, int cost) {
  if (cost < kBcryptCostMin || cost > kBcryptCostMax) {
    return core::fail(core::Errc::invalid, "the bcrypt cost must be between 4 and 16");
  }
  std::array<std::uint8_t, kSaltBytes> salt{};
  CHECK(RAND_bytes(salt.data(), static_cast<int>(salt.size())) == 1);
  std::string hash = run_crypt(sha256_hex, setting_for(cost, salt));
  if (!hash.starts_with(kPrefix)) return core::fail(core::Errc::io, "crypt(3) made no bcrypt hash");
  return hash;
}

bool verify_password(const std::string& sha256_hex, const std::string& password_hash, int cost) {
  const bool is_bcrypt = password_hash.starts_with("$2") && password_hash.size() == 60;
  // A user who is not there, or has no password, takes as long as one who has.
  const std::string setting =
      is_bcrypt ? password_hash : setting_for(cost, std::array<std::uint8_t, kSaltBytes>{});
  const std::string computed = run_crypt(sha256_hex, setting);
  const auto bytes = [](const std::string& text) {
    return std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  };
  return is_bcrypt && equal_in_constant_time(bytes(computed), bytes(password_hash));
}

void wipe(std::string& secret) noexcept {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

}  // namespace tokend::store
