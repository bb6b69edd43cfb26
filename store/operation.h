#pragma once
// What a core asks of the store. An operation is an object of the asker's: fields to fill in, a
// continuation, fields that come back. The same object travels to the committer or a worker and
// home again, so asking allocates nothing and a queue can be no longer than its askers.
//
// What a request under way takes up in the caches decides what it costs, so operations are small:
// what only the way through a worker needs, the worker allocates.
//
// The continuation runs once, on the asking core: before the call returns when memory held the
// answer, later when it did not. So after handing an operation to the Store nothing of it (and
// nothing that its continuation may destroy) may be touched.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/mailbox.h"
#include "store/audit.h"
#include "store/audit_pile.h"
#include "store/audit_reader.h"
#include "store/executor.h"
#include "store/issuing_policy.h"
#include "store/permission.h"
#include "store/personal_token.h"
#include "store/revocation_floors.h"
#include "store/setting.h"
#include "store/token.h"
#include "store/user.h"

namespace tokend::store {

struct KeyedRequest;

class Operation : public core::Message {
 public:
  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // operation.then<&CreateToken::on_issued>(*this)
  template <auto method, class Object>
  void then(Object& object) noexcept {
    context_ = &object;
    continuation_ = [](void* context) noexcept { (static_cast<Object*>(context)->*method)(); };
  }

  void then(void* context, void (*continuation)(void*) noexcept) noexcept {
    context_ = context;
    continuation_ = continuation;
  }

  // Set before the continuation runs.
  std::expected<void, core::Errc> result;

  // For the store: runs the continuation, after which the operation may be gone.
  void finish() noexcept { continuation_(context_); }

  // Set by the Store that the operation was handed to: its number among the committer's replicas
  // (first: it fits behind the result), and where the operation comes home to.
  std::uint32_t core = 0;
  core::Mailbox* home = nullptr;
  void* store = nullptr;

 private:
  void* context_ = nullptr;
  void (*continuation_)(void*) noexcept = nullptr;
};

// An operation that may have to block, and is then a worker's job.
struct BlockingOperation : Operation, Job {};

// ---- Reads. Memory first; a worker reads the disk when memory does not know. -------------------

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

// Comes home in the core's next turn, behind what waits in its mailbox by then: for work that is
// done in slices, so that others are served in between. Never fails.
struct NextTurn : Operation {};

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

// ---- Writes. Durable before the continuation runs; revocations also acknowledged by all cores. --

enum class WriteKind : std::uint8_t {
  issue_token,
  issue_personal_token,  // an IssueToken as well
  revoke_token,
  revoke_tokens,
  remove_revoked,
  remove_personal_token,
  create_user,
  update_user,
  delete_user,
  update_permissions,
  update_setting,
  update_policies,
  record_audit,
  collect_tokens,  // writes nothing
  index_tokens,
};

[[nodiscard]] constexpr bool issues(WriteKind kind) noexcept {
  return kind == WriteKind::issue_token || kind == WriteKind::issue_personal_token;
}

struct Write : Operation {
  explicit Write(WriteKind write_kind) noexcept : kind(write_kind) {}
  const WriteKind kind;
  bool waited = false;  // the committer's: for all cores to acknowledge
};

// A write that enters the audit as its origin's. Issued tokens do so by their own records.
struct AuditedWrite : Write {
  using Write::Write;
  Origin origin;
};

// Drops the user's oldest tokens beyond the limit in the same commit. Fails with not_found when
// the user has been deleted and with refused when it has been deactivated meanwhile, where a policy
// of the issuer's roles forbids it, or where the token that the issuer showed has been revoked
// (`broken_bound` says which).
//
// Of a keyed request also with `exists`: another one with its key was there first, and what came of
// that can be looked up. One that comes with a failed result keeps it, and is only taken down.
struct IssueToken : Write {
  IssueToken() noexcept : Write(WriteKind::issue_token) {}
  UserId user;
  UserId issuer;
  // Whose policies bound what is issued (store/issuing_policy.h): the roles with which the issuer
  // was authenticated. Empty, as for a login: none. Ignored for personal tokens.
  RoleSet issuer_roles;
  TokenKind token_kind = TokenKind::issued;      // personal: an IssuePersonalToken
  BrokenBound broken_bound = BrokenBound::none;  // out
  // In: not_found as well once the user's `valid_from` is another one than `locator`. For a login,
  // which rests on a password that may have been changed while it was compared.
  bool checks_floor = false;
  // Counted from the moment of issue; 0: the server's setting, or what the policies leave of it.
  // Out, where it was longer than they allow: the longest. Ignored for personal tokens.
  std::int64_t lifetime_ms = 0;
  std::array<std::uint8_t, 16> address{};
  // In, if its request carries an Idempotency-Key: the operations of one request leave in the order
  // of its items.
  KeyedRequest* keyed = nullptr;
  TokenText token{};  // shown once, never stored
  // Out. In, where `checks_floor`, that floor; else the token that the issuer showed, or empty:
  // `refused` once everybody's as old as it have been revoked, so that it does not live on in
  // another. One room for all, because a login has no more.
  Locator locator;
  std::int64_t expires_ms = 0;
  Digest digest{};

