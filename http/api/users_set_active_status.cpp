// POST users.setActiveStatus: a deactivated user's tokens are revoked in the same write (contract
// 4.3, 9.16).

#include "http/api/call.h"
#include "http/api/endpoints.h"

namespace tokend::api {
namespace {

class SetActiveStatus final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    const auto id = body.name("userId");
    const auto active = body.boolean("activeStatus");
    if (!id || !active) return answer(kInvalidStatusParams);
    if (!store::UserId::fits(*id)) return answer(kInvalidUser);
    update_.id = store::UserId(*id);
    update_.active = active;
    update_.origin = origin();
    update_.then<&SetActiveStatus::on_updated>(*this);
    store().write(update_);
  }
  void on_updated() noexcept {
    if (!update_.result) {
      switch (update_.result.error()) {
        case core::Errc::not_found: return answer(kInvalidUser);
        case core::Errc::refused:
          log_refusal(store::AuditReason::last_admin, update_.id.view());
          return answer(kLastAdmin);
        default: return fail(update_.result.error());
      }
    }
    JsonWriter json = writer();
    json.begin_object().key("user").begin_object();
    json.key("_id").text(update_.user.id.view()).key("active").boolean(update_.user.active);
    json.end_object().key("success").boolean(true).end_object();
    succeed(json);
  }

  store::UpdateUser update_;
};

}  // namespace

void users_set_active_status(Context& context, http::Exchange& exchange,
                             const Route& route) noexcept {
  serve<SetActiveStatus>(context, exchange, route);
}

}  // namespace tokend::api
