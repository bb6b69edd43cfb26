#pragma once
// What a path demands of its caller and who serves it. The table of all routes is in api.h.

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/api/answers.h"
#include "http/message.h"
#include "http/session.h"
#include "store/permission.h"

namespace tokend::api {

struct Context;

enum class Methods : std::uint8_t { get, post, get_and_post };  // HEAD is served where GET is

enum class Access : std::uint8_t {
  open,      // nobody asks who is calling
  optional,  // a caller who is logged in is told more
  login,     // 401 without
  gateway,   // likewise, but a bearer token is as good, and the 401 asks for one (RFC 6750)
  oauth,     // as gateway; errors are RFC 6749's, and calls are not counted: whoever may make them
             // makes one for each request of its own
};

struct Route {
  using Endpoint = void (*)(Context& context, http::Exchange& exchange,
                            const Route& route) noexcept;

  std::string_view path;
  Methods methods;
  Access access;
  Endpoint endpoint;
  // Demanded before the endpoint runs, and what a caller without it is told.
  std::optional<store::Permission> permission = std::nullopt;
  FixedAnswer refusal = kForbidden;

  [[nodiscard]] constexpr bool serves(http::Method method) const noexcept {
    switch (method) {
      case http::Method::get:
      case http::Method::head: return methods != Methods::post;
      case http::Method::post: return methods != Methods::get;
      default: return false;
    }
  }
  [[nodiscard]] constexpr std::string_view allow_header() const noexcept {
    switch (methods) {
      case Methods::get: return "Allow: GET, HEAD, OPTIONS\r\n";
      case Methods::post: return "Allow: POST, OPTIONS\r\n";
      case Methods::get_and_post: return "Allow: GET, HEAD, POST, OPTIONS\r\n";
    }
    return {};
  }
};

}  // namespace tokend::api
