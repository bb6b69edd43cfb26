#pragma once
// What the endpoints of one core share: the parts that main() hands in and the core's own tools.
// Used on that core only; the options and the rate limiter are every core's.

#include <string>

#include "core/clock.h"
#include "core/log.h"
#include "core/timers.h"
#include "http/api/audit_trail.h"
#include "http/api/body.h"
#include "http/api/cors.h"
#include "http/api/login_block.h"
#include "http/api/me_answers.h"
#include "http/api/options.h"
#include "http/api/rate_limit.h"
#include "store/store.h"
#include "store/token.h"

namespace tokend::api {

// Answers longer than this make the core's buffer grow, once for each new maximum.
inline constexpr std::size_t kAnswerBytesReserved = 16 * 1024;

struct ApiParts {
  store::Store& store;           // of this core
  core::Log& log;                // of this core
  const core::TurnClock& clock;  // of this core
  RateLimiter& limiter;          // shared by all cores
  RateLimiter& user_limiter;     // likewise: of the users' own windows
  RateLimiter& issuing_limiter;  // likewise: of the issuing policies
  LoginBlock& login_block;       // shared by all cores
  // Of this core; nullptr: what is for the audit leaves at once.
  core::TimerWheel* timers = nullptr;
};

struct Context {
  Context(const ApiOptions& api_options, const ApiParts& parts);

  const ApiOptions& options;
  store::Store& store;
  core::Log& log;
  const core::TurnClock& clock;
  const store::Settings& settings;  // the store's, of this core
  RateLimiter& limiter;
  RateLimiter& user_limiter;
  RateLimiter& issuing_limiter;
  LoginBlock& login_block;

  Cors cors;
  // Of the secret, so that the comparison's time tells nothing about it, its length included.
  const store::Digest secret_digest;
  AuditTrail audit;
  BodyReader body_reader;
  MeAnswers me_answers;
  // Of users.createTokens, under way; at most kBulkRequestsMax.
  std::size_t bulk_requests = 0;
  // Where JSON is written before it is copied into the connection; free between answers.
  std::string answer_bytes;
};

}  // namespace tokend::api
