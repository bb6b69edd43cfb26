// POST users.createToken: a token for someone, made by whoever may (contract sections 1 and 9.1,
// 9.2). The order of the checks is the contract's: an outsider learns nothing about which users
// exist, and all refusals after "a target was named" look the same to the client. Why it was
// refused goes to the log.
//
// Beyond the original: a `lifetime`, in seconds or as "15m", "12h", "7d", for this one token. The
// answer then carries `expiresAt` as well. And the policies of the caller's roles
// (store/issuing_policy.h): the committer keeps the bounds on targets and lifetimes, for every way
// of naming the target; here a lifetime is refused early, and the rate is kept. They bind whoever
// knows the secret, too, and of what someone issues for itself, the lifetime and the rate.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/target.h"
#include "http/api/text.h"

namespace tokend::api {
namespace {

class CreateToken final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User* user) noexcept override;
  // False: there is a `lifetime`, and it is none.
  [[nodiscard]] bool read_lifetime(const Body& body) noexcept;
  [[nodiscard]] std::int64_t lifetime_ms_max() noexcept;
  void refuse_lifetime(std::int64_t max_ms) noexcept;
  // False: the rate of a policy is spent, and the call has been answered.
  [[nodiscard]] bool count_for_policies() noexcept;
  void on_target_found() noexcept;
  void issue_for(const store::UserId& target) noexcept;
  void on_issued() noexcept;
  void refuse_issue(const store::IssueToken& issued) noexcept;

  // Empty when the feature is on and the secret, if there is one, is right; else the reason.
  [[nodiscard]] std::string_view gate(const Body& body) noexcept;
  void refuse_not_authorized(std::string_view reason, std::string_view target = {}) noexcept {
    log_refusal(reason, target);
    answer(kNotAuthorized);
  }

  std::int64_t lifetime_ms_ = 0;  // 0: none was asked for
  Steps<store::FindUser, store::IssueToken> steps_;
};

std::string_view CreateToken::gate(const Body& body) noexcept {
  if (context().options.create_tokens_secret.empty()) {
    return context().options.create_tokens_enabled ? std::string_view()
                                                   : "issuing tokens is not enabled";
  }
  const auto secret = body.text("secret");
  if (!secret) return "no secret was given";
  // Digests of equal length are compared, so time tells neither the secret nor its length.
  return store::equal_in_constant_time(store::digest_of(*secret), context().secret_digest)
             ? std::string_view()
             : "the secret is wrong";
}

bool is_oneself(const Target& target, const store::User& user) noexcept {
  if (target.key == store::UserKey::id) return target.value == user.id.view();
  return target.value == user.username || store::fold(target.value) == store::fold(user.username);
}

std::int64_t CreateToken::lifetime_ms_max() noexcept {
  const std::int64_t max_ms = context().options.token_lifetime_ms_max;
  const std::int64_t bound_ms = store().policies().bounds_of(caller().roles).lifetime_ms_max;
  return bound_ms > 0 ? std::min(bound_ms, max_ms) : max_ms;
}

bool CreateToken::read_lifetime(const Body& body) noexcept {
  // The one has named the target.
  if (body.size() < 2) return true;
  const auto value = body.value("lifetime");
  const auto text = value ? value->text() : body.is_form() ? body.text("lifetime") : std::nullopt;
  if (!value && !text) return true;
  const std::int64_t max_ms = lifetime_ms_max();
  if (text) {
    lifetime_ms_ = parse_lifetime_ms(trim(*text), max_ms).value_or(0);
  } else {
    const double seconds = value->number().value_or(0);
    const std::int64_t seconds_max = max_ms / core::kMillisecondsPerSecond;
    if (seconds < 1 || seconds > static_cast<double>(seconds_max) ||
        seconds != std::trunc(seconds)) {
      return false;
    }
    lifetime_ms_ = static_cast<std::int64_t>(seconds) * core::kMillisecondsPerSecond;
  }
  return lifetime_ms_ > 0 && lifetime_ms_ <= max_ms;
}

void CreateToken::refuse_lifetime(std::int64_t max_ms) noexcept {
  char digits[24];
  const char* end =
      std::to_chars(digits, digits + sizeof(digits), max_ms / core::kMillisecondsPerSecond).ptr;
  refuse(R"(The 'lifetime' param must be whole seconds or a text such as '15m', '12h' or '7d', )"
         R"(of at least 1 and at most )",
         {digits, static_cast<std::size_t>(end - digits)}, " seconds", "error-invalid-lifetime");
}

