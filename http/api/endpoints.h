#pragma once
// Every endpoint by its name; each is defined in the file of that name. They are called by
// Api::on_request for the routes of api.h and must answer the exchange exactly once.

#include "http/api/route.h"

namespace tokend::api {

#define TOKEND_ENDPOINT(name) \
  void name(Context& context, http::Exchange& exchange, const Route& route) noexcept

TOKEND_ENDPOINT(audit_list);
TOKEND_ENDPOINT(auth);
TOKEND_ENDPOINT(create_token);
TOKEND_ENDPOINT(introspect);
TOKEND_ENDPOINT(introspect_batch);
TOKEND_ENDPOINT(login);
TOKEND_ENDPOINT(logout);
TOKEND_ENDPOINT(create_tokens);
TOKEND_ENDPOINT(me);
TOKEND_ENDPOINT(users_create);
TOKEND_ENDPOINT(users_delete);
TOKEND_ENDPOINT(users_generate_personal_access_token);
TOKEND_ENDPOINT(users_get_personal_access_tokens);
TOKEND_ENDPOINT(users_info);
TOKEND_ENDPOINT(users_list);
TOKEND_ENDPOINT(users_list_tokens);
TOKEND_ENDPOINT(users_logout);
TOKEND_ENDPOINT(users_logout_other_clients);
TOKEND_ENDPOINT(users_regenerate_personal_access_token);
TOKEND_ENDPOINT(users_remove_other_tokens);
TOKEND_ENDPOINT(users_remove_personal_access_token);
TOKEND_ENDPOINT(users_revoke_token);
TOKEND_ENDPOINT(users_revoke_tokens);
TOKEND_ENDPOINT(users_set_active_status);
TOKEND_ENDPOINT(users_update);
TOKEND_ENDPOINT(permissions_list_all);
TOKEND_ENDPOINT(permissions_update);
TOKEND_ENDPOINT(policies_list);
TOKEND_ENDPOINT(policies_update);
TOKEND_ENDPOINT(roles_list);
TOKEND_ENDPOINT(roles_add_user);
TOKEND_ENDPOINT(roles_remove_user);
TOKEND_ENDPOINT(settings);
TOKEND_ENDPOINT(info);
TOKEND_ENDPOINT(openapi);
TOKEND_ENDPOINT(livez);
TOKEND_ENDPOINT(readyz);
TOKEND_ENDPOINT(health);

#undef TOKEND_ENDPOINT

}  // namespace tokend::api
