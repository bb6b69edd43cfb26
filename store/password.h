#pragma once
// Passwords at rest: bcrypt ("$2b$") of the lower-case hex SHA-256 of the password, as the original
// stores them, so that both forms in which a client may send one lead to the same hash. Blocking by
// design (tens of milliseconds): on a worker's thread or before threads run, never on a loop.

#include <string>
#include <string_view>

#include "core/error.h"

namespace tokend::store {

inline constexpr int kBcryptCostMin = 4;
inline constexpr int kBcryptCostMax = 16;
inline constexpr int kBcryptCostDefault = 10;

[[nodiscard]] std::string sha256_hex(std::string_view bytes);

[[nodiscard]] core::Result<std::string> hash_password(const std::string& sha256_hex, int cost);
// False for an empty or foreign hash too, after the time that a hash of `cost` takes.
[[nodiscard]] bool verify_password(const std::string& sha256_hex, const std::string& password_hash,
                                   int cost);
// Overwrites the text so that no optimizer leaves it, and empties it.
void wipe(std::string& secret) noexcept;

}  // namespace tokend::store
