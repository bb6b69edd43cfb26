#pragma once
// The audit: who did what, for whom, from where, and why it was refused. It holds no secret, and
// nothing that a client typed where a name was unknown: people type passwords there.
//
// Two families hold it, both under locators, so that one order is the order of everything. Issued
// tokens are in `issuances`, which the database derives from what makes a token durable anyway
// (store/database.h), so recording them costs the path of a request nothing and none is ever left
// out. Everything else is in `audit`: what the committer changes goes there in the batch that
// changes it; what never reaches it (refusals, resumed logins) comes from the cores' buffers
// (store/audit_pile.h), where what is too much is counted instead.
//
// Concurrency: values and pure functions.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/fixed_string.h"
#include "store/address.h"
#include "store/token.h"

namespace tokend::store {

// The values are at rest: new ones go to the end.
enum class AuditEvent : std::uint8_t {
  login,
  token_issue,
  personal_token_issue,
  resume,  // a login by an existing token
  logout,
  token_revoke,
  tokens_revoke,  // all of a user, or all but one
  personal_token_remove,
  user_create,
  user_update,
  user_activate,
  user_deactivate,
  user_delete,
  password_change,
  roles_change,
  permission_update,
  policy_update,
  setting_update,
  call,                // of a route that does none of the above; only where it was refused
  dropped,             // so many events of one kind were too many to record
  tokens_revoke_bulk,  // all that the target issued, or everybody's
  token_replay,        // issued tokens that a repetition with an Idempotency-Key was given again
  count_,
};
inline constexpr std::size_t kAuditEventCount = static_cast<std::size_t>(AuditEvent::count_);

// Why something was refused, also where the wire does not tell. The values are at rest.
enum class AuditReason : std::uint8_t {
  none,  // it was not
  feature_off,
  secret_missing,
  secret_wrong,
  no_permission,
  target_unknown,
  target_inactive,
  policy_target_roles,
  policy_admins,
  policy_lifetime,
  policy_rate,
  rate_limit,
  user_unknown,
  user_inactive,
  password_wrong,
  token_invalid,
  name_blocked,
  address_blocked,
  last_admin,
  caller_revoked,  // the token that was shown, while the call was under way
  count_,
};
inline constexpr std::size_t kAuditReasonCount = static_cast<std::size_t>(AuditReason::count_);

[[nodiscard]] std::string_view id_of(AuditEvent event) noexcept;  // "token-issue"
[[nodiscard]] std::optional<AuditEvent> audit_event_of(std::string_view id) noexcept;
[[nodiscard]] std::string_view id_of(AuditReason reason) noexcept;  // "secret-wrong"
// For the log: "the secret is wrong".
[[nodiscard]] std::string_view description_of(AuditReason reason) noexcept;

// A retention.
inline constexpr std::int64_t kAuditKeptForEver = INT64_MAX;

// By whom and from where. Nobody: tokenctl, or somebody who was not logged in.
struct Origin {
  UserId actor;
  Address address{};
};

inline constexpr std::size_t kAuditDetailsBytesMax = 127;
using AuditDetails = core::FixedString<kAuditDetailsBytesMax>;
// As much of `text` as fits without cutting a character.
[[nodiscard]] AuditDetails audit_details(std::string_view text) noexcept;

struct AuditRecord {
  AuditEvent event = AuditEvent::call;
  AuditReason reason = AuditReason::none;
  Origin origin;
  UserId target;  // empty: nobody
  Locator token;  // empty: none in particular
  // Of tokens; where `dropped`, of events; of a refusal, how often it came in a moment (0: once).
  std::uint32_t count = 0;
  AuditDetails details;  // what was changed: the id of a setting and its value, a name
  // Of an issued token only; that is in its own family.
  std::int64_t expires_ms = 0;
};

// The value in `audit`. Appends to `out`; never fails.
void encode(const AuditRecord& record, std::string& out);
[[nodiscard]] core::Result<AuditRecord> decode_audit_record(std::string_view bytes);
// Of an entry of `issuances`.
[[nodiscard]] core::Result<AuditRecord> decode_issuance(const Locator& token,
                                                        std::string_view bytes);

}  // namespace tokend::store
