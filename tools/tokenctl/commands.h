#pragma once
// What tokenctl can do, each a function that prints what came of it. A user is named by its id or
// its username.

#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "tools/tokenctl/offline.h"

namespace tokend::tools {

struct NewUser {
  std::string username = {};
  std::string name = {};   // empty: the username
  std::string email = {};  // empty: none
  std::vector<std::string> roles = {};
  std::string password = {};  // empty: the user can't log in, only be issued for
};

core::Result<void> create_user(OfflineStore& store, const NewUser& user);
core::Result<void> list_users(OfflineStore& store);
core::Result<void> show_user(OfflineStore& store, const std::string& user);
core::Result<void> set_active(OfflineStore& store, const std::string& user, bool active);
// Revokes the user's tokens too: whoever knew the old password is out.
core::Result<void> set_password(OfflineStore& store, const std::string& user,
                                const std::string& password);
core::Result<void> add_role(OfflineStore& store, const std::string& user, const std::string& role);
core::Result<void> remove_role(OfflineStore& store, const std::string& user,
                               const std::string& role);
core::Result<void> revoke_tokens(OfflineStore& store, const std::string& user);

// Which tokens end at once, whoever holds them (store/revocation_floors.h). What is given must say
// something: an empty text is refused, because none means more.
struct TokensToRevoke {
  // Who issued them: a user by id or username, or the id of anybody, who may have been deleted. At
  // most one of these; none: everybody's.
  std::optional<std::string> issuer = std::nullopt;
  std::optional<std::string> issuer_id = std::nullopt;
  // As api::parse_iso_time reads it; none: all of the issuer's up to now.
  std::optional<std::string> before = std::nullopt;
};
core::Result<void> revoke(OfflineStore& store, const TokensToRevoke& tokens);

struct AuditWords {
  std::string event = {};   // an event's name; empty: all
  std::string actor = {};   // an id; empty: all
  std::string target = {};  // likewise
  std::string since = {};   // a time as 2026-01-31T23:59:59Z or milliseconds; empty: all there is
  std::string until = {};
  std::size_t count = 0;  // 0: all
};
// The audit, newest first, an object of JSON on each line.
core::Result<void> show_audit(OfflineStore& store, const AuditWords& words);
// Fails with `corrupt` when there is a fault.
core::Result<void> check(OfflineStore& store);

}  // namespace tokend::tools
