#pragma once
// Who may not try to log in for a while: a name or an address with too many failures (contract 4.1,
// 9.10). The state is every core's, so the block holds whichever core a connection landed on, and
// bounded: under an attack from more names or addresses than entries the oldest are forgotten
// (somebody may then fail more often than the limit, never less).
//
// A name is what the client gave, folded, whether or not there is such a user: keyed by users, a
// block would tell who exists, and which address belongs to whom. So a user can be tried at under
// its username and under each of its e-mail addresses.
//
// Operation: blocked() is asked before the password is compared, so that a blocked client costs no
// bcrypt, and again before its outcome is told, so that many attempts at once learn no more than
// as many one after the other. The time counts from the failure that blocks.
//
// Concurrency: any thread; no locks (http/api/rate_limit.h).

#include <cstdint>
#include <string_view>

#include "http/api/client_address.h"
#include "http/api/options.h"
#include "http/api/rate_limit.h"

namespace tokend::api {

class LoginBlock {
 public:
  enum class By : std::uint8_t { nothing, user, address };
  struct Attempt {
    ClientAddress name;  // stands for the folded name
    ClientAddress address;
  };

  explicit LoginBlock(const LoginBlockOptions& options);

  [[nodiscard]] static Attempt attempt(std::string_view name, const ClientAddress& address);

  [[nodiscard]] By blocked(const Attempt& attempt, std::int64_t monotonic_ms) const noexcept;
  void failed(const Attempt& attempt, std::int64_t monotonic_ms) noexcept;
  void succeeded(const Attempt& attempt, std::int64_t monotonic_ms) noexcept;

 private:
  const bool enabled_;
  const RateLimiter::Limit name_limit_;
  const RateLimiter::Limit address_limit_;
  RateLimiter names_;
  RateLimiter addresses_;
};

}  // namespace tokend::api
