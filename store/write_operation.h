#pragma once
// What a core asks the committer, or one of its shards, to write, or what only the committer's
// index knows. It is durable before the continuation runs; revocations are acknowledged by all
// cores as well.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/audit.h"
#include "store/audit_pile.h"
#include "store/issuing_policy.h"
#include "store/operation.h"
#include "store/permission.h"
#include "store/personal_token.h"
#include "store/revocation_floors.h"
#include "store/setting.h"
#include "store/token.h"
#include "store/user.h"

namespace tokend::store {

struct KeyedRequest;

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

// A dated token that the committer's index does not have yet.
struct UnindexedToken {
  Locator locator;
  UserId user;
  std::int64_t expires_ms = 0;
};

// The store's own: takes a page of them (ReadTokens) into the index. What is beyond its user's
// limit is removed.
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

}  // namespace tokend::store
