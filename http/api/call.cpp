#include "http/api/call.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

#include "core/clock.h"
#include "http/api/endpoints.h"
#include "http/api/head_notes.h"
#include "http/api/text.h"

namespace tokend::api {
namespace {

// Header lines or a log line put together on the stack; what does not fit is cut.
template <std::size_t capacity>
class Line {
 public:
  Line& operator<<(std::string_view text) noexcept {
    const std::size_t part = std::min(text.size(), capacity - size_);
    std::memcpy(bytes_ + size_, text.data(), part);
    size_ += part;
    return *this;
  }
  Line& operator<<(std::int64_t number) noexcept {
    char digits[24];
    const char* end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
    return *this << std::string_view(digits, static_cast<std::size_t>(end - digits));
  }
  // Nothing that is printed may look like another line.
  Line& printable(std::string_view text) noexcept {
    for (const char byte : text)
      *this << (byte > ' ' && byte < 0x7F ? std::string_view(&byte, 1) : std::string_view("?"));
    return *this;
  }
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_, size_}; }

 private:
  char bytes_[capacity];
  std::size_t size_ = 0;
};

constexpr std::size_t kHeaderLinesBytesMax = 1024;
constexpr std::size_t kLogLineBytesMax = 512;

// RFC 6750, section 3: nothing more is said where no credentials came.
constexpr std::string_view kBearerWanted = "WWW-Authenticate: Bearer realm=\"tokend\"\r\n";
constexpr std::string_view kBearerRefused =
    "WWW-Authenticate: Bearer realm=\"tokend\", error=\"invalid_token\"\r\n";
// Section 3.1. RFC 7662, section 2.3, sends there for a caller with insufficient privileges.
constexpr std::string_view kBearerInsufficient =
    "WWW-Authenticate: Bearer realm=\"tokend\", error=\"insufficient_scope\"\r\n";

// RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1). Empty: another
// scheme.
std::string_view bearer_token_of(std::string_view authorization) noexcept {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size() || authorization[kScheme.size() - 1] != ' ' ||
      !equals_ignoring_case(authorization.substr(0, kScheme.size() - 1),
                            kScheme.substr(0, kScheme.size() - 1))) {
    return {};
  }
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return authorization;
}

// What the audit calls a call of the route that was refused.
store::AuditEvent event_of(const Route& route) noexcept {
  if (route.endpoint == create_token || route.endpoint == create_tokens) {
    return store::AuditEvent::token_issue;
  }
  return route.endpoint == login ? store::AuditEvent::login : store::AuditEvent::call;
}

const FixedAnswer& answer_to(BodyFault fault) noexcept {
  switch (fault) {
    case BodyFault::invalid_form: return kInvalidForm;
    case BodyFault::unsupported_media_type: return kUnsupportedMediaType;
    case BodyFault::invalid_json:
    case BodyFault::none: break;
  }
  return kInvalidJson;
}

}  // namespace

void Call::start() noexcept {
  origin_ = context_.cors.choose(exchange_.request());
  if (route_.access == Access::open) return admit(nullptr);
  if (!read_credentials()) return admit_unknown(false);
  HeadNotes& notes = exchange_.notes<HeadNotes>();
  if (!notes.has_proof) {
    const auto proof = store().read_token(authenticate_.token, authenticate_.user_id);
    if (!proof) return admit_unknown(true);
    notes.proof = *proof;
    notes.has_proof = true;
  }
  const store::TokenProof proof = notes.proof;
  authenticate_.proof = &proof;
  authenticate_.then<&Call::on_authenticated>(*this);
  bool came_home = false;
  came_home_ = &came_home;
  context_.store.authenticate(authenticate_);
  if (came_home) return;
  // A worker reads the disk. The continuation runs on this core, from the loop, so until we return
  // the call and the request's bytes are still there; only now is it worth to copy them.
  came_home_ = nullptr;
  lost_ = !exchange_.keep_request();
}