 protected:
  explicit IssueToken(WriteKind write_kind) noexcept : Write(write_kind) {}
};

// A named token that never expires and is not counted in the limit of the dated ones. Fails with
// not_found and refused as IssueToken, and for the reasons of `refusal` with not_found, exists and
// refused.
struct IssuePersonalToken : IssueToken {
  IssuePersonalToken() noexcept : IssueToken(WriteKind::issue_personal_token) {
    token_kind = TokenKind::personal;
  }
  std::string name;  // of at most kPersonalTokenNameBytesMax; compared byte for byte
  // Replaces the user's token of this name, which ends in the same write, and takes its
  // `bypass_two_factor` over; else the name must be free.
  bool regenerate = false;
  bool bypass_two_factor = false;

  enum class Refusal : std::uint8_t { none, unknown_name, name_taken, too_many };
  Refusal refusal = Refusal::none;
};

// Fails with not_found when the user has no token of this name.
struct RemovePersonalToken : AuditedWrite {
  RemovePersonalToken() noexcept : AuditedWrite(WriteKind::remove_personal_token) {}
  UserId user;
  std::string name;
};

// Idempotent: a token that is gone already is a success.
struct RevokeToken : AuditedWrite {
  RevokeToken() noexcept : AuditedWrite(WriteKind::revoke_token) {}
  UserId user;
  Locator locator;
  TokenKind token_kind = TokenKind::issued;
  AuditEvent audited_as = AuditEvent::token_revoke;  // or logout
};

// Every token that an issuer issued, or everybody's, in one write (store/revocation_floors.h).
// Fails with `invalid` where neither is given, and with `full` at the limit of issuers.
struct RevokeTokens : AuditedWrite {
  RevokeTokens() noexcept : AuditedWrite(WriteKind::revoke_tokens) {}
  // Need not exist, or not any more. Empty: everybody's, logins and personal ones too.
  UserId issuer;
  // Of these, what was issued before; none: up to now. What lies in the future is now; so is the
  // last minute while the clock lies behind the last issue, because it was set back.
  std::optional<std::int64_t> before_ms;

  Locator below;  // out: tokens below this one are revoked
};

// A token whose record is to be removed because a floor has revoked it.
struct RevokedToken {
  Locator locator;
  UserId user;
  TokenKind kind = TokenKind::login;
};

// The store's own: removes what no core takes any more.
struct RemoveRevoked : Write {
  RemoveRevoked() noexcept : Write(WriteKind::remove_revoked) {}
  std::vector<RevokedToken> tokens;
  // With the last of these: the floors below which nothing is left.
  SharedFloors swept;
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

// A dated token that the committer's index does not have yet.
struct UnindexedToken {
  Locator locator;
  UserId user;
  std::int64_t expires_ms = 0;
};

// The store's own: reads a page of them (store/token_load.h), in the order of issue.
struct ReadTokens : BlockingOperation {
  Locator from;
  Locator end;  // those from here on are in the index
  SharedFloors floors;

  std::vector<UnindexedToken> tokens;
  bool complete = false;  // nothing is left behind these
  Locator next;           // where the next page begins, if there is one
  std::uint64_t undecodable = 0;
};

// The store's own: takes such a page into the index. What is beyond its user's limit is removed.
struct IndexTokens : Write {
  IndexTokens() noexcept : Write(WriteKind::index_tokens) {}
  std::vector<UnindexedToken> tokens;
  Locator next;  // what is left begins here
  bool complete = false;

