#pragma once
// What a database must hold before anybody serves from it: the format version, the key of its
// tokens, the moment of its creation and, on the first start, an administrator. Blocking; before
// threads run.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/error.h"
#include "store/database.h"
#include "store/password.h"
#include "store/token.h"
#include "store/user.h"

namespace tokend::store {

// What makes a store's tokens its own. Fixed at creation.
struct Identity {
  TokenKey token_key{};
  std::int64_t created_ms = 0;  // no token is older
  std::uint16_t shard = 0;
};

// Errc::refused: a version that is not ours; Errc::corrupt. `format` is the value of meta/format.
[[nodiscard]] core::Result<void> check_format(std::string_view format);

// Contract section 9.21: read only while the store has no user.
struct FirstAdmin {
  std::string username;  // empty: "admin"
  std::string password;  // empty: a random one is made and returned
  std::string email;     // empty: none
  std::string name;      // empty: the username
};

struct Prepared {
  Identity identity;
  std::optional<User> created_admin;  // on the first start only
  std::string generated_password;     // empty unless one was made
};

// Errc::corrupt: `meta` does not decode; Errc::refused: the format version is not known, with both
// versions in the message; Errc::invalid: `admin` is no possible user.
[[nodiscard]] core::Result<Prepared> prepare_store(Database& database, const core::Clock& clock,
                                                   RandomBytes& random, const FirstAdmin& admin,
                                                   int bcrypt_cost = kBcryptCostDefault);

}  // namespace tokend::store
