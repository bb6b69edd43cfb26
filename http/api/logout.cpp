// POST and GET logout: revokes the presented token and no other (contract 4.2).

#include "http/api/call.h"
#include "http/api/endpoints.h"

namespace tokend::api {
namespace {

class Logout final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    revoke_.user = caller().id;
    revoke_.locator = caller().token;
    revoke_.token_kind = caller().token_kind;
    revoke_.audited_as = store::AuditEvent::logout;
    revoke_.origin = origin();
    revoke_.then<&Logout::on_revoked>(*this);
    store().write(revoke_);
  }
  void on_revoked() noexcept {
    // The user deleted meanwhile: the token is gone all the same.
    if (!revoke_.result && revoke_.result.error() != core::Errc::not_found) {
      return fail(revoke_.result.error());
    }
    answer(kLoggedOut);
  }

  store::RevokeToken revoke_;
};

}  // namespace

void logout(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<Logout>(context, exchange, route);
}

}  // namespace tokend::api
