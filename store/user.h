#pragma once
// What a user is, and the rules for names. The record is decoded as a whole; ARCHITECTURE.md
// specifies its bytes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "store/permission.h"
#include "store/token.h"

namespace tokend::store {

inline constexpr std::size_t kUsernameCharactersMax = 128;
inline constexpr std::size_t kDisplayNameBytesMax = 1024;
inline constexpr std::size_t kEmailBytesMax = 254;
inline constexpr std::size_t kEmailsMax = 8;

struct Email {
  std::string address;
  bool verified = false;
};

// Whether a token's locator passes a floor below which all but the excepted one are revoked.
[[nodiscard]] inline bool is_above_floor(const Locator& from, const Locator& exception,
                                         const Locator& token) noexcept {
  return token >= from || (!exception.empty() && token == exception);
}

struct User {
  // First what every request asks of its caller and its target, so that it shares cache lines.
  UserId id;
  RoleSet roles;
  bool active = true;
  bool require_password_change = false;
  // Which object of the core's cache this is. What is in a cache does not change and no two objects
  // that a core ever cached have the same, so what was made of one is true of it for ever. 0: it is
  // in none; whoever changes a copy sets it so. It is not stored.
  std::uint64_t edition = 0;
  // Tokens with a locator below this one are revoked, except `valid_exception`. One write revokes
  // everything of a user.
  Locator valid_from;
  Locator valid_exception;
  // The same for dated tokens only: personal ones are not asked. Above `valid_from`, or empty.
  Locator dated_from;
  Locator dated_exception;
  std::string username;  // as given; compared folded
  std::string name;      // free text
  std::vector<Email> emails;
  std::string password_hash;  // crypt(3) string of the hex SHA-256 of the password; empty: none
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;

  [[nodiscard]] bool accepts(const Locator& token, TokenKind kind) const noexcept {
    return is_above_floor(valid_from, valid_exception, token) &&
           (kind == TokenKind::personal || is_above_floor(dated_from, dated_exception, token));
  }
};

void encode(const User& user, std::string& out);
[[nodiscard]] core::Result<User> decode_user(std::string_view bytes);

// Letters and digits of any script, '-', '_', '.'; 1 to kUsernameCharactersMax characters
// (contract section 9.14).
[[nodiscard]] bool is_username(std::string_view username) noexcept;
// One '@' with something before and a domain behind; no white space or control characters.
[[nodiscard]] bool is_email(std::string_view address) noexcept;
// The form in which names are compared: NFC, then Unicode simple case folding. Empty for text that
// is not UTF-8 or longer than any name may be.
[[nodiscard]] std::string fold(std::string_view name);
// True when fold(name) is `name` itself byte for byte: the common case, decided without allocation.
[[nodiscard]] bool is_folded_ascii(std::string_view name) noexcept;

}  // namespace tokend::store
