// POST users.create (contract 4.3, 9.14). Everything that can be refused without the store is
// refused before the password is hashed, which is the expensive step.

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/text.h"
#include "http/api/user_json.h"

namespace tokend::api {
namespace {

class CreateUser final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User* user) noexcept override;
  void on_hashed() noexcept;
  void on_created() noexcept;

  // False: refused and answered.
  [[nodiscard]] bool read_flags(const Body& body) noexcept;
  [[nodiscard]] bool read_roles(const Body& body) noexcept;

  store::HashPassword hash_;
  store::CreateUser create_;
};

// True when the field is absent or a boolean.
bool read_flag(const Body& body, std::string_view key, bool& flag) noexcept {
  if (const auto given = body.boolean(key)) {
    flag = *given;
    return true;
  }
  return !body.value(key) && !body.text(key);
}

bool CreateUser::read_flags(const Body& body) noexcept {
  store::User& user = create_.user;
  if (read_flag(body, "active", user.active) &&
      read_flag(body, "verified", user.emails.front().verified) &&
      read_flag(body, "requirePasswordChange", user.require_password_change)) {
    return true;
  }
  answer(kInvalidFlag);
  return false;
}

bool CreateUser::read_roles(const Body& body) noexcept {
  const auto given = body.value("roles");
  if (!given) return true;
  store::RoleSet roles;
  const bool known = given->each([&](JsonValue element) {
    const auto id = element.text();
    const auto role = id ? store::role_of(*id) : std::nullopt;
    if (role) roles.add(*role);
    return role.has_value();
  });
  if (!known) {
    answer(kInvalidRoles);
    return false;
  }
  // Else whoever may create users could make itself an admin.
  const bool plain = roles.empty() || roles == store::RoleSet{store::Role::user};
  if (!plain && !allows(store::Permission::access_permissions)) {
    log_refusal(store::AuditReason::no_permission, {}, "no permission to assign roles");
    answer(kAssigningRolesNotAllowed);
    return false;
  }
  create_.user.roles = roles;
  return true;
}

void CreateUser::run(const Body& body, const store::User*) noexcept {
  const auto email = body.name("email");
  const auto name = body.name("name");
  const auto username = body.name("username");
  const auto password = body.text("password");
  if (!email || !name || !username || !password || password->empty()) {
    return answer(kInvalidCreateParams);
  }
  if (!store::is_username(*username)) {
    return refuse("", *username, " is not a valid username", "error-invalid-username");
  }
  if (email->size() > store::kEmailBytesMax || !store::is_email(*email)) {
    return refuse("Invalid email ", *email, "", "error-invalid-email");
  }
  if (name->size() > store::kDisplayNameBytesMax) return answer(kInvalidDisplayName);
  create_.user.username = *username;
  create_.user.name = *name;
  create_.user.emails.push_back({std::string(*email), false});
  if (!read_flags(body) || !read_roles(body)) return;
  hash_.sha256_hex = sha256_hex(*password);
  hash_.then<&CreateUser::on_hashed>(*this);
  store().hash_password(hash_);
}

void CreateUser::on_hashed() noexcept {
  if (!hash_.result) return fail(hash_.result.error());
  create_.user.password_hash = std::move(hash_.password_hash);
  create_.origin = origin();
  create_.then<&CreateUser::on_created>(*this);
  store().write(create_);
}

void CreateUser::on_created() noexcept {
  const store::User& user = create_.user;
  if (!create_.result) {
    if (create_.result.error() == core::Errc::invalid) return answer(kInvalidCreateParams);
    if (create_.result.error() != core::Errc::exists) return fail(create_.result.error());
    const bool email = create_.conflict == store::UserConflict::email;
    return refuse("", email ? user.emails.front().address : user.username, " is already in use :(",
                  "error-field-unavailable");
  }
  JsonWriter json = writer();
  json.begin_object().key("user").begin_object();
  write_full_user(json, user);
  json.end_object().key("success").boolean(true).end_object();
  succeed(json);
}

}  // namespace

void users_create(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<CreateUser>(context, exchange, route);
}

}  // namespace tokend::api
