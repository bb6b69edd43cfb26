// POST users.update: another user's, or one's own, names, address, password, roles and state in one
// write (the original's saveUser; contract 9.14 and 9.16). Nothing changes unless everything may.
//
// A new password ends the user's tokens, but for the one that a caller who means itself has
// presented. As in the original a password or an address that is blank counts as absent: its own
// client sends both whether or not they were edited.

#include <memory>
#include <optional>

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/text.h"
#include "http/api/user_json.h"

namespace tokend::api {
namespace {

class UpdateUser final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User* user) noexcept override;
  void on_found() noexcept;
  void on_hashed() noexcept;
  void write() noexcept;
  void on_updated() noexcept;

  // Each is false when it has refused and answered.
  [[nodiscard]] bool read_texts(JsonValue data) noexcept;
  [[nodiscard]] bool read_flags(JsonValue data) noexcept;
  [[nodiscard]] bool read_roles(JsonValue data) noexcept;
  [[nodiscard]] bool check_names() noexcept;
  // What the changes demand beyond the right to edit the user at all.
  [[nodiscard]] bool check_permissions() noexcept;

  void refuse_unpermitted(std::string_view what, const FixedAnswer& fixed) noexcept {
    log_refusal(store::AuditReason::no_permission, id_.view(), what);
    answer(fixed);
  }
  [[nodiscard]] bool is_oneself() const noexcept { return id_ == caller().id; }

  store::UserId id_;
  std::unique_ptr<store::ProfileChanges> changes_ = std::make_unique<store::ProfileChanges>();
  std::optional<bool> active_;
  std::string password_;  // its SHA-256 in hex, then its hash; empty: the password stays
  Steps<store::FindUser, store::HashPassword, store::UpdateUser> steps_;
};

// Null counts as absent. False when the member is something else than `read` reads.
template <class Value, class Read>
bool read_member(JsonValue object, std::string_view key, std::optional<Value>& value,
                 Read&& read) noexcept {
  const auto member = object.member(key);
  if (!member || member->is_null()) return true;
  const auto given = read(*member);
  if (given) value.emplace(*given);
  return given.has_value();
}

bool read_text(JsonValue object, std::string_view key, std::optional<std::string>& text) noexcept {
  return read_member(object, key, text, [](JsonValue value) { return value.text(); });
}

bool read_name(JsonValue object, std::string_view key, std::optional<std::string>& name) noexcept {
  return read_member(object, key, name, [](JsonValue value) {
    const auto text = value.text();
    return text ? std::optional(trim(*text)) : std::nullopt;
  });
}

bool read_flag(JsonValue object, std::string_view key, std::optional<bool>& flag) noexcept {
  return read_member(object, key, flag, [](JsonValue value) { return value.boolean(); });
}

bool UpdateUser::read_texts(JsonValue data) noexcept {
  std::optional<std::string> password;
  if (!read_name(data, "name", changes_->name) ||
      !read_name(data, "username", changes_->username) ||
      !read_name(data, "email", changes_->email) || !read_text(data, "password", password)) {
    answer(kInvalidUpdateText);
    return false;
  }
  if (changes_->email && changes_->email->empty()) changes_->email.reset();
  if (password && !trim(*password).empty()) password_ = sha256_hex(*password);
  return true;
}

bool UpdateUser::read_flags(JsonValue data) noexcept {
  std::optional<bool> random_password;
  if (!read_flag(data, "active", active_) ||
      !read_flag(data, "verified", changes_->email_verified) ||
      !read_flag(data, "requirePasswordChange", changes_->require_password_change) ||
      !read_flag(data, "setRandomPassword", random_password)) {
    answer(kInvalidFlag);
    return false;
  }
  if (random_password == true) {
    answer(kRandomPasswordNotSupported);
    return false;
  }
  return true;
}

bool UpdateUser::read_roles(JsonValue data) noexcept {
  const bool known = read_member(data, "roles", changes_->roles, [](JsonValue value) {
    store::RoleSet roles;
    const bool all = value.each([&](JsonValue element) {
      const auto id = element.text();
      const auto role = id ? store::role_of(*id) : std::nullopt;
      if (role) roles.add(*role);
      return role.has_value();
    });
    return all ? std::optional(roles) : std::nullopt;
  });
  if (!known) answer(kInvalidRoleIds);
  return known;
}

bool UpdateUser::check_names() noexcept {
  const store::ProfileChanges& changes = *changes_;
  if ((changes.name && changes.name->empty()) || (changes.username && changes.username->empty())) {
    answer(kIdentityNotSaved);
    return false;
  }
  if (changes.username && !store::is_username(*changes.username)) {
    refuse("", *changes.username, " is not a valid username", "error-input-is-not-a-valid-field");
    return false;
  }
  if (changes.email && !store::is_email(*changes.email)) {
    refuse("Invalid email ", *changes.email, "", "error-invalid-email");
    return false;
  }
  if (changes.name && changes.name->size() > store::kDisplayNameBytesMax) {
    answer(kInvalidDisplayName);
    return false;
  }
  return true;
}

