// POST users.removeOtherTokens: revokes every token of the caller but the presented one (contract
// section 2).

#include "http/api/call.h"
#include "http/api/endpoints.h"

namespace tokend::api {
namespace {

class RemoveOtherTokens final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    update_.id = caller().id;
    update_.revoke_tokens = true;
    update_.origin = origin();
    update_.revoke_except = caller().token;
    update_.revoke_except_kind = caller().token_kind;
    update_.then<&RemoveOtherTokens::on_revoked>(*this);
    store().write(update_);
  }
  void on_revoked() noexcept {
    if (update_.result) return answer(kSuccess);
    // The caller was deleted meanwhile.
    if (update_.result.error() == core::Errc::not_found) return answer(kNotLoggedIn);
    fail(update_.result.error());
  }

  store::UpdateUser update_;
};

}  // namespace

void users_remove_other_tokens(Context& context, http::Exchange& exchange,
                               const Route& route) noexcept {
  serve<RemoveOtherTokens>(context, exchange, route);
}

}  // namespace tokend::api
