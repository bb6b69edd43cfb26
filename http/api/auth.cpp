// GET /auth: whose token this is, for gateways that ask before they let a request through (nginx's
// auth_request, Traefik's ForwardAuth, Envoy's ext_authz over HTTP). The token comes as
// X-Auth-Token and X-User-Id or as Authorization: Bearer. 200 with the user in X-User-Id and its
// roles, with commas, in X-User-Roles; 401 with a challenge. With the token and the user in memory
// it is answered in the turn that it came in, and allocates nothing.

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "store/permission.h"

namespace tokend::api {
namespace {

class Auth final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User* user) noexcept override {
    std::string& headers = context().answer_bytes;
    headers.assign("Cache-Control: no-store\r\nX-User-Id: ");
    headers += user->id.view();
    headers += "\r\nX-User-Roles: ";
    store::append_ids(user->roles, headers);
    headers += "\r\n";
    answer_bare(200, headers);
  }
};

}  // namespace

void auth(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<Auth>(context, exchange, route);
}

}  // namespace tokend::api
