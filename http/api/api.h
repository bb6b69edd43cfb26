#pragma once
// The Rocket.Chat API on one page: which paths there are, what each demands, who serves it. What
// each takes and answers is described in openapi.json. This folder is the one place where http
// meets the store.
//
// A request's kind (http::HttpMetrics) is the number of its route in the table.
//
// Concurrency: one Api per core, used on that core's thread; the options and the rate limiter are
// shared. A request without a body that memory can answer allocates nothing.

#include <array>

#include "http/api/context.h"
#include "http/api/endpoints.h"
#include "http/api/options.h"
#include "http/api/rate_limit.h"
#include "http/api/route.h"
#include "http/router.h"
#include "http/session.h"

namespace tokend::api {

// POST routes under /api/v1 are rate limited (contract 9.9). Some endpoints check their permission
// themselves: settings, which asks for another one to read than to write, and those that ask for
// none when the caller means itself: create_token and create_tokens (whose refusals all look
// alike, 9.2), users_logout, users_list_tokens, users_revoke_token, and users_update (which asks
// for one for each kind of change).
inline constexpr std::array kRoutes = {
    // clang-format off
    Route{"/api/v1/users.createToken",          Methods::post, Access::login, create_token},
    Route{kCreateTokensPath,                    Methods::post, Access::login, create_tokens},
    Route{"/api/v1/me",                         Methods::get,  Access::login, me},
    Route{"/api/v1/login",                      Methods::post, Access::open,  login},
    Route{"/api/v1/logout",             Methods::get_and_post, Access::login, logout},
    Route{"/api/v1/users.logout",               Methods::post, Access::login, users_logout},
    Route{"/api/v1/users.removeOtherTokens",    Methods::post, Access::login,
          users_remove_other_tokens},
    Route{"/api/v1/users.logoutOtherClients",   Methods::post, Access::login,
          users_logout_other_clients},
    Route{"/api/v1/users.generatePersonalAccessToken", Methods::post, Access::login,
          users_generate_personal_access_token, store::Permission::create_personal_access_tokens,
          kGeneratingTokenNotAllowed},
    Route{"/api/v1/users.regeneratePersonalAccessToken", Methods::post, Access::login,
          users_regenerate_personal_access_token, store::Permission::create_personal_access_tokens,
          kRegeneratingTokenNotAllowed},
    Route{"/api/v1/users.removePersonalAccessToken", Methods::post, Access::login,
          users_remove_personal_access_token, store::Permission::create_personal_access_tokens,
          kRemovingTokenNotAllowed},
    Route{"/api/v1/users.getPersonalAccessTokens", Methods::get, Access::login,
          users_get_personal_access_tokens, store::Permission::create_personal_access_tokens},
    Route{"/api/v1/users.create",               Methods::post, Access::login, users_create,
          store::Permission::create_user, kAddingUserNotAllowed},
    Route{"/api/v1/users.delete",               Methods::post, Access::login, users_delete,
          store::Permission::delete_user},
    Route{"/api/v1/users.setActiveStatus",      Methods::post, Access::login,
          users_set_active_status, store::Permission::edit_other_user_active_status},
    Route{"/api/v1/users.update",               Methods::post, Access::login, users_update},
    Route{"/api/v1/users.info",                 Methods::get,  Access::login, users_info},
    Route{"/api/v1/users.list",                 Methods::get,  Access::login, users_list},
    Route{"/api/v1/users.listTokens",           Methods::get,  Access::login, users_list_tokens},
    Route{"/api/v1/users.revokeToken",          Methods::post, Access::login, users_revoke_token},
    Route{"/api/v1/users.revokeTokens",         Methods::post, Access::login, users_revoke_tokens,
          store::Permission::revoke_tokens_in_bulk},
    Route{"/api/v1/permissions.listAll",        Methods::get,  Access::login,
          permissions_list_all},
    Route{"/api/v1/permissions.update",         Methods::post, Access::login, permissions_update,
          store::Permission::access_permissions, kEditingPermissionsNotAllowed},
    Route{"/api/v1/policies.list",              Methods::get,  Access::login, policies_list,
          store::Permission::edit_issuing_policies},
    Route{"/api/v1/policies.update",            Methods::post, Access::login, policies_update,
          store::Permission::edit_issuing_policies},
    Route{"/api/v1/audit.list",                 Methods::get,  Access::login, audit_list,
          store::Permission::view_audit},
    Route{"/api/v1/roles.list",                 Methods::get,  Access::login, roles_list},
    Route{"/api/v1/roles.addUserToRole",        Methods::post, Access::login, roles_add_user,
          store::Permission::access_permissions},
    Route{"/api/v1/roles.removeUserFromRole",   Methods::post, Access::login, roles_remove_user,
          store::Permission::access_permissions},
    Route{"/api/v1/settings/:_id",      Methods::get_and_post, Access::login, settings},
    Route{"/api/v1/info",                       Methods::get,  Access::optional, info},
    Route{"/api/info",                          Methods::get,  Access::optional, info},
    Route{"/api/openapi.json",                  Methods::get,  Access::open,  openapi},
    Route{"/auth",                              Methods::get,  Access::gateway, auth},
    Route{"/oauth2/introspect",                 Methods::post, Access::oauth, introspect,
          store::Permission::introspect_tokens, kInsufficientScope},
    Route{"/oauth2/introspect/batch",           Methods::post, Access::oauth, introspect_batch,
          store::Permission::introspect_tokens, kInsufficientScope},
    Route{"/livez",                             Methods::get,  Access::open,  livez},
    Route{"/readyz",                            Methods::get,  Access::open,  readyz},
    Route{"/health",                            Methods::get,  Access::open,  health},
    // clang-format on
};

// What an Api's sessions must let through beside `limits`: the bodies of bulk issuance.
[[nodiscard]] inline http::SessionLimits with_bulk_issuance(http::SessionLimits limits) noexcept {
  limits.large_body_path = kCreateTokensPath;
  limits.large_body_bytes_max = kBulkBodyBytesMax;
  return limits;
}

class Api final : public http::Application, private store::SettingsWatcher {
 public:
  // `options` and the parts must outlive it. The store's settings are watched by it alone.
  Api(const ApiOptions& options, const ApiParts& parts);

  void on_request(http::Exchange& exchange) noexcept override;
  [[nodiscard]] http::Answer on_refusal(http::Refusal refusal) noexcept override;
  // After the core's thread has ended: what is left for the audit (http/api/audit_trail.h).
  void send_rest_of_audit() { context_.audit.send_rest(); }

 private:
  void on_settings_changed() noexcept override;
  void answer_options(http::Exchange& exchange, const Route* route) noexcept;
  void answer_without_route(http::Exchange& exchange, const FixedAnswer& fixed,
                            std::string_view more_headers) noexcept;

  Context context_;
  http::Router router_;
};

}  // namespace tokend::api
