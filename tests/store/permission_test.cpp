#include "store/permission.h"

#include <gtest/gtest.h>

namespace tokend::store {
namespace {

TEST(Permissions, HaveTheDefaultRolesOfTheContract) {
  EXPECT_EQ(default_roles_of(Permission::user_generate_access_token), RoleSet{Role::admin});
  EXPECT_EQ(default_roles_of(Permission::create_personal_access_tokens),
            (RoleSet{Role::admin, Role::user}));
  EXPECT_EQ(default_roles_of(Permission::api_bypass_rate_limit),
            (RoleSet{Role::admin, Role::bot, Role::app}));
  for (const Permission only_admin :
       {Permission::create_user, Permission::delete_user, Permission::edit_other_user_active_status,
        Permission::logout_other_user, Permission::view_full_other_user_info,
        Permission::access_permissions}) {
    EXPECT_EQ(default_roles_of(only_admin), RoleSet{Role::admin});
  }
}

TEST(Permissions, AndRolesAreFoundByTheirIds) {
  for (std::size_t i = 0; i < kPermissionCount; ++i) {
    const auto permission = static_cast<Permission>(i);
    EXPECT_EQ(permission_of(id_of(permission)), permission);
  }
  for (std::size_t i = 0; i < kRoleCount; ++i) {
    const auto role = static_cast<Role>(i);
    EXPECT_EQ(role_of(id_of(role)), role);
  }
  EXPECT_EQ(permission_of("fly"), std::nullopt);
  EXPECT_EQ(role_of("Admin"), std::nullopt);
}

TEST(PermissionTable, AllowsWhoeverHoldsOneOfItsRoles) {
  PermissionTable table;
  table[Permission::create_user].roles = RoleSet{Role::bot, Role::app};
  EXPECT_TRUE(table.allows(RoleSet{Role::user, Role::app}, Permission::create_user));
  EXPECT_FALSE(table.allows(RoleSet{Role::user, Role::admin}, Permission::create_user));
  EXPECT_FALSE(table.allows(RoleSet{}, Permission::create_user));
}

}  // namespace
}  // namespace tokend::store
