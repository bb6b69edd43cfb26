// GET info, /livez, /readyz and /health (contract 4.5, 9.19).

#include "http/api/call.h"
#include "http/api/endpoints.h"

namespace tokend::api {
namespace {

class Info final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User* user) noexcept override {
    std::string_view version = context().options.version;
    if (!user) {
      // Which patches are missing is nobody's business: major.minor.
      const std::size_t minor = version.find('.');
      if (minor != std::string_view::npos)
        version = version.substr(0, version.find('.', minor + 1));
    }
    JsonWriter json = writer();
    json.begin_object().key("version").text(version).key("success").boolean(true).end_object();
    succeed(json);
  }
};

}  // namespace

void info(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<Info>(context, exchange, route);
}

void livez(Context&, http::Exchange& exchange, const Route&) noexcept {
  // That it is answered at all says that this core's loop turns.
  exchange.answer({.status = 200, .headers = kJsonType, .body = R"({"status":"alive"})"});
}

void readyz(Context& context, http::Exchange& exchange, const Route&) noexcept {
  if (context.store.healthy()) {
    return exchange.answer({.status = 200, .headers = kJsonType, .body = R"({"status":"ready"})"});
  }
  exchange.answer({.status = 503,
                   .headers = kJsonType,
                   .body = R"({"status":"unavailable","reason":"durability was lost"})"});
}

void health(Context&, http::Exchange& exchange, const Route&) noexcept {
  exchange.answer({.status = 200, .headers = kTextType, .body = "ok"});
}

}  // namespace tokend::api
