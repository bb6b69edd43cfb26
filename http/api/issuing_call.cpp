#include "http/api/issuing_call.h"

#include <charconv>
#include <cmath>

#include "http/api/text.h"

namespace tokend::api {

std::string_view IssuingCall::gate(const Body& body) noexcept {
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

bool IssuingCall::read_lifetime(const Body& body, std::int64_t& lifetime_ms) noexcept {
  lifetime_ms = 0;
  // The one has named the target.
  if (body.size() < 2) return true;
  const auto value = body.value("lifetime");
  const auto text = value ? value->text() : body.is_form() ? body.text("lifetime") : std::nullopt;
  if (!value && !text) return true;
  const std::int64_t max_ms = context().options.token_lifetime_ms_max;
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

void IssuingCall::refuse_lifetime() noexcept {
  char digits[24];
  const char* end =
      std::to_chars(digits, digits + sizeof(digits),
                    context().options.token_lifetime_ms_max / core::kMillisecondsPerSecond)
          .ptr;
  refuse(R"(The 'lifetime' param must be whole seconds or a text such as '15m', '12h' or '7d', )"
         R"(of at least 1 and at most )",
         {digits, static_cast<std::size_t>(end - digits)}, " seconds", "error-invalid-lifetime");
}

}  // namespace tokend::api
