// GET /api/openapi.json: what is served, for whoever wants to know before asking. The contract
// tests hold every answer that they get against it.

#include "http/api/openapi.h"

#include "http/api/call.h"
#include "http/api/endpoints.h"

namespace tokend::api {
namespace {

class Openapi final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    answer(200, openapi_description());
  }
};

}  // namespace

void openapi(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<Openapi>(context, exchange, route);
}

}  // namespace tokend::api