bool UpdateUser::check_permissions() noexcept {
  if (!password_.empty() && !allows(store::Permission::edit_other_user_password)) {
    refuse_unpermitted("no permission to change passwords", kEditingPasswordNotAllowed);
    return false;
  }
  if (active_ && !allows(store::Permission::edit_other_user_active_status)) {
    refuse_unpermitted("no permission to change the active status", kChangingStatusNotAllowed);
    return false;
  }
  return true;
}

void UpdateUser::run(const Body& body, const store::User*) noexcept {
  const auto id = body.name("userId");
  const auto data = body.value("data");
  if (!id || !data || !data->is_object()) return answer(kInvalidUpdateParams);
  if (store::UserId::fits(*id)) id_ = store::UserId(*id);
  if (!is_oneself() && !allows(store::Permission::edit_other_user_info)) {
    return refuse_unpermitted("no permission to edit others", kEditingUserNotAllowed);
  }
  if (!read_texts(*data) || !read_flags(*data) || !read_roles(*data)) return;
  if (is_oneself() && changes_->email_verified == true) return answer(kVerifyingOneselfNotAllowed);
  if (changes_->roles && changes_->roles->has(store::Role::admin) &&
      !allows(store::Permission::assign_admin_role)) {
    return refuse_unpermitted("no permission to make admins", kAssigningAdminNotAllowed);
  }
  if (!check_names() || !check_permissions()) return;
  auto& find = steps_.make<store::FindUser>();
  find.value = id_.view();
  find.then<&UpdateUser::on_found>(*this);
  store().find_user(find);
}

void UpdateUser::on_found() noexcept {
  const auto& found = steps_.get<store::FindUser>();
  if (!found.result) {
    return found.result.error() == core::Errc::not_found ? answer(kUserIsInvalid)
                                                         : fail(found.result.error());
  }
  // Roles that are sent as they are demand nothing. They are not written either: whoever changes
  // them at this moment shall not find them changed back.
  if (changes_->roles == found.user->roles) changes_->roles.reset();
  if (changes_->roles && !allows(store::Permission::assign_roles)) {
    return refuse_unpermitted("no permission to assign roles", kAssignRolesNotAllowed);
  }
  if (password_.empty()) return write();
  auto& hash = steps_.make<store::HashPassword>();
  hash.sha256_hex = std::move(password_);
  hash.then<&UpdateUser::on_hashed>(*this);
  store().hash_password(hash);
}

void UpdateUser::on_hashed() noexcept {
  auto& hashed = steps_.get<store::HashPassword>();
  if (!hashed.result) return fail(hashed.result.error());
  password_ = std::move(hashed.password_hash);
  write();
}

void UpdateUser::write() noexcept {
  auto& update = steps_.make<store::UpdateUser>();
  update.id = id_;
  update.origin = origin();
  update.active = active_;
  update.profile = std::move(changes_);
  if (!password_.empty()) {
    update.password_hash = std::move(password_);
    update.revoke_tokens = true;
    if (is_oneself()) {
      update.revoke_except = caller().token;
      update.revoke_except_kind = caller().token_kind;
    }
  }
  update.then<&UpdateUser::on_updated>(*this);
  store().write(update);
}

void UpdateUser::on_updated() noexcept {
  const auto& updated = steps_.get<store::UpdateUser>();
  if (!updated.result) {
    const store::ProfileChanges& changes = *updated.profile;
    switch (updated.result.error()) {
      case core::Errc::not_found: return answer(kUserIsInvalid);
      case core::Errc::refused:
        log_refusal(store::AuditReason::last_admin, updated.id.view());
        return answer(kLastAdmin);
      case core::Errc::invalid: return answer(kIdentityNotSaved);
      case core::Errc::exists:
        return refuse(
            "", updated.conflict == store::UserConflict::email ? *changes.email : *changes.username,
            " is already in use :(", "error-field-unavailable");
      default: return fail(updated.result.error());
    }
  }
  const store::User& user = updated.user;
  JsonWriter json = writer();
  json.begin_object().key("user").begin_object();
  const bool full = user.id == caller().id || allows(store::Permission::view_full_other_user_info);
  full ? write_full_user(json, user) : write_public_user(json, user);
  json.end_object().key("success").boolean(true).end_object();
  succeed(json);
}

}  // namespace

void users_update(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<UpdateUser>(context, exchange, route);
}

}  // namespace tokend::api
