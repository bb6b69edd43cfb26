// The policies' part of store/write_rules.h: what bounds an issuer, and how that is changed.

#include "store/meta.h"
#include "store/write_rules.h"

namespace tokend::store {
namespace {

using core::Errc;

// Whoever holds one of these can become an admin: by giving itself the role or the permissions, by
// setting an admin's password, or by lifting the policies.
constexpr Permission kLeadingToAdmin[] = {
    Permission::access_permissions,    Permission::assign_roles,
    Permission::assign_admin_role,     Permission::edit_other_user_password,
    Permission::edit_issuing_policies,
};

}  // namespace

core::Result<void> WriteRules::load_policies() {
  for (std::size_t i = 0; i < kRoleCount; ++i) {
    const auto role = static_cast<Role>(i);
    const auto found = database_.get(Family::permissions, policy_key(role), Reach::disk, value_);
    if (!found) return std::unexpected(found.error());
    if (*found != Found::yes) continue;
    const auto policy = decode_policy(value_);
    if (!policy) return core::fail(Errc::corrupt, "an issuing policy's record does not decode");
    policies_.set(role, *policy);
  }
  return {};
}

WriteRules::Outcome WriteRules::update(UpdatePolicies& operation, Broadcast& broadcast) {
  for (const UpdatePolicies::Change& change : operation.changes) {
    if (change.role >= Role::count_ || !is_valid(change.policy)) {
      return std::unexpected(Errc::invalid);
    }
  }
  for (UpdatePolicies::Change& change : operation.changes) {
    change.policy.updated_ms = now_ms_;
    policies_.set(change.role, change.policy);
    value_.clear();
    encode(change.policy, value_);
    batch_->put(Family::permissions, policy_key(change.role), value_);
  }
  broadcast.policies_changed = true;
  broadcast.policies = policies_;
  return {};
}

// A token for an issuer without this bound is a way to an admin's in two steps.
bool WriteRules::leads_to_admin(RoleSet roles) const noexcept {
  if (roles.has(Role::admin)) return true;
  for (const Permission permission : kLeadingToAdmin) {
    if (permissions_.allows(roles, permission)) return true;
  }
  return permissions_.allows(roles, Permission::user_generate_access_token) &&
         !policies_.bounds_of(roles).exclude_admins;
}

// An issuer is no stranger to itself: of its own tokens only the lifetime is bounded.
WriteRules::Outcome WriteRules::keep_bounds(IssueToken& operation, std::int64_t& lifetime_ms) {
  const IssuingBounds bounds = policies_.bounds_of(operation.issuer_roles);
  if (operation.user != operation.issuer && (bounds.target_roles || bounds.exclude_admins)) {
    const auto target = read_user(operation.user);
    if (!target) return std::unexpected(target.error());
    if (!bounds.covers(target->roles)) {
      operation.broken_bound = BrokenBound::target_roles;
      return std::unexpected(Errc::refused);
    }
    if (bounds.exclude_admins && leads_to_admin(target->roles)) {
      operation.broken_bound = BrokenBound::admins;
      return std::unexpected(Errc::refused);
    }
  }
  if (bounds.lifetime_ms_max > 0 && lifetime_ms > bounds.lifetime_ms_max) {
    if (operation.lifetime_ms > 0) {
      operation.broken_bound = BrokenBound::lifetime;
      operation.lifetime_ms = bounds.lifetime_ms_max;
      return std::unexpected(Errc::refused);
    }
    lifetime_ms = bounds.lifetime_ms_max;
  }
  return {};
}

}  // namespace tokend::store