bool Call::read_credentials() noexcept {
  const http::Request& asked = exchange_.request();
  if (takes_bearer_token() && asked.has(http::Header::authorization)) {
    const std::string_view token = bearer_token_of(asked.header(http::Header::authorization));
    // Whoever sends two kinds of credentials would be told of one what is true of the other.
    if (token.empty() || asked.repeated(http::Header::authorization) ||
        asked.has(http::Header::x_auth_token) || asked.has(http::Header::x_user_id)) {
      return false;
    }
    authenticate_.token = token;
    authenticate_.any_user = true;
    return true;
  }
  const std::string_view token = asked.header(http::Header::x_auth_token);
  const std::string_view user_id = asked.header(http::Header::x_user_id);
  if (token.empty() || user_id.empty() || asked.repeated(http::Header::x_auth_token) ||
      asked.repeated(http::Header::x_user_id)) {
    return false;
  }
  authenticate_.token = token;
  authenticate_.user_id = user_id;
  return true;
}

void Call::on_authenticated() noexcept {
  if (came_home_) *came_home_ = true;
  if (lost_) return fail(core::Errc::full);
  if (authenticate_.result) return admit(authenticate_.user);
  if (authenticate_.result.error() != core::Errc::not_found) {
    return fail(authenticate_.result.error());
  }
  admit_unknown(true);
}

void Call::admit_unknown(bool had_credentials) noexcept {
  const std::string_view challenge = had_credentials ? kBearerRefused : kBearerWanted;
  switch (route_.access) {
    case Access::open:
    case Access::optional: return admit(nullptr);
    case Access::login: return answer(kNotLoggedIn);
    case Access::gateway: {
      Line<kHeaderLinesBytesMax> lines;
      lines << "Cache-Control: no-store\r\n" << challenge;
      return answer_bare(401, lines.view());
    }
    case Access::oauth: return answer_oauth(kInvalidClient.status, kInvalidClient.body, challenge);
  }
}

void Call::admit(const store::User* user) noexcept {
  const http::Request& asked = exchange_.request();
  address_ = client_address(exchange_.peer(), asked, context_.options.forwarded_count);
  const bool post = asked.method() == http::Method::post;

  const store::Settings& settings = context_.settings;
  if (post && settings.rate_limiter && route_.access != Access::oauth &&
      !(user && allows(store::Permission::api_bypass_rate_limit))) {
    if (!count_call(user)) {
      record_refusal(store::AuditReason::rate_limit);
      return refuse_too_many(verdict_);
    }
  }

  Body body;
  if (post) {
    const BodyFault fault = context_.body_reader.read(asked, body);
    if (fault != BodyFault::none) return refuse_body(fault);
  }

  if (route_.permission && !allows(*route_.permission)) {
    log_refusal(store::AuditReason::no_permission);
    return answer(route_.refusal);
  }
  run(body, user);
}

bool Call::count_call(const store::User* user) noexcept {
  const UserRateLimitOptions& per_user = context_.options.user_rate_limit;
  const bool by_user = user && per_user.key != RateLimitKey::address;
  // A route is one object in the whole process, so its address names it on every core.
  const auto route = std::bit_cast<std::uintptr_t>(&route_);
  const std::int64_t now_ms = context_.clock.monotonic_ns / core::kNanosecondsPerMillisecond;
  if (by_user) {
    const store::Digest id = store::digest_of(caller().id.view());
    verdict_ = context_.user_limiter.count(
        route, std::span(id).first<16>(), now_ms,
        {.calls_max = per_user.calls_max, .window_ms = per_user.window_ms});
  }
  // The user's window first: what it refuses takes nothing from whoever shares the address.
  if (!by_user || (per_user.key == RateLimitKey::both && verdict_.allowed)) {
    const store::Settings& settings = context_.settings;
    const RateLimiter::Verdict of_address = context_.limiter.count(
        route, address_, now_ms,
        {.calls_max = static_cast<std::uint32_t>(settings.rate_limiter_calls_max),
         .window_ms = settings.rate_limiter_window_ms});
    // The headers tell of the window that is spent first.
    if (!by_user || !of_address.allowed || of_address.remaining < verdict_.remaining ||
        (of_address.remaining == verdict_.remaining && of_address.ends_ms > verdict_.ends_ms)) {
      verdict_ = of_address;
    }
  }
  counted_ = true;
  // Now: an answer that waits for a sync is made later, and the window does not move with it.
  window_ends_ms_ = context_.limiter.wall_end_ms(verdict_, context_.clock);
  return verdict_.allowed;
}

bool Call::read_query(Body& fields) noexcept {
  const BodyFault fault = context_.body_reader.read_query(exchange_.request().query(), fields);
  if (fault == BodyFault::none) return true;
  refuse_body(fault);
  return false;
}

void Call::refuse_body(BodyFault fault) noexcept {
  answer(route_.access == Access::oauth ? kMalformedRequest : answer_to(fault));
}

