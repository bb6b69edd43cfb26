#include "http/api/login_block.h"

#include <algorithm>

#include "store/token.h"
#include "store/user.h"

namespace tokend::api {
namespace {

constexpr std::uint64_t kRoute = 0;  // of the limiter's pairs; there is only one here

RateLimitOptions table_of(const LoginBlockOptions& options) noexcept {
  return {.entries_max = options.entries_max, .restarts_when_spent = true};
}

}  // namespace

LoginBlock::LoginBlock(const LoginBlockOptions& options)
    : enabled_(options.enabled),
      name_limit_{.calls_max = options.user_failures_max, .window_ms = options.time_ms},
      address_limit_{.calls_max = options.address_failures_max, .window_ms = options.time_ms},
      names_(table_of(options)),
      addresses_(table_of(options)) {}

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
  if (addresses_.is_spent(kRoute, attempt.address, monotonic_ms, address_limit_))
    return By::address;
  if (names_.is_spent(kRoute, attempt.name, monotonic_ms, name_limit_)) return By::user;
  return By::nothing;
}

void LoginBlock::failed(const Attempt& attempt, std::int64_t monotonic_ms) noexcept {
  if (!enabled_) return;
  static_cast<void>(names_.count(kRoute, attempt.name, monotonic_ms, name_limit_));
  static_cast<void>(addresses_.count(kRoute, attempt.address, monotonic_ms, address_limit_));
}

void LoginBlock::succeeded(const Attempt& attempt, std::int64_t monotonic_ms) noexcept {
  if (!enabled_) return;
  names_.forget(kRoute, attempt.name, monotonic_ms);
  addresses_.forget(kRoute, attempt.address, monotonic_ms);
}

}  // namespace tokend::api
