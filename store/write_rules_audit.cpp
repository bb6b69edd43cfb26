// The audit's part of store/write_rules.h: what a change leaves there, in the batch that makes it.
// Its keys are locators as the tokens' are, so that all of the audit is in one order.

#include <string>
#include <string_view>

#include "store/issuing_policy.h"
#include "store/meta.h"
#include "store/write_rules.h"

namespace tokend::store {
namespace {

std::string text_of(RoleSet roles) {
  std::string text;
  append_ids(roles, text);
  return text;
}

std::string text_of(const SettingValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  return std::get<std::string>(value);
}

std::string text_of(const IssuingPolicy& policy) {
  std::string text;
  if (policy.target_roles) text += " targetRoles=" + text_of(*policy.target_roles);
  if (policy.exclude_admins) text += " excludeAdmins";
  if (policy.lifetime_ms_max > 0) {
    text += " lifetimeMax=" + std::to_string(policy.lifetime_ms_max) + "ms";
  }
  if (policy.is_rated()) {
    text += " rateLimit=" + std::to_string(policy.tokens_max) + "/" +
            std::to_string(policy.window_ms) + "ms";
  }
  return text.empty() ? " nothing" : text;
}

// Which fields, not what is in them.
std::string names_of(const ProfileChanges& changes) {
  std::string names;
  const auto add = [&names](bool changed, std::string_view name) {
    if (!changed) return;
    if (!names.empty()) names += ',';
    names += name;
  };
  add(changes.username.has_value(), "username");
  add(changes.name.has_value(), "name");
  add(changes.email.has_value(), "email");
  add(changes.email_verified.has_value(), "verified");
  add(changes.require_password_change.has_value(), "requirePasswordChange");
  return names;
}

}  // namespace

void WriteRules::record(const AuditRecord& record) {
  audit_value_.clear();
  encode(record, audit_value_);
  batch_->put(Family::audit, view_of(locators_.next(now_ms_)), audit_value_);
}

void WriteRules::record(const Write& operation) {
  AuditRecord entry;
  switch (operation.kind) {
    case WriteKind::issue_token:
    case WriteKind::issue_personal_token:  // by their own records
    case WriteKind::remove_revoked:        // by what revoked them
    case WriteKind::index_tokens:
    case WriteKind::collect_tokens: return;
    case WriteKind::record_audit: return record(static_cast<const RecordAudit&>(operation));
    case WriteKind::update_user: return record(static_cast<const UpdateUser&>(operation));
    default: entry.origin = static_cast<const AuditedWrite&>(operation).origin;
  }
  switch (operation.kind) {
    case WriteKind::revoke_token: {
      const auto& revoked = static_cast<const RevokeToken&>(operation);
      entry.event = revoked.audited_as;
      entry.target = revoked.user;
      entry.token = revoked.locator;
      return record(entry);
    }
    case WriteKind::revoke_tokens: {
      const auto& revoked = static_cast<const RevokeTokens&>(operation);
      entry.event = AuditEvent::tokens_revoke_bulk;
      entry.target = revoked.issuer;
      if (revoked.before_ms) {
        entry.details = audit_details("before " + std::to_string(*revoked.before_ms) + "ms");
      }
      return record(entry);
    }
    case WriteKind::remove_personal_token: {
      const auto& removed = static_cast<const RemovePersonalToken&>(operation);
      entry.event = AuditEvent::personal_token_remove;
      entry.target = removed.user;
      entry.details = audit_details(removed.name);
      return record(entry);
    }
    case WriteKind::create_user: {
      const User& user = static_cast<const CreateUser&>(operation).user;
      entry.event = AuditEvent::user_create;
      entry.target = user.id;
      entry.details = audit_details(user.username);
      return record(entry);
    }
    case WriteKind::delete_user:
      entry.event = AuditEvent::user_delete;
      entry.target = static_cast<const DeleteUser&>(operation).id;
      entry.count = counted_revoked();
      return record(entry);
    case WriteKind::update_permissions:
      entry.event = AuditEvent::permission_update;
      for (const auto& change : static_cast<const UpdatePermissions&>(operation).changes) {
        entry.details = audit_details(std::string(id_of(change.permission)) +
                                      " roles=" + text_of(change.roles));
        record(entry);
      }
      return;
    case WriteKind::update_policies:
      entry.event = AuditEvent::policy_update;
      for (const auto& change : static_cast<const UpdatePolicies&>(operation).changes) {
        entry.details = audit_details(std::string(id_of(change.role)) + text_of(change.policy));
        record(entry);
      }
      return;
    case WriteKind::update_setting: {
      const auto& changed = static_cast<const UpdateSetting&>(operation);
      entry.event = AuditEvent::setting_update;
      entry.details = audit_details(std::string(id_of(changed.key)) + "=" + text_of(changed.value));
      return record(entry);
    }
    default: CHECK(false);
  }
}

// One record for each kind of change, so that each is found by its own name.
void WriteRules::record(const UpdateUser& operation) {
  AuditRecord entry;
  entry.origin = operation.origin;
  entry.target = operation.id;
  if (operation.profile) {
    if (const std::string names = names_of(*operation.profile); !names.empty()) {
      entry.event = AuditEvent::user_update;
      entry.details = audit_details(names);
      record(entry);
    }
  }
  if (!operation.add_roles.empty() || !operation.remove_roles.empty() ||
      (operation.profile && operation.profile->roles)) {
    entry.event = AuditEvent::roles_change;
    entry.details = audit_details(text_of(operation.user.roles));
    record(entry);
  }
  entry.details = {};
  // What ended with it is told once, by the last of the three.
  if (operation.password_hash) {
    entry.event = AuditEvent::password_change;
    record(entry);
  }
  entry.count = counted_revoked();
  if (operation.active) {
    entry.event = *operation.active ? AuditEvent::user_activate : AuditEvent::user_deactivate;
    record(entry);
  } else if (operation.revoke_tokens) {
    entry.event = AuditEvent::tokens_revoke;
    record(entry);
  }
}

void WriteRules::record(const RecordAudit& operation) {
  for (const AuditRecord& entry : operation.pile.records()) record(entry);
  for (std::size_t i = 0; i < kAuditEventCount; ++i) {
    const auto event = static_cast<AuditEvent>(i);
    const std::uint32_t dropped = operation.pile.dropped(event);
    if (dropped == 0) continue;
    AuditRecord entry;
    entry.event = AuditEvent::dropped;
    entry.count = dropped;
    entry.details = audit_details(id_of(event));
    record(entry);
  }
}

}  // namespace tokend::store
