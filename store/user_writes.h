#pragma once
// Writing a user and all that is derived from it (names, e-mails, roles' members), in one place for
// the committer and for the first start. Works on anything with put() and remove().

#include <string>
#include <string_view>
#include <vector>

#include "store/database.h"
#include "store/meta.h"
#include "store/user.h"

namespace tokend::store {

[[nodiscard]] inline std::vector<std::string> folded_addresses(const User& user) {
  std::vector<std::string> addresses;
  for (const Email& email : user.emails) addresses.push_back(fold(email.address));
  return addresses;
}

template <class Target>
void put_user(Target& target, const User& user) {
  std::string record;
  encode(user, record);
  target.put(Family::users, user.id.view(), record);
}

// Only what differs between the two sets is written.
template <class Target>
void change_members(Target& target, const UserId& user, RoleSet before, RoleSet after) {
  for (std::size_t i = 0; i < kRoleCount; ++i) {
    const auto role = static_cast<Role>(i);
    if (after.has(role) && !before.has(role))
      target.put(Family::members, member_key(role, user), {});
    if (before.has(role) && !after.has(role))
      target.remove(Family::members, member_key(role, user));
  }
}

template <class Target>
void put_new_user(Target& target, const User& user) {
  put_user(target, user);
  target.put(Family::usernames, fold(user.username), user.id.view());
  for (const Email& email : user.emails) {
    target.put(Family::emails, fold(email.address), user.id.view());
  }
  change_members(target, user.id, {}, user.roles);
}

// Likewise, of what the user is found by.
template <class Target>
void change_names(Target& target, const User& before, const User& after) {
  const std::string old_username = fold(before.username);
  const std::string username = fold(after.username);
  if (username != old_username) {
    target.remove(Family::usernames, old_username);
    target.put(Family::usernames, username, after.id.view());
  }
  const std::vector<std::string> old_addresses = folded_addresses(before);
  const std::vector<std::string> addresses = folded_addresses(after);
  if (addresses == old_addresses) return;
  for (const std::string& address : old_addresses) target.remove(Family::emails, address);
  for (const std::string& address : addresses) {
    target.put(Family::emails, address, after.id.view());
  }
}

template <class Target>
void remove_user(Target& target, const User& user) {
  target.remove(Family::users, user.id.view());
  target.remove(Family::usernames, fold(user.username));
  for (const Email& email : user.emails) target.remove(Family::emails, fold(email.address));
  change_members(target, user.id, user.roles, {});
}

// The rules that a user must meet whoever makes it.
[[nodiscard]] inline bool is_valid(const User& user) noexcept {
  if (!is_username(user.username) || user.name.size() > kDisplayNameBytesMax ||
      user.emails.size() > kEmailsMax || user.password_hash.size() > UINT8_MAX) {
    return false;
  }
  for (const Email& email : user.emails) {
    if (!is_email(email.address)) return false;
  }
  return (user.roles.bits() >> kRoleCount) == 0;
}

}  // namespace tokend::store
