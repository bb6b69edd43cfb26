// GET users.info: of others only what anyone may know, without `view-full-other-user-info`
// (contract 4.3, 9.15).

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/target.h"
#include "http/api/user_json.h"

namespace tokend::api {
namespace {

class UserInfo final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    Body fields;
    if (!read_query(fields)) return;
    const auto target = target_of(fields);
    if (!target) return answer(kUserParamNotProvided);
    find_.key = target->key;
    find_.value = target->value;
    find_.then<&UserInfo::on_found>(*this);
    store().find_user(find_);
  }
  void on_found() noexcept {
    if (!find_.result) {
      return find_.result.error() == core::Errc::not_found ? answer(kUserNotFound)
                                                           : fail(find_.result.error());
    }
    const store::User& user = *find_.user;
    JsonWriter json = writer();
    json.begin_object().key("user").begin_object();
    const bool full =
        user.id == caller().id || allows(store::Permission::view_full_other_user_info);
    full ? write_full_user(json, user) : write_public_user(json, user);
    json.end_object().key("success").boolean(true).end_object();
    succeed(json);
  }

  store::FindUser find_;
};

}  // namespace

void users_info(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<UserInfo>(context, exchange, route);
}

}  // namespace tokend::api
