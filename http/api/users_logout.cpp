// POST users.logout: revokes every token of a user, of oneself without any permission (contract
// 4.2, 9.16).

#include "http/api/call.h"
#include "http/api/endpoints.h"

namespace tokend::api {
namespace {

class LogoutUser final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    const std::string_view id = body.name("userId").value_or(caller().id.view());
    if (id != caller().id.view() && !allows(store::Permission::logout_other_user)) return forbid();
    if (!store::UserId::fits(id)) return answer(kInvalidUser);
    update_.id = store::UserId(id);
    update_.revoke_tokens = true;
    update_.origin = origin();
    update_.then<&LogoutUser::on_revoked>(*this);
    store().write(update_);
  }
  void on_revoked() noexcept {
    if (!update_.result) {
      return update_.result.error() == core::Errc::not_found ? answer(kInvalidUser)
                                                             : fail(update_.result.error());
    }
    std::string& out = context().answer_bytes;
    out.assign(R"({"message":"User )");
    append_escaped(out, update_.id.view());
    out += R"( has been logged out!","success":true})";
    answer(200, out);
  }

  store::UpdateUser update_;
};

}  // namespace

void users_logout(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<LogoutUser>(context, exchange, route);
}

}  // namespace tokend::api
