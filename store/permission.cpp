#include "store/permission.h"

#include "core/error.h"

namespace tokend::store {
namespace {

struct RoleRow {
  Role role;
  std::string_view id;
  std::string_view description;
  std::string_view scope;
};

constexpr std::array<RoleRow, kRoleCount> kRoles = {{
    {Role::admin, "admin", "Admin", "Users"},
    {Role::moderator, "moderator", "Moderator", "Subscriptions"},
    {Role::leader, "leader", "Leader", "Subscriptions"},
    {Role::owner, "owner", "Owner", "Subscriptions"},
    {Role::user, "user", "", "Users"},
    {Role::bot, "bot", "", "Users"},
    {Role::app, "app", "", "Users"},
    {Role::guest, "guest", "", "Users"},
    {Role::anonymous, "anonymous", "", "Users"},
    {Role::livechat_agent, "livechat-agent", "Livechat Agent", "Users"},
    {Role::livechat_manager, "livechat-manager", "Livechat Manager", "Users"},
}};

struct PermissionRow {
  Permission permission;
  std::string_view id;
  RoleSet roles;
};

constexpr RoleSet kAdmins{Role::admin};

constexpr std::array<PermissionRow, kPermissionCount> kPermissions = {{
    {Permission::user_generate_access_token, "user-generate-access-token", kAdmins},
    {Permission::create_personal_access_tokens, "create-personal-access-tokens",
     RoleSet{Role::admin, Role::user}},
    {Permission::api_bypass_rate_limit, "api-bypass-rate-limit",
     RoleSet{Role::admin, Role::bot, Role::app}},
    {Permission::create_user, "create-user", kAdmins},
    {Permission::delete_user, "delete-user", kAdmins},
    {Permission::edit_other_user_active_status, "edit-other-user-active-status", kAdmins},
    {Permission::logout_other_user, "logout-other-user", kAdmins},
    {Permission::view_full_other_user_info, "view-full-other-user-info", kAdmins},
    {Permission::access_permissions, "access-permissions", kAdmins},
    {Permission::edit_other_user_info, "edit-other-user-info", kAdmins},
    {Permission::edit_other_user_password, "edit-other-user-password", kAdmins},
    {Permission::assign_roles, "assign-roles", kAdmins},
    {Permission::assign_admin_role, "assign-admin-role", kAdmins},
    {Permission::view_privileged_setting, "view-privileged-setting", kAdmins},
    {Permission::edit_privileged_setting, "edit-privileged-setting", kAdmins},
    {Permission::introspect_tokens, "introspect-tokens", kAdmins},
    {Permission::edit_issuing_policies, "edit-issuing-policies", kAdmins},
    {Permission::revoke_tokens_in_bulk, "revoke-tokens-in-bulk", kAdmins},
    {Permission::view_audit, "view-audit", kAdmins},
}};

// The rows stand in the order of the enumerations, so an index is a value.
constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < kRoleCount; ++i) {
    if (static_cast<std::size_t>(kRoles[i].role) != i) return false;
  }
  for (std::size_t i = 0; i < kPermissionCount; ++i) {
    if (static_cast<std::size_t>(kPermissions[i].permission) != i) return false;
  }
  return true;
}
static_assert(rows_are_in_order());
static_assert(kRoleCount <= 64, "RoleSet holds one bit for each role");

const RoleRow& row(Role role) noexcept {
  CHECK(role < Role::count_);
  return kRoles[static_cast<std::size_t>(role)];
}

const PermissionRow& row(Permission permission) noexcept {
  CHECK(permission < Permission::count_);
  return kPermissions[static_cast<std::size_t>(permission)];
}

}  // namespace

std::string_view id_of(Role role) noexcept { return row(role).id; }
std::string_view description_of(Role role) noexcept { return row(role).description; }
std::string_view scope_of(Role role) noexcept { return row(role).scope; }

std::optional<Role> role_of(std::string_view id) noexcept {
  for (const RoleRow& candidate : kRoles) {
    if (candidate.id == id) return candidate.role;
  }
  return std::nullopt;
}

void append_ids(RoleSet roles, std::string& out) {
  const std::size_t before = out.size();
  for (const RoleRow& candidate : kRoles) {
    if (!roles.has(candidate.role)) continue;
    if (out.size() > before) out += ',';
    out += candidate.id;
  }
}

std::string_view id_of(Permission permission) noexcept { return row(permission).id; }
RoleSet default_roles_of(Permission permission) noexcept { return row(permission).roles; }

std::optional<Permission> permission_of(std::string_view id) noexcept {
  for (const PermissionRow& candidate : kPermissions) {
    if (candidate.id == id) return candidate.permission;
  }
  return std::nullopt;
}

}  // namespace tokend::store