  bool is_stale = false;    // out: nothing was done, the page has to be read again
  std::size_t indexed = 0;  // out: of them, how many were alive
};

// Which name of a user is another's.
enum class UserConflict : std::uint8_t { none, username, email };

// Makes the id and the times; `user.roles` empty means the role `user`. Fails with `exists`
// (conflict says of what), or `invalid`.
struct CreateUser : AuditedWrite {
  CreateUser() noexcept : AuditedWrite(WriteKind::create_user) {}
  User user;  // in and out

  UserConflict conflict = UserConflict::none;
};

// What an UpdateUser seldom changes.
struct ProfileChanges {
  std::optional<std::string> username;
  std::optional<std::string> name;
  // Becomes the only address, not verified, unless it is the first one already.
  std::optional<std::string> email;
  std::optional<bool> email_verified;  // of the first address, after the change
  std::optional<bool> require_password_change;
  std::optional<RoleSet> roles;  // all of them
};

// Changes what is set, and nothing else, in one write. Fails with not_found, `exists` (conflict
// says of what), `invalid` (a name, an address or a role that may not be), and with `refused` when
// the last active admin would be gone. Deactivating revokes every token.
struct UpdateUser : AuditedWrite {
  UpdateUser() noexcept : AuditedWrite(WriteKind::update_user) {}
  UserId id;
  std::optional<bool> active;
  std::optional<std::string> password_hash;  // of HashPassword
  std::unique_ptr<ProfileChanges> profile;   // as a rule none
  RoleSet add_roles;
  RoleSet remove_roles;
  // Revokes every token of the user (dated and personal), or all but `revoke_except`.
  bool revoke_tokens = false;
  // Of these the dated ones only.
  bool revoke_dated_only = false;
  Locator revoke_except;
  TokenKind revoke_except_kind = TokenKind::login;

  User user;  // out: as it is now
  UserConflict conflict = UserConflict::none;
};

// The user, its names and all of its tokens. Fails with not_found and refused as UpdateUser.
struct DeleteUser : AuditedWrite {
  DeleteUser() noexcept : AuditedWrite(WriteKind::delete_user) {}
  UserId id;
};

// Which valid tokens a user holds, ascending: the committer's index knows. Whatever stands there is
// durable when the answer comes. Fails with not_found when there is no such user, and with full
// while the index is being loaded.
struct CollectTokens : Write {
  CollectTokens() noexcept : Write(WriteKind::collect_tokens) {}
  UserId user;

  std::vector<Locator> tokens;
  std::vector<PersonalToken> personal_tokens;  // more about those of `tokens` that are personal
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

struct UpdatePermissions : AuditedWrite {
  UpdatePermissions() noexcept : AuditedWrite(WriteKind::update_permissions) {}
  struct Change {
    Permission permission;
    RoleSet roles;
  };
  std::vector<Change> changes;
};

// Each replaces the whole policy of its role. Counts on every core before the continuation runs.
// Fails with `invalid`.
struct UpdatePolicies : AuditedWrite {
  UpdatePolicies() noexcept : AuditedWrite(WriteKind::update_policies) {}
  struct Change {
    Role role;
    IssuingPolicy policy;  // out: `updated_ms`
  };
  std::vector<Change> changes;
};

// Counts on every core before the continuation runs. Fails with `invalid`, and with `refused` when
// the operator has given the setting.
struct UpdateSetting : AuditedWrite {
  UpdateSetting() noexcept : AuditedWrite(WriteKind::update_setting) {}
  SettingKey key = SettingKey::count_;
  SettingValue value;
};

// What a core has put aside for the audit. Never fails but as every write.
struct RecordAudit : Write {
  RecordAudit() noexcept : Write(WriteKind::record_audit) {}
  AuditPile pile;
};

// ---- Passwords. bcrypt of the hex SHA-256 of the password, on a bounded pool; `full` at its
// limit.

struct HashPassword : BlockingOperation {
  std::string sha256_hex;     // in; wiped
  std::string password_hash;  // out
};

// Also run for unknown users, against a fixed hash, so that time does not tell who exists.
struct VerifyPassword : BlockingOperation {
  std::string sha256_hex;     // in; wiped
  std::string password_hash;  // in; empty: nobody's, the answer is false
  bool matches = false;       // out
};

}  // namespace tokend::store
