#include "store/audit.h"

#include "store/address.h"
#include "store/bytes.h"

// AuditRecord, version 1. Integers are little-endian; text8 is a length byte and as many bytes.
//
//   version: 1; event; reason (0: not refused); flags: 0x01 actor, 0x02 IPv4 address, 0x04 IPv6
//   address, 0x08 target, 0x10 token, 0x20 count, 0x40 details; then what the flags name: actor
//   text8, address of 4 or 16 bytes, target text8, the token's locator (12), u32 count, details
//   text8
//
// An issued token's entry in `issuances` is specified in store/token.cpp.

namespace tokend::store {
namespace {

constexpr std::uint8_t kRecordVersion = 1;
constexpr std::uint8_t kHasActor = 0x01;
constexpr std::uint8_t kHasIpv4 = 0x02;
constexpr std::uint8_t kHasIpv6 = 0x04;
constexpr std::uint8_t kHasTarget = 0x08;
constexpr std::uint8_t kHasToken = 0x10;
constexpr std::uint8_t kHasCount = 0x20;
constexpr std::uint8_t kHasDetails = 0x40;

struct EventRow {
  AuditEvent event;
  std::string_view id;
};

constexpr std::array<EventRow, kAuditEventCount> kEvents = {{
    {AuditEvent::login, "login"},
    {AuditEvent::token_issue, "token-issue"},
    {AuditEvent::personal_token_issue, "personal-token-issue"},
    {AuditEvent::resume, "resume"},
    {AuditEvent::logout, "logout"},
    {AuditEvent::token_revoke, "token-revoke"},
    {AuditEvent::tokens_revoke, "tokens-revoke"},
    {AuditEvent::personal_token_remove, "personal-token-remove"},
    {AuditEvent::user_create, "user-create"},
    {AuditEvent::user_update, "user-update"},
    {AuditEvent::user_activate, "user-activate"},
    {AuditEvent::user_deactivate, "user-deactivate"},
    {AuditEvent::user_delete, "user-delete"},
    {AuditEvent::password_change, "password-change"},
    {AuditEvent::roles_change, "roles-change"},
    {AuditEvent::permission_update, "permission-update"},
    {AuditEvent::policy_update, "policy-update"},
    {AuditEvent::setting_update, "setting-update"},
    {AuditEvent::call, "call"},
    {AuditEvent::dropped, "dropped"},
    {AuditEvent::tokens_revoke_bulk, "tokens-revoke-bulk"},
    {AuditEvent::token_replay, "token-replay"},
}};

struct ReasonRow {
  AuditReason reason;
  std::string_view id;
  std::string_view description;
};

constexpr std::array<ReasonRow, kAuditReasonCount> kReasons = {{
    {AuditReason::none, "none", "nothing"},
    {AuditReason::feature_off, "feature-off", "issuing tokens is not enabled"},
    {AuditReason::secret_missing, "secret-missing", "no secret was given"},
    {AuditReason::secret_wrong, "secret-wrong", "the secret is wrong"},
    {AuditReason::no_permission, "no-permission", "no permission"},
    {AuditReason::target_unknown, "target-unknown", "there is no such target"},
    {AuditReason::target_inactive, "target-inactive", "the target is inactive"},
    {AuditReason::policy_target_roles, "policy-target-roles",
     "the issuing policy does not cover the target's roles"},
    {AuditReason::policy_admins, "policy-admins", "the issuing policy excludes admins"},
    {AuditReason::policy_lifetime, "policy-lifetime",
     "the issuing policy does not allow the lifetime"},
    {AuditReason::policy_rate, "policy-rate", "the rate of the issuing policy is spent"},
    {AuditReason::rate_limit, "rate-limit", "too many requests"},
    {AuditReason::user_unknown, "user-unknown", "there is no such user"},
    {AuditReason::user_inactive, "user-inactive", "the user is inactive"},
    {AuditReason::password_wrong, "password-wrong", "the password is wrong"},
    {AuditReason::token_invalid, "token-invalid", "the token is not valid"},
    {AuditReason::name_blocked, "name-blocked", "too many failures for this name"},
    {AuditReason::address_blocked, "address-blocked", "too many failures from this address"},
    {AuditReason::last_admin, "last-admin", "the last active admin must remain"},
    {AuditReason::caller_revoked, "caller-revoked", "the caller's token was revoked meanwhile"},
}};

// The rows stand in the order of the enumerations, so an index is a value.
constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < kAuditEventCount; ++i) {
    if (static_cast<std::size_t>(kEvents[i].event) != i) return false;
  }
  for (std::size_t i = 0; i < kAuditReasonCount; ++i) {
    if (static_cast<std::size_t>(kReasons[i].reason) != i) return false;
  }
  return true;
}
static_assert(rows_are_in_order());

}  // namespace

