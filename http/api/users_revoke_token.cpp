// POST users.revokeToken: ends one token, named by its public id (`tokenId`) or by itself
// (`token`); one's own without any permission. Beyond the original, in the manner of RFC 7009: a
// token that is not valid, or not any more, is a success, because what was wanted is so (section
// 2.2), and another's is refused (section 2.1). When the answer leaves no core takes the token.

#include "http/api/call.h"
#include "http/api/endpoints.h"

namespace tokend::api {
namespace {

constexpr FixedAnswer kTokenNotNamed{
    400, R"({"success":false,"error":"Either the \"tokenId\" or the \"token\" param is required )"
         R"([error-invalid-params]","errorType":"error-invalid-params"})"};

class RevokeOneToken final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    const auto id = body.name("tokenId");
    const auto token = body.name("token");
    if (id.has_value() == token.has_value()) return answer(kTokenNotNamed);
    if (id) {
      auto& find = steps_.make<store::FindToken>();
      find.id = *id;
      find.then<&RevokeOneToken::on_found>(*this);
      return store().find_token(find);
    }
    auto& check = steps_.make<store::Authenticate>();
    check.token = *token;
    check.any_user = true;
    check.then<&RevokeOneToken::on_checked>(*this);
    store().authenticate(check);
  }
  void on_found() noexcept {
    const auto& found = steps_.get<store::FindToken>();
    if (!found.result) return end(found.result.error());
    revoke(found.user, found.locator, found.token_kind);
  }
  void on_checked() noexcept {
    const auto& check = steps_.get<store::Authenticate>();
    if (!check.result) return end(check.result.error());
    const store::Caller holder = check.caller;
    revoke(holder.id, holder.token, holder.token_kind);
  }
  void end(core::Errc code) noexcept {
    code == core::Errc::not_found ? answer(kSuccess) : fail(code);
  }
  // By value: the step that they come from ends here.
  void revoke(store::UserId user, store::Locator locator, store::TokenKind kind) noexcept {
    if (user != caller().id && !allows(store::Permission::logout_other_user)) return forbid();
    auto& revoke = steps_.make<store::RevokeToken>();
    revoke.user = user;
    revoke.locator = locator;
    revoke.token_kind = kind;
    revoke.origin = origin();
    revoke.then<&RevokeOneToken::on_revoked>(*this);
    store().write(revoke);
  }
  void on_revoked() noexcept {
    const auto& revoked = steps_.get<store::RevokeToken>();
    revoked.result ? answer(kSuccess) : fail(revoked.result.error());
  }

  Steps<store::FindToken, store::Authenticate, store::RevokeToken> steps_;
};

}  // namespace

void users_revoke_token(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<RevokeOneToken>(context, exchange, route);
}

}  // namespace tokend::api
