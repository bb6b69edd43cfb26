#pragma once
// One request of an endpoint, made in its exchange: authenticates, counts, reads the body, checks
// the route's permission, in the order of contract 9.2, then calls run().
//
// An endpoint derives from Call and holds the operations that it hands to the store. A continuation
// is a member function named by its step. What an endpoint must know for its lifetime:
//  - run() may read the request, the body and `user`. What is needed after an operation that may
//    be answered later is copied into the endpoint first.
//  - A continuation may run before the call that asks returns; so asking the store and answering
//    are the last thing that a function does. After either, nothing of the endpoint is touched.
//
// Concurrency: the exchange's core.

#include <cstdint>
#include <string_view>
#include <variant>

#include "http/api/answers.h"
#include "http/api/body.h"
#include "http/api/client_address.h"
#include "http/api/context.h"
#include "http/api/json_writer.h"
#include "http/api/route.h"
#include "http/session.h"
#include "store/read_operation.h"
#include "store/store.h"

namespace tokend::api {

class Call {
 public:
  Call(Context& context, http::Exchange& exchange, const Route& route) noexcept
      : context_(context),
        exchange_(exchange),
        route_(route) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void start() noexcept;

 protected:
  ~Call() = default;

  // `body` is empty where the method is not POST. `user` is the caller; nullptr when nobody is
  // logged in.
  virtual void run(const Body& body, const store::User* user) noexcept = 0;

  [[nodiscard]] Context& context() noexcept { return context_; }
  [[nodiscard]] store::Store& store() noexcept { return context_.store; }
  // In run() only.
  [[nodiscard]] const http::Request& request() const noexcept { return exchange_.request(); }
  [[nodiscard]] const store::Caller& caller() const noexcept { return authenticate_.caller; }
  // An open route's own to use, since nobody was authenticated.
  [[nodiscard]] store::Authenticate& authentication() noexcept { return authenticate_; }
  [[nodiscard]] const ClientAddress& address() const noexcept { return address_; }
  [[nodiscard]] bool allows(store::Permission permission) const noexcept {
    return context_.store.permissions().allows(caller().roles, permission);
  }
  // In run() only. False: the query was malformed and the call has been answered.
  [[nodiscard]] bool read_query(Body& fields) noexcept;
  // Starts the answer's JSON in the core's buffer.
  [[nodiscard]] JsonWriter writer() noexcept { return JsonWriter(context_.answer_bytes); }

  // Each ends the call.
  void answer(int status, std::string_view body) noexcept;
  void answer(const FixedAnswer& fixed) noexcept { answer(fixed.status, fixed.body); }
  void succeed(const JsonWriter& json) noexcept { answer(200, json.view()); }
  // Without a body; `headers` are all of its header lines.
  void answer_bare(int status, std::string_view headers) noexcept;
  // 400; `error` is "<before><subject><after> [<code>]", the subject being the client's own text.
  void refuse(std::string_view before, std::string_view subject, std::string_view after,
              std::string_view code) noexcept;
  // The 429 of 1.4.
  void refuse_too_many(const RateLimiter::Verdict& verdict) noexcept;
  // Of the store: full and unavailable are 503 with Retry-After, the rest is 500.
  void fail(core::Errc code) noexcept;
  // The 403 of section 3, with a line in the log.
  void forbid() noexcept;

  // Who calls, and from where.
  [[nodiscard]] store::Origin origin() const noexcept { return {caller().id, address_}; }
  // Why the call is refused: one line for the operator, and a record of the audit. `target` is a
  // user's id or empty; `what` says more of the reason, e.g. which permission; neither is a secret.
  void log_refusal(store::AuditReason reason, std::string_view target = {},
                   std::string_view what = {}) noexcept;
  // The record alone: of what is refused often and says by itself why.
  void record_refusal(store::AuditReason reason, std::string_view target = {},
                      std::string_view what = {}) noexcept;
  void log_change(std::string_view what, std::string_view target = {}) noexcept;

 private:
  // False: there are none.
  [[nodiscard]] bool read_credentials() noexcept;
  void on_authenticated() noexcept;
  [[nodiscard]] bool takes_bearer_token() const noexcept {
    return route_.access == Access::gateway || route_.access == Access::oauth;
  }
  void admit_unknown(bool had_credentials) noexcept;
  void admit(const store::User* user) noexcept;
  // In the windows of the caller's address, its user or both. False: one of them is spent.
  [[nodiscard]] bool count_call(const store::User* user) noexcept;
  void refuse_body(BodyFault fault) noexcept;
  void log(std::string_view verb, std::string_view what, std::string_view target) noexcept;
  void answer_oauth(int status, std::string_view body, std::string_view challenge = "") noexcept;

  Context& context_;
  http::Exchange& exchange_;
  const Route& route_;
  bool* came_home_ = nullptr;  // while start() waits to see whether memory held the answer
  RateLimiter::Verdict verdict_;
  std::int64_t window_ends_ms_ = 0;  // on the wall clock
  ClientAddress address_{};
  Cors::Choice origin_ = Cors::kNoOrigin;  // the caller's page's
  bool counted_ = false;
  bool lost_ = false;  // the request could not be kept
  store::Authenticate authenticate_;
};

// The operations of an endpoint that follow one another share their memory. Making the next one
// ends the one before: what is still needed of that is copied first.
template <class... Operations>
class Steps {
 public:
  template <class Operation>
  [[nodiscard]] Operation& make() noexcept {
    return step_.template emplace<Operation>();
  }
  template <class Operation>
  [[nodiscard]] Operation& get() noexcept {
    Operation* step = std::get_if<Operation>(&step_);
    CHECK(step != nullptr);
    return *step;
  }

 private:
  std::variant<std::monostate, Operations...> step_;
};

template <class Endpoint>
void serve(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  exchange.emplace<Endpoint>(context, exchange, route).start();
}

}  // namespace tokend::api
