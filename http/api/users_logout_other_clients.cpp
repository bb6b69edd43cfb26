// POST users.logoutOtherClients: revokes every dated token of the caller but the presented one and
// answers with that one and its own expiry (contract section 2, 4.2, 9.12). Personal access tokens
// stay. To a caller who presents one of those, all dated tokens are other clients; what it holds
// never expires, for which the original's word is an empty text.

#include <algorithm>

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/text.h"

namespace tokend::api {
namespace {

class LogoutOtherClients final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    // Whoever got here presented a token of this length.
    std::ranges::copy(request().header(http::Header::x_auth_token).substr(0, token_.size()),
                      token_.begin());
    update_.id = caller().id;
    update_.revoke_tokens = true;
    update_.origin = origin();
    update_.revoke_dated_only = true;
    update_.revoke_except = caller().token;
    update_.revoke_except_kind = caller().token_kind;
    update_.then<&LogoutOtherClients::on_revoked>(*this);
    store().write(update_);
  }
  void on_revoked() noexcept {
    if (!update_.result) {
      // The caller was deleted meanwhile.
      if (update_.result.error() == core::Errc::not_found) return answer(kNotLoggedIn);
      return fail(update_.result.error());
    }
    // Another call has revoked the presented token since it was presented.
    if (!update_.user.accepts(caller().token, caller().token_kind)) return answer(kNotLoggedIn);
    JsonWriter json = writer();
    json.begin_object().key("token").text(store::view_of(token_)).key("tokenExpires");
    if (caller().token_expires_ms == store::kNeverExpires) {
      json.text("");
    } else {
      json.text(view_of(iso_time(caller().token_expires_ms)));
    }
    json.key("success").boolean(true).end_object();
    succeed(json);
  }

  store::TokenText token_{};
  store::UpdateUser update_;
};

}  // namespace

void users_logout_other_clients(Context& context, http::Exchange& exchange,
                                const Route& route) noexcept {
  serve<LogoutOtherClients>(context, exchange, route);
}

}  // namespace tokend::api
