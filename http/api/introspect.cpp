// POST /oauth2/introspect (RFC 7662) and POST /oauth2/introspect/batch: whether tokens are valid,
// whose they are and for how long. For whoever holds `introspect-tokens`: a service that is shown
// tokens and asks what they are worth.
//
// `{"active":false}` is said of everything that does not authenticate: unknown, expired, revoked,
// its holder deactivated (section 2.2). Times are NumericDates, whole seconds; `exp` is rounded
// down, so that nobody takes a token for valid that is not any more, and left out of a token that
// never expires; `jti` is what users.listTokens calls `id`. `token_type_hint` may be ignored
// (section 2.1), and is: tokens are of one kind.
//
// What memory knows is answered in the turn that it came in, and sends no message.

#include <algorithm>
#include <string>
#include <vector>

#include "http/api/call.h"
#include "http/api/endpoints.h"

namespace tokend::api {
namespace {

// What memory is taken for at once; a longer result makes it grow.
constexpr std::size_t kResultBytesExpected = 224;
// Tokens of one batch.
constexpr std::size_t kBatchTokensMax = 100;

constexpr FixedAnswer kFormWanted{400, R"({"error":"invalid_request","error_description":)"
                                       R"("The body must be application/x-www-form-urlencoded"})"};
constexpr FixedAnswer kTokenMissing{
    400, R"({"error":"invalid_request","error_description":"The parameter 'token' is required"})"};
constexpr FixedAnswer kParameterRepeated{
    400, R"({"error":"invalid_request","error_description":"A parameter is repeated"})"};
constexpr FixedAnswer kTokensMissing{400, R"({"error":"invalid_request","error_description":)"
                                          R"("The member 'tokens' must be an array of strings"})"};
constexpr FixedAnswer kTooManyTokens{
    400, R"({"error":"invalid_request","error_description":"At most 100 tokens at once"})"};
static_assert(kBatchTokensMax == 100, "kTooManyTokens says so");

// True when it could be decided; else `checked` tells why not.
bool is_decided(const store::Authenticate& checked) noexcept {
  return checked.result || checked.result.error() == core::Errc::not_found;
}

// While `checked.user` is valid.
void write_introspection(JsonWriter& json, store::Store& store,
                         const store::Authenticate& checked) {
  json.begin_object().key("active").boolean(checked.result.has_value());
  if (checked.result) {
    const store::Caller& holder = checked.caller;
    const store::TokenId token_id = store.id_of(holder.token);
    json.key("sub").text(holder.id.view()).key("username").text(checked.user->username);
    json.key("token_type").text("Bearer").key("jti").text(store::view_of(token_id));
    json.key("iat").number(holder.token.issued_ms() / core::kMillisecondsPerSecond);
    if (holder.token_expires_ms != store::kNeverExpires) {
      json.key("exp").number(holder.token_expires_ms / core::kMillisecondsPerSecond);
    }
  }
  json.end_object();
}

class Introspect final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    if (!body.is_form()) return answer(kFormWanted);
    // RFC 6749, section 3.2: a parameter without a value is none, and none stands there twice.
    if (body.repeats("token") || body.repeats("token_type_hint")) return answer(kParameterRepeated);
    const auto token = body.text("token");
    if (!token || token->empty()) return answer(kTokenMissing);
    check_.token = *token;
    check_.any_user = true;
    check_.then<&Introspect::on_checked>(*this);
    store().authenticate(check_);
  }
  void on_checked() noexcept {
    if (!is_decided(check_)) return fail(check_.result.error());
    JsonWriter json = writer();
    write_introspection(json, store(), check_);
    succeed(json);
  }

  store::Authenticate check_;
};

// Answers {"results":[…]}, one for each token, in their order.
class IntrospectBatch final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override;
  void check_next() noexcept;
  void on_checked() noexcept;

  // Of the request's bytes nothing is left once a worker has been asked.
  std::vector<store::TokenText> tokens_;
  std::size_t index_ = 0;  // of the token that is being checked
  std::string results_;
  JsonWriter json_{results_};
  // While check_next() waits to see whether memory held the answer.
  bool* came_home_ = nullptr;
  store::Authenticate check_;
};

void IntrospectBatch::run(const Body& body, const store::User*) noexcept {
  const auto list = body.value("tokens");
  if (!list || !list->is_array()) return answer(kTokensMissing);
  bool too_many = false;
  const bool all_read = list->each([&](JsonValue element) {
    const auto text = element.text();
    if (!text) return false;
    if (tokens_.size() == kBatchTokensMax) {
      too_many = true;
      return false;
    }
    // What has another length is no token, and neither is one of zeros.
    store::TokenText& token = tokens_.emplace_back();
    if (text->size() == token.size()) std::ranges::copy(*text, token.begin());
    return true;
  });
  if (!all_read) return answer(too_many ? kTooManyTokens : kTokensMissing);
  check_.any_user = true;
  check_.then<&IntrospectBatch::on_checked>(*this);
  results_.reserve(tokens_.size() * kResultBytesExpected);
  json_.begin_object().key("results").begin_array();
  check_next();
}

// A loop while memory answers: a continuation that asked for the next one itself would go as deep
// as there are tokens.
void IntrospectBatch::check_next() noexcept {
  while (index_ < tokens_.size()) {
    bool came_home = false;
    came_home_ = &came_home;
    check_.token = store::view_of(tokens_[index_]);
    store().authenticate(check_);
    came_home_ = nullptr;
    // A worker reads the disk; the continuation goes on from there.
    if (!came_home) return;
    if (!is_decided(check_)) return fail(check_.result.error());
  }
  json_.end_array().end_object();
  succeed(json_);
}

void IntrospectBatch::on_checked() noexcept {
  if (is_decided(check_)) write_introspection(json_, store(), check_);
  ++index_;
  if (came_home_) {
    *came_home_ = true;
    return;
  }
  if (!is_decided(check_)) return fail(check_.result.error());
  check_next();
}

}  // namespace

void introspect(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<Introspect>(context, exchange, route);
}

void introspect_batch(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<IntrospectBatch>(context, exchange, route);
}

}  // namespace tokend::api
