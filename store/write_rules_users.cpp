// The users' part of store/write_rules.h: making, changing and deleting them.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "store/user_writes.h"
#include "store/write_rules.h"

namespace tokend::store {
namespace {

using core::Errc;
using UserState = TokenIndex::UserState;

void apply(const ProfileChanges& changes, User& user) {
  if (changes.roles) user.roles = *changes.roles;
  if (changes.username) user.username = *changes.username;
  if (changes.name) user.name = *changes.name;
  if (changes.email && (user.emails.empty() || user.emails.front().address != *changes.email)) {
    user.emails.assign(1, {*changes.email, false});
  }
  if (changes.email_verified && !user.emails.empty()) {
    user.emails.front().verified = *changes.email_verified;
  }
  if (changes.require_password_change) {
    user.require_password_change = *changes.require_password_change;
  }
}

}  // namespace

WriteRules::Outcome WriteRules::create(CreateUser& operation) {
  User& user = operation.user;
  operation.conflict = UserConflict::none;
  if (!is_valid(user)) return std::unexpected(Errc::invalid);
  const auto username_taken = exists(Family::usernames, fold(user.username));
  if (!username_taken) return std::unexpected(username_taken.error());
  if (*username_taken) {
    operation.conflict = UserConflict::username;
    return std::unexpected(Errc::exists);
  }
  std::vector<std::string> addresses;
  for (const Email& email : user.emails) {
    std::string address = fold(email.address);
    const auto taken = exists(Family::emails, address);
    if (!taken) return std::unexpected(taken.error());
    if (*taken || std::ranges::find(addresses, address) != addresses.end()) {
      operation.conflict = UserConflict::email;
      return std::unexpected(Errc::exists);
    }
    addresses.push_back(std::move(address));
  }
  // 98 random bits never repeat; a generator that repeats is noticed here and not in the data.
  user.id = make_id(random_);
  const auto id_taken = exists(Family::users, user.id.view());
  if (!id_taken) return std::unexpected(id_taken.error());
  CHECK(!*id_taken);
  if (user.roles.empty()) user.roles.add(Role::user);
  user.created_ms = user.updated_ms = now_ms_;
  user.valid_from = user.valid_exception = user.dated_from = user.dated_exception = {};
  put_new_user(state_.overlay, user);
  ++users_;
  active_admins_ += is_active_admin(user);
  return {};
}

// What a user is called already is its own, also where only the case changes.
WriteRules::Outcome WriteRules::check_names(const ProfileChanges& changes, const User& before,
                                            UserConflict& conflict) {
  if (changes.username) {
    const std::string username = fold(*changes.username);
    const auto taken = exists(Family::usernames, username);
    if (!taken) return std::unexpected(taken.error());
    if (*taken && username != fold(before.username)) {
      conflict = UserConflict::username;
      return std::unexpected(Errc::exists);
    }
  }
  if (changes.email) {
    const std::string address = fold(*changes.email);
    const std::vector<std::string> own = folded_addresses(before);
    const auto taken = exists(Family::emails, address);
    if (!taken) return std::unexpected(taken.error());
    if (*taken && std::ranges::find(own, address) == own.end()) {
      conflict = UserConflict::email;
      return std::unexpected(Errc::exists);
    }
  }
  return {};
}

WriteRules::Outcome WriteRules::update(UpdateUser& operation, Broadcast& broadcast) {
  auto read = state_.read_user(operation.id, value_);
  if (!read) return std::unexpected(read.error());
  const User& before = *read;
  User user = before;
  operation.conflict = UserConflict::none;
  if (operation.profile) {
    apply(*operation.profile, user);
    if (!is_valid(user)) return std::unexpected(Errc::invalid);
    const Outcome free = check_names(*operation.profile, before, operation.conflict);
    if (!free) return free;
  }
  for (std::size_t i = 0; i < kRoleCount; ++i) {
    const auto role = static_cast<Role>(i);
    if (operation.add_roles.has(role)) user.roles.add(role);
    if (operation.remove_roles.has(role)) user.roles.remove(role);
  }
  if (operation.active) user.active = *operation.active;
  if (operation.password_hash) user.password_hash = *operation.password_hash;
  if (is_active_admin(before) && !is_active_admin(user) && active_admins_ == 1) {
    return std::unexpected(Errc::refused);
  }
  // Both ways across the border: what was issued beside the deactivation must not come alive with
  // the reactivation.
  const bool crossed = !user.active || user.active != before.active;
  if (operation.revoke_tokens || crossed) {
    const Outcome revoked = revoke_all(operation, crossed, before, user, broadcast);
    if (!revoked) return revoked;
  }
  issuer_of(user.id).index().set_state(user.id, user.active ? UserState::open : UserState::closed);
  if (load_) load_->note(user);
  user.updated_ms = now_ms_;
  active_admins_ += is_active_admin(user);
  active_admins_ -= is_active_admin(before);
  change_members(state_.overlay, user.id, before.roles, user.roles);
  if (operation.profile) change_names(state_.overlay, before, user);
  put_user(state_.overlay, user);
  broadcast.changed_users.push_back(user.id);
  operation.user = std::move(user);
  return {};
}

WriteRules::Outcome WriteRules::revoke_all(const UpdateUser& operation, bool crossed,
                                           const User& before, User& user, Broadcast& broadcast) {
  // The excepted token was valid when its holder asked, but another operation may have revoked it
  // since; an exception must not bring it back.
  const bool keeps = !crossed && !operation.revoke_except.empty() &&
                     before.accepts(operation.revoke_except, operation.revoke_except_kind);
  const Locator kept = keeps ? operation.revoke_except : Locator{};
  if (operation.revoke_dated_only && !crossed) {
    user.dated_from = locators_.bound();
    user.dated_exception = kept;
  } else {
    // Below the floor they are revoked already, but nothing else would ever remove their records.
    const Outcome removed = remove_personal_tokens(user.id, kept, broadcast);
    if (!removed) return removed;
    // All that lies below the floor for dated tokens lies below this one, and the one token that is
    // kept has passed both.
    user.valid_from = locators_.bound();
    user.valid_exception = kept;
    user.dated_from = user.dated_exception = {};
  }
  // So that no two floors are equal: a login tells by it whether its password is still the one.
  static_cast<void>(locators_.next(now_ms_));
  TokenIndex& index = issuer_of(user.id).index();
  const std::size_t before_revoking = index.tokens();
  index.remove_all_but(user.id, kept);
  tokens_revoked_ += static_cast<std::uint32_t>(before_revoking - index.tokens());
  return {};
}

WriteRules::Outcome WriteRules::erase(DeleteUser& operation, Broadcast& broadcast) {
  const auto user = state_.read_user(operation.id, value_);
  if (!user) return std::unexpected(user.error());
  if (is_active_admin(*user) && active_admins_ == 1) return std::unexpected(Errc::refused);
  const Outcome removed = remove_personal_tokens(user->id, {}, broadcast);
  if (!removed) return removed;
  dropped_.clear();
  issuer_of(user->id).index().erase(user->id, dropped_);
  for (const Locator& locator : dropped_) remove_token(locator, broadcast);
  if (load_) load_->note_deleted(user->id);
  remove_user(state_.overlay, *user);
  --users_;
  active_admins_ -= is_active_admin(*user);
  broadcast.changed_users.push_back(user->id);
  return {};
}

}  // namespace tokend::store