std::string_view id_of(AuditEvent event) noexcept {
  CHECK(event < AuditEvent::count_);
  return kEvents[static_cast<std::size_t>(event)].id;
}

std::optional<AuditEvent> audit_event_of(std::string_view id) noexcept {
  for (const EventRow& row : kEvents) {
    if (row.id == id) return row.event;
  }
  return std::nullopt;
}

std::string_view id_of(AuditReason reason) noexcept {
  CHECK(reason < AuditReason::count_);
  return kReasons[static_cast<std::size_t>(reason)].id;
}

std::string_view description_of(AuditReason reason) noexcept {
  CHECK(reason < AuditReason::count_);
  return kReasons[static_cast<std::size_t>(reason)].description;
}

AuditDetails audit_details(std::string_view text) noexcept {
  if (!AuditDetails::fits(text)) {
    std::size_t end = AuditDetails::kCapacity;
    // The first byte that is left out begins a character.
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end);
  }
  return AuditDetails(text);
}

void encode(const AuditRecord& record, std::string& out) {
  const AddressForm address = form_of(record.origin.address);
  const auto flag = [](bool set, std::uint8_t bit) { return set ? unsigned{bit} : 0U; };
  Writer writer(out);
  writer.u8(kRecordVersion);
  writer.u8(static_cast<std::uint8_t>(record.event));
  writer.u8(static_cast<std::uint8_t>(record.reason));
  writer.u8(static_cast<std::uint8_t>(
      flag(!record.origin.actor.empty(), kHasActor) | flag(address == AddressForm::ipv4, kHasIpv4) |
      flag(address == AddressForm::ipv6, kHasIpv6) | flag(!record.target.empty(), kHasTarget) |
      flag(!record.token.empty(), kHasToken) | flag(record.count != 0, kHasCount) |
      flag(!record.details.empty(), kHasDetails)));
  if (!record.origin.actor.empty()) writer.text8(record.origin.actor.view());
  write_address(writer, record.origin.address);
  if (!record.target.empty()) writer.text8(record.target.view());
  if (!record.token.empty()) writer.bytes(record.token.bytes);
  if (record.count != 0) writer.u32(record.count);
  if (!record.details.empty()) writer.text8(record.details.view());
}

core::Result<AuditRecord> decode_audit_record(std::string_view bytes) {
  Reader reader(bytes);
  AuditRecord record;
  const std::uint8_t version = reader.u8();
  record.event = static_cast<AuditEvent>(reader.u8());
  record.reason = static_cast<AuditReason>(reader.u8());
  const std::uint8_t flags = reader.u8();
  if (flags & kHasActor) record.origin.actor = reader.fixed<UserId>();
  record.origin.address = read_address(reader, flags & kHasIpv4   ? AddressForm::ipv4
                                               : flags & kHasIpv6 ? AddressForm::ipv6
                                                                  : AddressForm::none);
  if (flags & kHasTarget) record.target = reader.fixed<UserId>();
  if (flags & kHasToken) reader.bytes(record.token.bytes);
  if (flags & kHasCount) record.count = reader.u32();
  if (flags & kHasDetails) record.details = reader.fixed<AuditDetails>();
  if (!reader.complete() || version != kRecordVersion || record.event >= AuditEvent::count_ ||
      record.reason >= AuditReason::count_ ||
      (flags & (kHasIpv4 | kHasIpv6)) == (kHasIpv4 | kHasIpv6)) {
    return core::fail(core::Errc::corrupt, "a record of the audit does not decode");
  }
  return record;
}

core::Result<AuditRecord> decode_issuance(const Locator& token, std::string_view bytes) {
  const auto issued = decode_issuance_record(bytes);
  if (!issued) return std::unexpected(issued.error());
  AuditRecord record;
  switch (issued->kind) {
    case TokenKind::login: record.event = AuditEvent::login; break;
    case TokenKind::issued: record.event = AuditEvent::token_issue; break;
    case TokenKind::personal: record.event = AuditEvent::personal_token_issue; break;
  }
  record.origin = {issued->issuer, issued->address};
  record.target = issued->user;
  record.token = token;
  record.details = audit_details(issued->name);
  record.expires_ms = issued->expires_ms;
  return record;
}

}  // namespace tokend::store
