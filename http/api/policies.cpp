// GET policies.list and POST policies.update: what bounds the issuers of users.createToken, by
// their roles (store/issuing_policy.h). Beyond the original.
//
// An update replaces the whole policy of each role that it names, so that what is left out forbids
// nothing any more. What policies.list shows can be sent back as it is.

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/text.h"
#include "http/api/user_json.h"

namespace tokend::api {
namespace {

void write_policy(JsonWriter& json, store::Role role, const store::IssuingPolicy& policy) {
  json.begin_object().key("_id").text(id_of(role));
  json.key("_updatedAt").text(view_of(iso_time(policy.updated_ms)));
  json.key("targetRoles");
  if (policy.target_roles) {
    write_roles(json, *policy.target_roles);
  } else {
    json.raw("null");
  }
  json.key("excludeAdmins").boolean(policy.exclude_admins).key("lifetimeMax");
  if (policy.lifetime_ms_max > 0) {
    json.number(policy.lifetime_ms_max / core::kMillisecondsPerSecond);
  } else {
    json.raw("null");
  }
  json.key("rateLimit");
  if (policy.is_rated()) {
    json.begin_object().key("tokens").number(policy.tokens_max);
    json.key("window").number(policy.window_ms / core::kMillisecondsPerSecond).end_object();
  } else {
    json.raw("null");
  }
  json.end_object();
}

// Those that forbid anything, in the order of the roles.
void write_policies(JsonWriter& json, const store::IssuingPolicies& policies) {
  json.begin_object().key("policies").begin_array();
  for (std::size_t index = 0; index < store::kRoleCount; ++index) {
    const auto role = static_cast<store::Role>(index);
    if (policies[role].forbids_anything()) write_policy(json, role, policies[role]);
  }
  json.end_array().key("success").boolean(true).end_object();
}

class ListPolicies final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    JsonWriter json = writer();
    write_policies(json, store().policies());
    succeed(json);
  }
};

// What is wrong with a policy; empty where nothing is.
using Fault = std::string_view;

constexpr Fault kUnknownMember =
    " has a member that is unknown or stands there twice; known are _id, targetRoles, "
    "excludeAdmins, lifetimeMax and rateLimit";
constexpr Fault kTargetRolesWanted =
    " must have an array of known role ids, or null, as targetRoles";
constexpr Fault kExcludeAdminsWanted = " must have true or false as excludeAdmins";
constexpr Fault kLifetimeWanted =
    " must have whole seconds or a text such as '15m', '12h' or '7d', of at least 1 second and at "
    "most 36500 days, or null, as lifetimeMax";
static_assert(store::kPolicyLifetimeMsMax == 36'500LL * 24 * 3600 * 1000);
constexpr Fault kRateWanted =
    " must have {tokens, window}, or null, as rateLimit, with tokens from 1 to 1000000 and a "
    "window of whole seconds or a text such as '15m', of at least 1 second and at most 24 hours";
static_assert(store::kPolicyTokensMax == 1'000'000);
static_assert(store::kPolicyWindowMsMax == 24LL * 3600 * 1000);

// Nothing when it is no length of time from a second to `max_ms`.
std::optional<std::int64_t> duration_ms(JsonValue value, std::int64_t max_ms) noexcept {
  std::int64_t ms = 0;
  if (const auto text = value.text()) {
    ms = parse_lifetime_ms(trim(*text), max_ms).value_or(0);
  } else if (const auto seconds = value.integer();
             seconds && *seconds > 0 && *seconds <= max_ms / core::kMillisecondsPerSecond) {
    ms = *seconds * core::kMillisecondsPerSecond;
  }
  return ms >= core::kMillisecondsPerSecond && ms <= max_ms ? std::optional(ms) : std::nullopt;
}

bool read_target_roles(JsonValue value, store::IssuingPolicy& policy) noexcept {
  store::RoleSet roles;
  const bool known = value.each([&](JsonValue element) {
    const auto id = element.text();
    const auto role = id ? store::role_of(*id) : std::nullopt;
    if (role) roles.add(*role);
    return role.has_value();
  });
  if (known) policy.target_roles = roles;
  return known;
}

bool read_rate(JsonValue value, store::IssuingPolicy& policy) noexcept {
  const auto tokens = value.member("tokens");
  const auto window = value.member("window");
  if (!tokens || !window || value.size() != 2) return false;
  const auto count = tokens->integer();
  const auto window_ms = duration_ms(*window, store::kPolicyWindowMsMax);
  if (!count || *count < 1 || *count > store::kPolicyTokensMax || !window_ms) return false;
  policy.tokens_max = static_cast<std::uint32_t>(*count);
  policy.window_ms = *window_ms;
  return true;
}

// A misspelt bound must not become none.
Fault read_policy(JsonValue value, store::IssuingPolicy& policy) noexcept {
  std::size_t known = 1;  // _id
  const auto member = [&](std::string_view key) {
    auto found = value.member(key);
    known += found.has_value();
    if (found && found->is_null()) found.reset();
    return found;
  };
  if (const auto roles = member("targetRoles"); roles && !read_target_roles(*roles, policy)) {
    return kTargetRolesWanted;
  }
  if (const auto exclude = member("excludeAdmins")) {
    const auto flag = exclude->boolean();
    if (!flag) return kExcludeAdminsWanted;
    policy.exclude_admins = *flag;
  }
  if (const auto lifetime = member("lifetimeMax")) {
    const auto max_ms = duration_ms(*lifetime, store::kPolicyLifetimeMsMax);
    if (!max_ms) return kLifetimeWanted;
    policy.lifetime_ms_max = *max_ms;
  }
  if (const auto rate = member("rateLimit"); rate && !read_rate(*rate, policy)) {
    return kRateWanted;
  }
  static_cast<void>(member("_updatedAt"));  // as shown; the committer makes its own
  return value.size() == known ? Fault() : kUnknownMember;
}

class UpdatePolicies final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    std::string_view faulty = "a role";
    Fault fault;
    const auto list = body.value("policies");
    const bool read = list && list->each([&](JsonValue element) {
      const auto id = element.member("_id");
      const auto name = id ? id->text() : std::nullopt;
      const auto role = name ? store::role_of(*name) : std::nullopt;
      if (!role) return false;
      store::IssuingPolicy policy;
      faulty = *name;
      fault = read_policy(element, policy);
      // Of a role named twice the last wins, as with keys.
      std::erase_if(update_.changes, [&](const auto& change) { return change.role == *role; });
      update_.changes.push_back({*role, policy});
      return fault.empty();
    });
    if (!fault.empty()) {
      return refuse("The policy of ", faulty, fault, "error-invalid-policy");
    }
    if (!read) {
      return refuse("The 'policies' param must be an array of policies, each with a known role's ",
                    "_id", "", "error-invalid-policy");
    }
    if (update_.changes.empty()) return on_updated();
    update_.origin = origin();
    update_.then<&UpdatePolicies::on_updated>(*this);
    store().write(update_);
  }
  void on_updated() noexcept {
    if (!update_.result) return fail(update_.result.error());
    // The answer shows what was just written, whatever this core has heard of since.
    store::IssuingPolicies policies = store().policies();
    for (const auto& change : update_.changes) {
      policies.set(change.role, change.policy);
      log_change(id_of(change.role));
    }
    JsonWriter json = writer();
    write_policies(json, policies);
    succeed(json);
  }

  store::UpdatePolicies update_;
};

}  // namespace

void policies_list(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<ListPolicies>(context, exchange, route);
}

void policies_update(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<UpdatePolicies>(context, exchange, route);
}

}  // namespace tokend::api
