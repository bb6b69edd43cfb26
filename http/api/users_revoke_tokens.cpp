// POST users.revokeTokens: ends all that an issuer issued (`issuerId`), or all that was issued
// before a moment (`before`), or of that issuer before that moment: what one does when an issuer's
// token or the store has leaked. Beyond the original. One durable write, however many tokens there
// are (store/revocation_floors.h); when the answer leaves no core takes any of them.
//
// With `before` alone that is everybody's: logins and personal tokens too, and the presented one if
// it is old enough, since nobody knows which have leaked; a password still lets its user in. The
// issuer need not exist any more. So that no misspelt bound becomes none, nothing else may be in
// the body; and a moment that has not come yet is refused, because it is a mistake, unless tokens
// bear it: where the clock was set back they are younger than now.

#include <optional>
#include <string>

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/text.h"

namespace tokend::api {
namespace {

constexpr FixedAnswer kBoundMissing{
    400, R"({"success":false,"error":"At least one of the params \"issuerId\" and \"before\" is )"
         R"(required, as text, and no other is known [error-invalid-params]",)"
         R"("errorType":"error-invalid-params"})"};
constexpr FixedAnswer kBeforeInvalid{
    400,
    R"({"success":false,"error":"The param \"before\" must be a moment that has passed, as in )"
    R"(\"2026-01-31T23:59:59.999Z\" [error-invalid-params]",)"
    R"("errorType":"error-invalid-params"})"};

class RevokeTokensInBulk final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    const auto issuer = body.name("issuerId");
    const auto before = body.name("before");
    const std::size_t known = std::size_t{issuer.has_value()} + std::size_t{before.has_value()};
    if (known == 0 || body.size() != known) return answer(kBoundMissing);
    if (issuer) {
      if (!store::UserId::fits(*issuer)) return answer(kInvalidUser);
      revoke_.issuer = store::UserId(*issuer);
    }
    if (before) {
      revoke_.before_ms = parse_iso_time(*before);
      if (!revoke_.before_ms || *revoke_.before_ms > store().latest_bound_ms()) {
        return answer(kBeforeInvalid);
      }
    }
    revoke_.origin = origin();
    revoke_.then<&RevokeTokensInBulk::on_revoked>(*this);
    store().write(revoke_);
  }
  void on_revoked() noexcept {
    if (!revoke_.result) return fail(revoke_.result.error());
    std::string what = revoke_.issuer.empty() ? "all tokens" : "all that the target issued";
    if (revoke_.before_ms) {
      what += " before ";
      what += view_of(iso_time(*revoke_.before_ms));
    }
    log_change(what, revoke_.issuer.view());
    answer(kSuccess);
  }

  store::RevokeTokens revoke_;
};

}  // namespace

void users_revoke_tokens(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<RevokeTokensInBulk>(context, exchange, route);
}

}  // namespace tokend::api
