#include "http/api/issuing_call.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>

#include "http/api/idempotency_key.h"
#include "http/api/text.h"

namespace tokend::api {

using store::AuditReason;

AuditReason IssuingCall::gate(const Body& body) noexcept {
  if (context().options.create_tokens_secret.empty()) {
    return context().options.create_tokens_enabled ? AuditReason::none : AuditReason::feature_off;
  }
  const auto secret = body.text("secret");
  if (!secret) return AuditReason::secret_missing;
  // Digests of equal length are compared, so time tells neither the secret nor its length.
  return store::equal_in_constant_time(store::digest_of(*secret), context().secret_digest)
             ? AuditReason::none
             : AuditReason::secret_wrong;
}

bool IssuingCall::read_lifetime(const Body& body, std::int64_t& lifetime_ms) noexcept {
  lifetime_ms = 0;
  // The one has named the target.
  if (body.size() < 2) return true;
  const auto value = body.value("lifetime");
  const auto text = value ? value->text() : body.is_form() ? body.text("lifetime") : std::nullopt;
  if (!value && !text) return true;
  const std::int64_t max_ms = lifetime_ms_max();
  if (text) {
    lifetime_ms = parse_lifetime_ms(trim(*text), max_ms).value_or(0);
  } else {
    const double seconds = value->number().value_or(0);
    const std::int64_t seconds_max = max_ms / core::kMillisecondsPerSecond;
    if (seconds < 1 || seconds > static_cast<double>(seconds_max) ||
        seconds != std::trunc(seconds)) {
      return false;
    }
    lifetime_ms = static_cast<std::int64_t>(seconds) * core::kMillisecondsPerSecond;
  }
  return lifetime_ms > 0 && lifetime_ms <= max_ms;
}

std::int64_t IssuingCall::lifetime_ms_max() noexcept {
  const std::int64_t max_ms = context().options.token_lifetime_ms_max;
  const std::int64_t bound_ms = store().policies().bounds_of(caller().roles).lifetime_ms_max;
  return bound_ms > 0 ? std::min(bound_ms, max_ms) : max_ms;
}

void IssuingCall::refuse_lifetime(std::int64_t max_ms) noexcept {
  char digits[24];
  const char* end =
      std::to_chars(digits, digits + sizeof(digits), max_ms / core::kMillisecondsPerSecond).ptr;
  refuse(R"(The 'lifetime' param must be whole seconds or a text such as '15m', '12h' or '7d', )"
         R"(of at least 1 and at most )",
         {digits, static_cast<std::size_t>(end - digits)}, " seconds", "error-invalid-lifetime");
}

// In each policy's own window. What is refused afterwards for its target counts, so that a bounded
// issuer cannot try out targets without end; so does what a request asks for that goes beyond. The
// table is all cores' (http/api/rate_limit.h), so the count is exact whichever core a connection
// landed on.
bool IssuingCall::count_windows(std::size_t tokens) noexcept {
  const store::IssuingPolicies& policies = store().policies();
  const store::Digest issuer = store::digest_of(caller().id.view());
  for (std::size_t index = 0; index < store::kRoleCount; ++index) {
    const auto role = static_cast<store::Role>(index);
    const store::IssuingPolicy& policy = policies[role];
    if (!policy.is_rated() || !caller().roles.has(role)) continue;
    for (std::size_t token = 0; token < tokens; ++token) {
      const RateLimiter::Verdict verdict = context().issuing_limiter.count(
          index, std::span(issuer).first<16>(),
          context().clock.monotonic_ns / core::kNanosecondsPerMillisecond,
          {.calls_max = policy.tokens_max, .window_ms = policy.window_ms});
      if (verdict.allowed) continue;
      log_refusal(AuditReason::policy_rate);
      refuse_too_many(verdict);
      return false;
    }
  }
  return true;
}

bool IssuingCall::read_key(const store::Digest& asked, Keyed& keyed) noexcept {
  const auto key = request().repeated(http::Header::idempotency_key)
                       ? std::nullopt
                       : parse_idempotency_key(request().header(http::Header::idempotency_key));
  if (!key) {
    answer(kInvalidIdempotencyKey);
    return false;
  }
  store().name_request(caller().id, *key, keyed.request);
  keyed.request.asked = asked;
  keyed.find.request = &keyed.request;
  return true;
}

void IssuingCall::record_replay(std::size_t count, const store::UserId& user,
                                const store::Locator& token) noexcept {
  store::AuditRecord record;
  record.event = store::AuditEvent::token_replay;
  record.origin = origin();
  record.target = user;
  record.token = token;
  record.count = static_cast<std::uint32_t>(count);
  context().audit.add(record);
}

AuditReason IssuingCall::reason_of_refusal(const store::IssueToken& issued) noexcept {
  switch (issued.broken_bound) {
    case store::BrokenBound::none: return AuditReason::target_inactive;
    case store::BrokenBound::target_roles: return AuditReason::policy_target_roles;
    case store::BrokenBound::admins: return AuditReason::policy_admins;
    case store::BrokenBound::lifetime: return AuditReason::policy_lifetime;
    case store::BrokenBound::shown_token: return AuditReason::caller_revoked;
  }
  return AuditReason::none;
}

}  // namespace tokend::api