void Call::refuse_too_many(const RateLimiter::Verdict& verdict) noexcept {
  // The headers tell of the limit that was reached.
  verdict_ = verdict;
  counted_ = true;
  window_ends_ms_ = context_.limiter.wall_end_ms(verdict, context_.clock);
  const std::int64_t seconds =
      (verdict.reset_in_ms + core::kMillisecondsPerSecond - 1) / core::kMillisecondsPerSecond;
  Line<kLogLineBytesMax> body;
  body << R"({"success":false,"error":"Error, too many requests. Please slow down. You must wait )"
       << seconds << R"( seconds before trying this endpoint again. [error-too-many-requests]"})";
  answer(429, body.view());
}

void Call::answer(int status, std::string_view body) noexcept {
  if (route_.access == Access::oauth) return answer_oauth(status, body);
  const HeaderBlocks& blocks = context_.cors.headers(origin_);
  if (!counted_ && status != 503) [[likely]] {
    return exchange_.answer({.status = status, .headers = blocks.api_json, .body = body});
  }
  Line<kHeaderLinesBytesMax> lines;
  lines << blocks.api_json;
  if (status == 503) lines << kRetryAfter;
  if (counted_) {
    lines << "X-RateLimit-Limit: " << std::int64_t{verdict_.limit}
          << "\r\nX-RateLimit-Remaining: " << std::int64_t{verdict_.remaining}
          << "\r\nX-RateLimit-Reset: " << window_ends_ms_ << "\r\n";
  }
  exchange_.answer({.status = status, .headers = lines.view(), .body = body});
}

void Call::answer_oauth(int status, std::string_view body, std::string_view challenge) noexcept {
  Line<kHeaderLinesBytesMax> lines;
  lines << kOauthJson << challenge;
  if (status == 403) lines << kBearerInsufficient;
  if (status == 503) lines << kRetryAfter;
  exchange_.answer({.status = status, .headers = lines.view(), .body = body});
}

void Call::answer_bare(int status, std::string_view headers) noexcept {
  exchange_.answer({.status = status, .headers = headers, .body = {}});
}

void Call::refuse(std::string_view before, std::string_view subject, std::string_view after,
                  std::string_view code) noexcept {
  std::string& out = context_.answer_bytes;
  out.assign(R"({"success":false,"error":")");
  out += before;
  append_escaped(out, subject);
  out += after;
  out += " [";
  out += code;
  out += R"(]","errorType":")";
  out += code;
  out += R"("})";
  answer(400, out);
}

void Call::fail(core::Errc code) noexcept {
  const bool later = code == core::Errc::full || code == core::Errc::unavailable;
  if (route_.access == Access::oauth) return answer(later ? kTemporarilyUnavailable : kServerError);
  answer(later ? kServiceUnavailable : kInternalServerError);
}

void Call::forbid() noexcept {
  log_refusal(store::AuditReason::no_permission);
  answer(kForbidden);
}

void Call::log_refusal(store::AuditReason reason, std::string_view target,
                       std::string_view what) noexcept {
  if (!store::is_made_id(target)) target = {};
  log("refused ", what.empty() ? description_of(reason) : what, target);
  record_refusal(reason, target, what);
}

void Call::record_refusal(store::AuditReason reason, std::string_view target,
                          std::string_view what) noexcept {
  store::AuditRecord record;
  record.event = event_of(route_);
  record.reason = reason;
  record.origin = origin();
  // Whatever else was typed there may be a password.
  if (store::is_made_id(target)) record.target = store::UserId(target);
  if (record.event == store::AuditEvent::call) {
    Line<store::kAuditDetailsBytesMax> details;
    details << route_.path;
    if (!what.empty()) details << ": " << what;
    record.details = store::AuditDetails(details.view());
  }
  context_.audit.add(record);
}

void Call::log_change(std::string_view what, std::string_view target) noexcept {
  log("changed ", what, target);
}

void Call::log(std::string_view verb, std::string_view what, std::string_view target) noexcept {
  AddressText text;
  Line<kLogLineBytesMax> line;
  line << verb << route_.path << ": " << what << "; caller=";
  line.printable(caller().id.view());
  if (!target.empty()) (line << " target=").printable(target);
  line << " address=" << to_text(address_, text);
  context_.log.write(core::Severity::info, line.view());
}

}  // namespace tokend::api
