#pragma once
// A user's personal access tokens as its list shows them: one small record for each user that has
// any, so that a name is unique, the list is one read, and the tokens' own records stay as they
// are. ARCHITECTURE.md specifies the bytes.
//
// Always true: the record names exactly the personal tokens that are valid, in order of issue, and
// those that a floor has revoked and nobody has removed yet (store/revocation_floors.h); it
// changes in the same batch as the tokens. So revoking all of a user's tokens removes the records
// of the personal ones, which no expiry would ever do.

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "store/token.h"

namespace tokend::store {

inline constexpr std::size_t kPersonalTokenNameBytesMax = 256;
// So many of a user's at most, whatever the setting says: the record is rewritten at each change.
inline constexpr std::size_t kPersonalTokensMax = 1000;
// What the list shows of a token's text. It can't be shown without being stored: these are the
// only characters of a token that are. They hold 34 of its 160 random bits.
inline constexpr std::size_t kLastPartCharacters = 6;

struct PersonalToken {
  Locator locator;
  bool bypass_two_factor = false;
  std::array<char, kLastPartCharacters> last_part{};
  std::string name;
};

[[nodiscard]] inline std::string_view view_of(
    const std::array<char, kLastPartCharacters>& last_part) noexcept {
  return {last_part.data(), last_part.size()};
}

// Appends to `out`.
void encode(std::span<const PersonalToken> tokens, std::string& out);
[[nodiscard]] core::Result<std::vector<PersonalToken>> decode_personal_tokens(
    std::string_view bytes);

}  // namespace tokend::store
