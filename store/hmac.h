#pragma once
// HMAC-SHA256 (RFC 2104), for deriving one secret from another. Pure; any thread.

#include <cstdint>
#include <span>
#include <string_view>

#include "store/token.h"

namespace tokend::store {

[[nodiscard]] Digest hmac_sha256(std::span<const std::uint8_t> key,
                                 std::string_view message) noexcept;

}  // namespace tokend::store
