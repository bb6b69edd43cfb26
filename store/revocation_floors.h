#pragma once
// Revoking many tokens by one write, however many there are: below a floor, which is a locator, all
// tokens of an issuer, or of everybody, are revoked. The order of locators is the order of issue,
// so a floor says "what was issued up to here" without comparing clocks, and what is issued later
// lies above it.
//
// A floor stays until the records of all tokens below it have been removed (by
// store/store_revocations.cpp in the background, or at the start); from then on it would say
// nothing. So there are as a rule none.
//
// An issuer's floor is about tokens of the kind `issued`: those that it was answered with by
// users.createToken, its own ones included. Its logins and personal tokens are nobody else's work
// and end by the calls for a user's tokens.
//
// Kept in the family `revocations`: "everyone", or "issuer/" and the issuer's id -> version byte 1,
// 12 bytes of locator.
//
// Concurrency: the committer changes its own; everyone else shares immutable copies.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/token.h"

namespace tokend::store {

// At this limit a further issuer has to wait for the removal (Errc::full). The floor for everyone
// is always free.
inline constexpr std::size_t kIssuerFloorsMax = 1024;

// Of an issuer, or of everyone where that is empty.
struct RevocationFloor {
  UserId issuer;
  Locator below;
};

class RevocationFloors {
 public:
  [[nodiscard]] bool empty() const noexcept { return everyone_.empty() && issuers_.empty(); }
  [[nodiscard]] bool revokes(const Locator& token, TokenKind kind,
                             const UserId& issuer) const noexcept {
    return token < everyone_ ||
           (kind == TokenKind::issued && !issuers_.empty() && token < floor_of(issuer));
  }
  [[nodiscard]] bool revokes(const Locator& token, const TokenRecord& record) const noexcept {
    return revokes(token, record.kind, record.issuer);
  }
  // Below it everybody's are revoked; empty: none.
  [[nodiscard]] const Locator& everyone() const noexcept { return everyone_; }
  // An issuer's own, or where that is empty, everyone's; empty: none.
  [[nodiscard]] Locator floor_of(const UserId& issuer) const noexcept;
  // No token at or above it is revoked.
  [[nodiscard]] Locator highest() const noexcept;
  [[nodiscard]] const std::vector<RevocationFloor>& issuers() const noexcept { return issuers_; }

  // False, and nothing done, at the limit. A floor that is there is never lowered. Appends the
  // issuers that the floor for everyone made superfluous to `superseded`.
  [[nodiscard]] bool raise(const RevocationFloor& floor, std::vector<UserId>& superseded);
  // Drops those of `removed` that have not been raised since, and tells which.
  [[nodiscard]] std::vector<RevocationFloor> forget(const RevocationFloors& removed);

 private:
  Locator everyone_;
  std::vector<RevocationFloor> issuers_;  // ascending by issuer
};

using SharedFloors = std::shared_ptr<const RevocationFloors>;

// The key of a floor; the issuer is empty in the one of everyone.
[[nodiscard]] std::string floor_key(const UserId& issuer);
[[nodiscard]] std::string encode_floor(const Locator& below);
// Empty for what is not such a key or value.
[[nodiscard]] std::optional<RevocationFloor> decode_floor(std::string_view key,
                                                          std::string_view value) noexcept;

}  // namespace tokend::store
