#include "http/api/login_block.h"

#include <algorithm>

#include "store/token.h"
#include "store/user.h"

namespace tokend::api {
namespace {

constexpr std::uint64_t kRoute = 0;  // of the limiter's pairs; there is only one here

RateLimitOptions limits(const LoginBlockOptions& options, std::uint32_t failures) noexcept {
  return {.enabled = true,
          .calls_max = failures,
          .window_ms = options.time_ms,
          .entries_max = options.entries_max,
          .restarts_when_spent = true};
}

}  // namespace

LoginBlock::LoginBlock(const LoginBlockOptions& options)
    : enabled_(options.enabled),
      names_(limits(options, options.user_failures_max)),
      addresses_(limits(options, options.address_failures_max)) {}

LoginBlock::Attempt LoginBlock::attempt(std::string_view name, const ClientAddress& address) {
  Attempt made{.name = {}, .address = address};
  // What cannot be folded is nobody's name, and counts as it is.
  const std::string folded = store::is_folded_ascii(name) ? std::string() : store::fold(name);
  const store::Digest digest = store::digest_of(folded.empty() ? name : folded);
  std::copy_n(digest.begin(), made.name.size(), made.name.begin());
  return made;
}

LoginBlock::By LoginBlock::blocked(const Attempt& attempt,
                                   std::int64_t monotonic_ms) const noexcept {
  if (!enabled_) return By::nothing;
  if (addresses_.is_spent(kRoute, attempt.address, monotonic_ms)) return By::address;
  if (names_.is_spent(kRoute, attempt.name, monotonic_ms)) return By::user;
  return By::nothing;
}

void LoginBlock::failed(const Attempt& attempt, std::int64_t monotonic_ms) noexcept {
  if (!enabled_) return;
  static_cast<void>(names_.count(kRoute, attempt.name, monotonic_ms));
  static_cast<void>(addresses_.count(kRoute, attempt.address, monotonic_ms));
}

void LoginBlock::succeeded(const Attempt& attempt, std::int64_t monotonic_ms) noexcept {
  if (!enabled_) return;
  names_.forget(kRoute, attempt.name, monotonic_ms);
  addresses_.forget(kRoute, attempt.address, monotonic_ms);
}

}  // namespace tokend::api
