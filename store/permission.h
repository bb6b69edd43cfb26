#pragma once
// Roles and permissions. The roles are the original's default ones; a user's roles are a set of
// bits. Which roles hold a permission can be changed (permissions.update) and is durable; every
// core has its own copy of the table, so a check is two loads and an AND.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tokend::store {

enum class Role : std::uint8_t {
  admin,
  moderator,
  leader,
  owner,
  user,
  bot,
  app,
  guest,
  anonymous,
  livechat_agent,
  livechat_manager,
  count_,
};
inline constexpr std::size_t kRoleCount = static_cast<std::size_t>(Role::count_);

// A role's id is its name on the wire, its description what roles.list says.
[[nodiscard]] std::string_view id_of(Role role) noexcept;
[[nodiscard]] std::string_view description_of(Role role) noexcept;
[[nodiscard]] std::string_view scope_of(Role role) noexcept;  // "Users" or "Subscriptions"
[[nodiscard]] std::optional<Role> role_of(std::string_view id) noexcept;

class RoleSet {
 public:
  constexpr RoleSet() noexcept = default;
  constexpr explicit RoleSet(std::uint64_t bits) noexcept : bits_(bits) {}
  constexpr RoleSet(std::initializer_list<Role> roles) noexcept {
    for (const Role role : roles) add(role);
  }
  constexpr void add(Role role) noexcept { bits_ |= bit(role); }
  constexpr void remove(Role role) noexcept { bits_ &= ~bit(role); }
  [[nodiscard]] constexpr bool has(Role role) const noexcept { return bits_ & bit(role); }
  [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
  [[nodiscard]] constexpr std::uint64_t bits() const noexcept { return bits_; }
  [[nodiscard]] constexpr bool intersects(RoleSet other) const noexcept {
    return bits_ & other.bits_;
  }
  friend constexpr bool operator==(RoleSet, RoleSet) noexcept = default;

 private:
  static constexpr std::uint64_t bit(Role role) noexcept {
    return std::uint64_t{1} << static_cast<unsigned>(role);
  }
  std::uint64_t bits_ = 0;
};
// Their ids in the order of the enumeration, with commas between them.
void append_ids(RoleSet roles, std::string& out);

enum class Permission : std::uint8_t {
  user_generate_access_token,
  create_personal_access_tokens,
  api_bypass_rate_limit,
  create_user,
  delete_user,
  edit_other_user_active_status,
  logout_other_user,
  view_full_other_user_info,
  access_permissions,
  edit_other_user_info,
  edit_other_user_password,
  assign_roles,
  assign_admin_role,
  view_privileged_setting,
  edit_privileged_setting,
  introspect_tokens,      // beyond the original: of anybody's tokens
  edit_issuing_policies,  // beyond the original: store/issuing_policy.h; reading them too
  revoke_tokens_in_bulk,  // beyond the original: of an issuer, or everybody's
  view_audit,             // beyond the original: store/audit.h
  count_,
};
inline constexpr std::size_t kPermissionCount = static_cast<std::size_t>(Permission::count_);

[[nodiscard]] std::string_view id_of(Permission permission) noexcept;
[[nodiscard]] RoleSet default_roles_of(Permission permission) noexcept;  // contract section 3
[[nodiscard]] std::optional<Permission> permission_of(std::string_view id) noexcept;

struct PermissionTable {
  struct Entry {
    RoleSet roles;
    std::int64_t updated_ms = 0;
  };
  std::array<Entry, kPermissionCount> entries{};

  [[nodiscard]] const Entry& operator[](Permission permission) const noexcept {
    return entries[static_cast<std::size_t>(permission)];
  }
  [[nodiscard]] Entry& operator[](Permission permission) noexcept {
    return entries[static_cast<std::size_t>(permission)];
  }
  [[nodiscard]] bool allows(RoleSet roles, Permission permission) const noexcept {
    return (*this)[permission].roles.intersects(roles);
  }
};

}  // namespace tokend::store
