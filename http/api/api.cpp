#include "http/api/api.h"

#include <sys/random.h>

#include <algorithm>

#include "core/error.h"
#include "http/api/head_notes.h"

namespace tokend::api {
namespace {

// Of a preflight that is not allowed; text, as in the original.
constexpr FixedAnswer kCorsNotEnabled{405, "CORS not enabled."};
constexpr FixedAnswer kInvalidOrigin{403, "Invalid origin"};
// Of one that is: the original's list, of which a route serves what Allow says.
constexpr std::string_view kAllowMethods =
    "Access-Control-Allow-Methods: GET, POST, PUT, DELETE, HEAD, PATCH\r\n";

constexpr auto kPaths = [] {
  std::array<std::string_view, kRoutes.size()> paths;
  for (std::size_t index = 0; index < paths.size(); ++index) paths[index] = kRoutes[index].path;
  return paths;
}();

// Only a caller who is known can hold a permission.
static_assert(std::ranges::all_of(kRoutes, [](const Route& route) {
  return !route.permission || route.access == Access::login || route.access == Access::oauth;
}));

std::size_t kind_of(const Route& route) noexcept {
  return static_cast<std::size_t>(&route - kRoutes.data());
}

bool is_under_api(std::string_view path) noexcept {
  return path == "/api" || path.starts_with("/api/");
}

std::string_view body_of(http::Refusal refusal) noexcept {
  switch (refusal) {
    case http::Refusal::bad_request:
      return R"({"success":false,"error":"Bad Request [error-bad-request]",)"
             R"("errorType":"error-bad-request"})";
    case http::Refusal::request_timeout:
      return R"({"success":false,"error":"Request Timeout [error-request-timeout]",)"
             R"("errorType":"error-request-timeout"})";
    case http::Refusal::content_too_large:
      return R"({"success":false,"error":"Request Too Large [error-request-too-large]",)"
             R"("errorType":"error-request-too-large"})";
    case http::Refusal::uri_too_long:
      return R"({"success":false,"error":"URI Too Long [error-uri-too-long]",)"
             R"("errorType":"error-uri-too-long"})";
    case http::Refusal::expectation_failed:
      return R"({"success":false,"error":"Expectation Failed [error-expectation-failed]",)"
             R"("errorType":"error-expectation-failed"})";
    case http::Refusal::header_fields_too_large:
      return R"({"success":false,"error":"Request Header Fields Too Large )"
             R"([error-request-header-fields-too-large]",)"
             R"("errorType":"error-request-header-fields-too-large"})";
    case http::Refusal::not_implemented:
      return R"({"success":false,"error":"Not Implemented [error-not-implemented]",)"
             R"("errorType":"error-not-implemented"})";
    case http::Refusal::version_not_supported:
      return R"({"success":false,"error":"HTTP Version Not Supported )"
             R"([error-http-version-not-supported]",)"
             R"("errorType":"error-http-version-not-supported"})";
    case http::Refusal::overloaded: return kServiceUnavailable.body;
  }
  return kInternalServerError.body;
}

}  // namespace

std::string make_instance_id() {
  constexpr std::string_view kAlphabet = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz";
  constexpr std::size_t kCharacters = 17;
  std::array<std::uint32_t, kCharacters> random;
  CHECK(getrandom(random.data(), sizeof(random), 0) == sizeof(random));
  // It is a name and no secret: the bias of the remainder does not matter.
  std::string id;
  for (const std::uint32_t word : random) id += kAlphabet[word % kAlphabet.size()];
  return id;
}

Context::Context(const ApiOptions& api_options, const ApiParts& parts)
    : options(api_options),
      store(parts.store),
      log(parts.log),
      clock(parts.clock),
      settings(parts.store.settings()),
      limiter(parts.limiter),
      user_limiter(parts.user_limiter),
      issuing_limiter(parts.issuing_limiter),
      login_block(parts.login_block),
      cors(api_options.instance_id, settings),
      secret_digest(store::digest_of(api_options.create_tokens_secret)),
      audit({.store = parts.store,
             .clock = parts.clock,
             .timers = parts.timers,
             .on = api_options.audit}),
      body_reader(api_options.body_bytes_max,
                  std::max(api_options.body_bytes_max, kBulkBodyBytesMax)) {
  answer_bytes.reserve(kAnswerBytesReserved);
}

Api::Api(const ApiOptions& options, const ApiParts& parts)
    : context_(options, parts),
      router_(kPaths) {
  parts.store.watch_settings(*this);
}

void Api::on_settings_changed() noexcept { context_.cors.apply(context_.settings); }

void Api::on_request(http::Exchange& exchange) noexcept {
  HeadNotes& notes = exchange.notes<HeadNotes>();
  if (notes.route) [[likely]] {
    exchange.set_kind(kind_of(*notes.route));
    return notes.route->endpoint(context_, exchange, *notes.route);
  }
  const http::Request& request = exchange.request();
  const int index = router_.find(request.path());
  const Route* route =
      index == http::Router::kNotFound ? nullptr : &kRoutes[static_cast<std::size_t>(index)];
  if (route) exchange.set_kind(kind_of(*route));
  if (route && route->serves(request.method())) [[likely]] {
    notes.route = route;
    return route->endpoint(context_, exchange, *route);
  }
  if (request.method() == http::Method::options && (route || request.path() == "*")) {
    return answer_options(exchange, route);
  }
  if (!route) return answer_without_route(exchange, kNotFound, {});
  answer_without_route(exchange, kMethodNotAllowed, route->allow_header());
}

void Api::answer_options(http::Exchange& exchange, const Route* route) noexcept {
  const http::Request& request = exchange.request();
  const Cors& cors = context_.cors;
  const Cors::Choice origin = cors.choose(request);
  std::string headers(route ? route->allow_header()
                            : std::string_view("Allow: GET, HEAD, POST, OPTIONS\r\n"));
  const bool under_api = is_under_api(request.path());
  if (under_api) headers += cors.headers(origin).api;
  // Browsers send both headers with a preflight; either is enough to take it for one.
  const bool preflight =
      request.has(http::Header::origin) || request.has(http::Header::access_control_request_method);
  if (!preflight) return exchange.answer({.status = 204, .headers = headers, .body = {}});
  const bool enabled = under_api && cors.enabled();
  if (enabled && cors.grants(origin)) {
    headers += kAllowMethods;
    return exchange.answer({.status = 200, .headers = headers, .body = {}});
  }
  headers += kTextType;
  const FixedAnswer& refusal = enabled ? kInvalidOrigin : kCorsNotEnabled;
  exchange.answer({.status = refusal.status, .headers = headers, .body = refusal.body});
}

void Api::answer_without_route(http::Exchange& exchange, const FixedAnswer& fixed,
                               std::string_view more_headers) noexcept {
  std::string headers(kJsonType);
  const http::Request& request = exchange.request();
  if (is_under_api(request.path())) {
    headers += context_.cors.headers(context_.cors.choose(request)).api;
  }
  headers += more_headers;
  exchange.answer({.status = fixed.status, .headers = headers, .body = fixed.body});
}

http::Answer Api::on_refusal(http::Refusal refusal) noexcept {
  const bool overloaded = refusal == http::Refusal::overloaded;
  const HeaderBlocks& headers = context_.cors.headers(Cors::kNoOrigin);
  return {.status = http::status_of(refusal),
          .headers = overloaded ? headers.overload : headers.refusal,
          .body = body_of(refusal),
          .close = true};
}

}  // namespace tokend::api
