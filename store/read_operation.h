#pragma once
// What a core asks the store for. Memory answers first; a worker reads the disk when memory does
// not know, and the committer is asked for what only its index knows.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/audit_reader.h"
#include "store/operation.h"
#include "store/personal_token.h"
#include "store/revocation_floors.h"
#include "store/token.h"
#include "store/user.h"
#include "store/write_operation.h"

namespace tokend::store {

// The user of an authenticated request.
struct Caller {
  UserId id;
  RoleSet roles;
  Locator token;  // the presented one
  std::int64_t token_expires_ms = 0;
  TokenKind token_kind = TokenKind::login;
};

// Fails with not_found for every reason why a token does not authenticate (contract 1.3: all
// identical): unknown, expired, revoked, another user's, holder deactivated. `unavailable`, `full`
// or `io` when it could not be decided.
struct Authenticate : BlockingOperation {
  // In. The text of the token; not kept. Or what Store::read_token made of it.
  std::string_view token;
  const TokenProof* proof = nullptr;
  // In. Must be the holder's id; `any_user` for login by resume.
  std::string_view user_id;
  bool any_user = false;

  // Out.
  Caller caller;
  const User* user = nullptr;  // valid until the continuation returns

  // The store's own, for the way through a worker. A worker reads one record a trip.
  Digest digest{};
  Locator locator;
  UserId expected_user;
  UserId wanted_user;  // empty: the token's record is wanted
  std::uint64_t guard_epoch = 0;
  std::uint32_t attempts = 0;
  std::unique_ptr<TokenRecord> loaded_token;
  std::unique_ptr<User> loaded_user;
};

enum class UserKey : std::uint8_t { id, username, email };

// Fails with not_found when there is no such user.
struct FindUser : BlockingOperation {
  UserKey key = UserKey::id;
  // In: an id, or a name as the client gave it (folded by the store). Copied when a worker is
  // asked.
  std::string_view value;

  const User* user = nullptr;  // valid until the continuation returns

  // The store's own, for the way through a worker. A worker reads one record a trip.
  std::string folded;
  UserId wanted_user;  // empty: the name's record is wanted
  std::uint64_t guard_epoch = 0;
  std::uint32_t attempts = 0;
  std::unique_ptr<User> loaded;
};

// The ids of users who are named by username; what memory does not know is read in one trip for all
// of them. A name that is nobody's is no failure. Whether a user is active is not looked at.
struct ResolveUsernames : BlockingOperation {
  struct Name {
    // In: as the client gave it; its bytes stay the asker's until the continuation runs.
    std::string_view username;
    UserId id;  // out; empty: there is no such user
  };
  std::span<Name> names;  // likewise

  // The store's own, for the way through a worker.
  struct Unknown {
    std::size_t index = 0;
    std::string folded;
  };
  std::vector<Unknown> unknown;
};

// Users in order of their folded names, from `offset`, at most `count`.
struct ListUsers : BlockingOperation {
  std::size_t offset = 0;
  std::size_t count = 50;

  std::vector<User> users;
  std::size_t total = 0;
};

// A user's personal tokens in order of issue. Empty also when there is no such user.
struct ListPersonalTokens : BlockingOperation {
  UserId user;

  std::vector<PersonalToken> tokens;

  SharedFloors floors;  // the store's own: of the moment of asking
};

// A token by its public id. Fails with not_found when there is none, or not any more.
struct FindToken : BlockingOperation {
  std::string_view id;  // in; not kept

  // Out.
  Locator locator;
  UserId user;
  UserId issuer;
  TokenKind token_kind = TokenKind::login;
  std::int64_t expires_ms = 0;

  SharedFloors floors;  // the store's own: of the moment of asking
};

// What became of the items of a request that carries an Idempotency-Key, as far as is durable
// (store/idempotency.h). Fails with `refused` when the key was another request's.
struct FindKeyed : BlockingOperation {
  KeyedRequest* request = nullptr;  // in and out

  std::int64_t now_ms = 0;  // the store's own
};

// A page of the audit, newest first.
struct ListAudit : BlockingOperation {
  AuditQuery query;
  AuditPage page;
};

// A page of a user's valid tokens in order of issue, dated and personal ones. Fails with not_found
// when there is no such user, and with full while the index of tokens is being loaded.
struct ListTokens : BlockingOperation {
  UserId user;
  std::size_t offset = 0;
  std::size_t count = 50;

  struct Token {
    Locator locator;
    TokenRecord record;
  };
  // Shorter than the page also where a token has been revoked since it was counted.
  std::vector<Token> tokens;
  std::size_t total = 0;
  // Of all of the user's personal tokens: their names and last characters.
  [[nodiscard]] const std::vector<PersonalToken>& personal_tokens() const noexcept {
    return collect.personal_tokens;
  }

  // The store's own: the first of two trips, and what revokes some of those that it tells of.
  CollectTokens collect;
  SharedFloors floors;
};

// The store's own: looks through the records of tokens, a slice at a time, for those that `floors`
// revoke.
struct FindRevoked : BlockingOperation {
  SharedFloors floors;
  std::string from;  // a key of the family; in and out: where to go on

  std::vector<RevokedToken> tokens;
  std::uint64_t undecodable = 0;  // of the records that were looked at
  bool complete = false;          // nothing more lies below any floor
};

// The store's own: reads a page of the dated tokens that the committer's index does not have yet
// (store/token_load.h), in the order of issue.
struct ReadTokens : BlockingOperation {
  Locator from;
  Locator end;  // those from here on are in the index
  SharedFloors floors;

  std::vector<UnindexedToken> tokens;
  bool complete = false;  // nothing is left behind these
  Locator next;           // where the next page begins, if there is one
  std::uint64_t undecodable = 0;
};

}  // namespace tokend::store