// In each policy's own window. What is refused afterwards for its target counts, so that a bounded
// issuer cannot try out targets without end. The table is all cores' (http/api/rate_limit.h), so
// the count is exact whichever core a connection landed on.
bool CreateToken::count_for_policies() noexcept {
  const store::IssuingPolicies& policies = store().policies();
  const store::Digest issuer = store::digest_of(caller().id.view());
  for (std::size_t index = 0; index < store::kRoleCount; ++index) {
    const auto role = static_cast<store::Role>(index);
    const store::IssuingPolicy& policy = policies[role];
    if (!policy.is_rated() || !caller().roles.has(role)) continue;
    const RateLimiter::Verdict verdict = context().issuing_limiter.count(
        index, std::span(issuer).first<16>(),
        context().clock.monotonic_ns / core::kNanosecondsPerMillisecond,
        {.calls_max = policy.tokens_max, .window_ms = policy.window_ms});
    if (verdict.allowed) continue;
    log_refusal("the rate of the issuing policy is spent");
    refuse_too_many(verdict);
    return false;
  }
  return true;
}

void CreateToken::run(const Body& body, const store::User* user) noexcept {
  if (const std::string_view reason = gate(body); !reason.empty()) {
    return refuse_not_authorized(reason);
  }
  const auto target = target_of(body);
  if (!target) return answer(kUserParamNotProvided);
  if (!allows(store::Permission::user_generate_access_token) && !is_oneself(*target, *user)) {
    return refuse_not_authorized("no permission");
  }
  if (!read_lifetime(body)) return refuse_lifetime(lifetime_ms_max());
  if (store().policies().limit_rate_of(caller().roles) && !count_for_policies()) return;
  // Whether an id is somebody's and active is decided where the token is made: the committer knows
  // everyone whom it issues for, so looking here as well would only cost.
  if (target->key == store::UserKey::id) {
    return store::UserId::fits(target->value) ? issue_for(store::UserId(target->value))
                                              : answer(kInvalidUser);
  }
  auto& find = steps_.make<store::FindUser>();
  find.key = target->key;
  find.value = target->value;
  find.then<&CreateToken::on_target_found>(*this);
  store().find_user(find);
}

void CreateToken::on_target_found() noexcept {
  const auto& found = steps_.get<store::FindUser>();
  if (!found.result) {
    return found.result.error() == core::Errc::not_found ? answer(kInvalidUser)
                                                         : fail(found.result.error());
  }
  const store::UserId id = found.user->id;
  if (!found.user->active) return refuse_not_authorized("the target is inactive", id.view());
  issue_for(id);
}

void CreateToken::issue_for(const store::UserId& target) noexcept {
  auto& issue = steps_.make<store::IssueToken>();
  issue.user = target;
  issue.issuer = caller().id;
  issue.issuer_roles = caller().roles;
  issue.token_kind = store::TokenKind::issued;
  issue.lifetime_ms = lifetime_ms_;
  issue.address = address();
  issue.then<&CreateToken::on_issued>(*this);
  store().write(issue);
}

void CreateToken::on_issued() noexcept {
  const auto& issued = steps_.get<store::IssueToken>();
  if (!issued.result) {
    switch (issued.result.error()) {
      case core::Errc::not_found: return answer(kInvalidUser);
      case core::Errc::refused: return refuse_issue(issued);
      default: return fail(issued.result.error());
    }
  }
  std::string& out = context().answer_bytes;
  out.assign(R"({"data":{"userId":")");
  append_escaped(out, issued.user.view());
  out += R"(","authToken":")";
  out += store::view_of(issued.token);
  if (lifetime_ms_ > 0) {
    out += R"(","expiresAt":")";
    out += view_of(iso_time(issued.expires_ms));
  }
  out += R"("},"success":true})";
  answer(200, out);
}

void CreateToken::refuse_issue(const store::IssueToken& issued) noexcept {
  const std::string_view target = issued.user.view();
  switch (issued.broken_bound) {
    case store::BrokenBound::none: return refuse_not_authorized("the target is inactive", target);
    case store::BrokenBound::target_roles:
      return refuse_not_authorized("the issuing policy does not cover the target's roles", target);
    case store::BrokenBound::admins:
      return refuse_not_authorized("the issuing policy excludes admins", target);
    // The policy has changed since the lifetime was read.
    case store::BrokenBound::lifetime: return refuse_lifetime(issued.lifetime_ms);
  }
}

}  // namespace

void create_token(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<CreateToken>(context, exchange, route);
}

}  // namespace tokend::api
