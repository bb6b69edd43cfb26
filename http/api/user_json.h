#pragma once
// How users and roles look on the wire (contract 4.1, 4.3, 4.4 and 9.13). Never a hash, never a
// token. Each writes its members into an object that the caller has begun.

#include "http/api/json_writer.h"
#include "store/permission.h"
#include "store/user.h"

namespace tokend::api {

// What someone is told about itself: `me` and login. Of the user alone and of nothing else, because
// it is kept as long as the user stays the same (http/api/me_answers.h).
void write_me(JsonWriter& json, const store::User& user);
// What an administrator is told about someone.
void write_full_user(JsonWriter& json, const store::User& user);
// What anyone who is logged in is told about others (9.15).
void write_public_user(JsonWriter& json, const store::User& user);

void write_role(JsonWriter& json, store::Role role);
// An array of role ids.
void write_roles(JsonWriter& json, store::RoleSet roles);

}  // namespace tokend::api
