#pragma once
// What an operator decides about the API. Immutable once the cores run; one object for all cores.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tokend::api {

// Bulk issuance: its path, whose bodies may be longer than others' (http::SessionLimits), the users
// of one request, and the requests that one core works on at once (503 above).
inline constexpr std::string_view kCreateTokensPath = "/api/v1/users.createTokens";
inline constexpr std::size_t kBulkBodyBytesMax = 1024 * 1024;
inline constexpr std::size_t kBulkTargetsMax = 10'000;
inline constexpr std::size_t kBulkRequestsMax = 4;

struct RateLimitOptions {
  std::size_t entries_max = 1U << 16;  // windows remembered; rounded up to a power of two
  bool restarts_when_spent = false;    // the last call that is allowed starts the window anew
};

// Whose calls are counted together, of callers who are logged in; others have only an address.
enum class RateLimitKey : std::uint8_t { address, user, both };

// Each user's window for each route, over all addresses. Without effect when `key` is `address`.
struct UserRateLimitOptions {
  RateLimitKey key = RateLimitKey::address;
  std::uint32_t calls_max = 10;
  std::int64_t window_ms = 60'000;
};

// Failures before a name or an address is blocked, and for how long (contract 4.1, 9.10).
struct LoginBlockOptions {
  bool enabled = true;
  std::uint32_t user_failures_max = 10;
  std::uint32_t address_failures_max = 50;
  std::int64_t time_ms = 5 * 60'000;
  std::size_t entries_max = 1U << 16;  // of names and of addresses each, 16 bytes an entry
};

// A random id of 17 characters, made once for each process.
[[nodiscard]] std::string make_instance_id();

// Issuers, by the roles whose policies limit their rate: their table is their own, so that no crowd
// of clients can make it forget them. 1 MiB.
inline constexpr std::size_t kIssuingWindowsMax = 1U << 16;

struct ApiOptions {
  // CREATE_TOKENS_FOR_USERS was exactly `yes` or `true`. Without effect when there is a secret.
  bool create_tokens_enabled = false;
  // CREATE_TOKENS_FOR_USERS_SECRET; empty: none is demanded.
  std::string create_tokens_secret;
  // The longest `lifetime` that users.createToken takes.
  std::int64_t token_lifetime_ms_max = 365LL * 24 * 3600 * 1000;
  bool audit = true;  // refusals and resumed logins are recorded
  // The limit itself is one of the store's settings.
  RateLimitOptions rate_limit;
  UserRateLimitOptions user_rate_limit;
  LoginBlockOptions login_block;
  // HTTP_FORWARDED_COUNT: the proxies in front of us whose X-Forwarded-For is believed.
  std::uint32_t forwarded_count = 0;
  std::string version = "0.1.0";  // an anonymous caller is told the first two parts
  std::string instance_id = make_instance_id();
  // What http lets through; memory for reading bodies and queries is taken at start for this much.
  std::size_t body_bytes_max = 64 * 1024;
};

}  // namespace tokend::api
