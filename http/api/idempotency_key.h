#pragma once
// The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a string of RFC 8941 in
// its quotes, or, as many clients send it, bare. Both forms of a text are the same key.
// Pure functions; any thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/api/target.h"
#include "store/token.h"

namespace tokend::api {

inline constexpr std::size_t kIdempotencyKeyCharactersMax = 255;

// The key itself: 1 to kIdempotencyKeyCharactersMax visible ASCII characters. In quotes, `"` and
// `\` stand behind a `\`; bare they may not occur, nor may `,` and `;`, which separate values and
// parameters. Nothing when malformed; parameters behind the quotes are.
[[nodiscard]] std::optional<std::string> parse_idempotency_key(std::string_view header);

// What makes requests the same: path, lifetime (in whichever form) and targets, as they were named.
// Not the secret, and not the caller, whose id is part of the key's meaning.
[[nodiscard]] store::Digest digest_of_request(const Target& target, std::int64_t lifetime_ms);
// `texts` are all targets, one behind the other; `ends` where each ends.
[[nodiscard]] store::Digest digest_of_request(std::string_view texts,
                                              std::span<const std::size_t> ends, bool by_name,
                                              std::int64_t lifetime_ms);

}  // namespace tokend::api
