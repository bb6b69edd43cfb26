// GET roles.list, POST roles.addUserToRole and POST roles.removeUserFromRole (contract 4.4, 9.16,
// 9.17).

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/target.h"
#include "http/api/user_json.h"

namespace tokend::api {
namespace {

class ListRoles final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    JsonWriter json = writer();
    json.begin_object().key("roles").begin_array();
    for (std::size_t index = 0; index < store::kRoleCount; ++index) {
      json.begin_object();
      write_role(json, static_cast<store::Role>(index));
      json.end_object();
    }
    json.end_array().key("success").boolean(true).end_object();
    succeed(json);
  }
};

enum class Change : std::uint8_t { add, remove };

template <Change change>
class ChangeRole final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    // Older clients say roleName, which is the id as well.
    const auto id = body.name("roleId") ? body.name("roleId") : body.name("roleName");
    if (!id) return answer(kRoleIdMissing);
    const auto target = target_of(body);
    if (!target) return answer(kUserParamNotProvided);
    const auto role = store::role_of(*id);
    if (!role) return answer(kRoleNotFound);
    role_ = *role;
    auto& find = steps_.template make<store::FindUser>();
    find.key = target->key;
    find.value = target->value;
    find.template then<&ChangeRole::on_target_found>(*this);
    store().find_user(find);
  }
  void on_target_found() noexcept {
    const auto& found = steps_.template get<store::FindUser>();
    if (!found.result) return refuse_or_fail(found.result.error());
    const bool has = found.user->roles.has(role_);
    if (change == Change::add && has) return answer(kUserAlreadyInRole);
    if (change == Change::remove && !has) return answer(kUserNotInRole);
    const store::UserId id = found.user->id;
    auto& update = steps_.template make<store::UpdateUser>();
    update.id = id;
    update.origin = origin();
    (change == Change::add ? update.add_roles : update.remove_roles).add(role_);
    update.template then<&ChangeRole::on_updated>(*this);
    store().write(update);
  }
  void on_updated() noexcept {
    const auto& updated = steps_.template get<store::UpdateUser>();
    if (!updated.result) {
      if (updated.result.error() == core::Errc::refused) {
        log_refusal(store::AuditReason::last_admin, updated.id.view());
      }
      return refuse_or_fail(updated.result.error());
    }
    if (change == Change::remove) return answer(kSuccess);
    JsonWriter json = writer();
    json.begin_object().key("role").begin_object();
    write_role(json, role_);
    json.end_object().key("success").boolean(true).end_object();
    succeed(json);
  }
  void refuse_or_fail(core::Errc code) noexcept {
    if (code == core::Errc::not_found) return answer(kInvalidUser);
    if (code == core::Errc::refused) return answer(kLastAdmin);
    fail(code);
  }

  store::Role role_ = store::Role::user;
  Steps<store::FindUser, store::UpdateUser> steps_;
};

}  // namespace

void roles_list(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<ListRoles>(context, exchange, route);
}

void roles_add_user(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<ChangeRole<Change::add>>(context, exchange, route);
}

void roles_remove_user(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<ChangeRole<Change::remove>>(context, exchange, route);
}

}  // namespace tokend::api
