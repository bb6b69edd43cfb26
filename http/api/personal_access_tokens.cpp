// POST users.generatePersonalAccessToken, users.regeneratePersonalAccessToken and
// users.removePersonalAccessToken, GET users.getPersonalAccessTokens: a user's own named tokens,
// which never expire (contract section 3, 9.18).

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/text.h"
#include "store/personal_token.h"

namespace tokend::api {
namespace {

constexpr FixedAnswer kTokenNameMissing{
    400, R"({"success":false,"error":"The 'tokenName' param is required [error-invalid-params]",)"
         R"("errorType":"error-invalid-params"})"};
constexpr FixedAnswer kTokenNameTooLong{
    400, R"({"success":false,"error":"The 'tokenName' param is too long [error-invalid-params]",)"
         R"("errorType":"error-invalid-params"})"};
constexpr FixedAnswer kInvalidBypass{
    400, R"({"success":false,"error":"The 'bypassTwoFactor' param must be a boolean )"
         R"([error-invalid-params]","errorType":"error-invalid-params"})"};
constexpr FixedAnswer kTokenNameTaken{
    400, R"({"success":false,"error":"A token with this name already exists )"
         R"([error-token-already-exists]","errorType":"error-token-already-exists",)"
         R"("details":{"method":"personalAccessTokens:generateToken"}})"};
constexpr FixedAnswer kTooManyTokens{
    400, R"({"success":false,"error":"There are too many personal access tokens )"
         R"([error-too-many-tokens]","errorType":"error-too-many-tokens",)"
         R"("details":{"method":"personalAccessTokens:generateToken"}})"};
constexpr FixedAnswer kNoTokenToRegenerate{
    400, R"({"success":false,"error":"Token does not exist [error-token-does-not-exists]",)"
         R"("errorType":"error-token-does-not-exists",)"
         R"("details":{"method":"personalAccessTokens:regenerateToken"}})"};
constexpr FixedAnswer kNoTokenToRemove{
    400, R"({"success":false,"error":"Token does not exist [error-token-does-not-exists]",)"
         R"("errorType":"error-token-does-not-exists",)"
         R"("details":{"method":"personalAccessTokens:removeToken"}})"};

// What is wrong with the name of the body; nullptr when it is right and in `name`.
const FixedAnswer* read_token_name(const Body& body, std::string& name) {
  const auto given = body.name("tokenName");
  if (!given) return &kTokenNameMissing;
  if (given->size() > store::kPersonalTokenNameBytesMax) return &kTokenNameTooLong;
  name = *given;
  return nullptr;
}

template <bool regenerate>
class IssuePersonalToken final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    if (const auto* wrong = read_token_name(body, issue_.name)) return answer(*wrong);
    if constexpr (!regenerate) {
      const auto bypass = body.boolean("bypassTwoFactor");
      if (!bypass && (body.value("bypassTwoFactor") || body.text("bypassTwoFactor"))) {
        return answer(kInvalidBypass);
      }
      issue_.bypass_two_factor = bypass.value_or(false);
    }
    issue_.regenerate = regenerate;
    issue_.user = caller().id;
    issue_.issuer = caller().id;
    issue_.locator = caller().token;
    issue_.address = address();
    issue_.template then<&IssuePersonalToken::on_issued>(*this);
    store().write(issue_);
  }
  void on_issued() noexcept {
    if (!issue_.result) return refuse_issue();
    JsonWriter json = writer();
    json.begin_object().key("token").text(store::view_of(issue_.token));
    json.key("success").boolean(true).end_object();
    succeed(json);
  }
  void refuse_issue() noexcept {
    using Refusal = store::IssuePersonalToken::Refusal;
    switch (issue_.refusal) {
      case Refusal::name_taken: return answer(kTokenNameTaken);
      case Refusal::too_many: return answer(kTooManyTokens);
      case Refusal::unknown_name: return answer(kNoTokenToRegenerate);
      case Refusal::none: break;
    }
    const core::Errc code = issue_.result.error();
    if (code != core::Errc::not_found && code != core::Errc::refused) return fail(code);
    // The caller was deleted or deactivated meanwhile, or its token was revoked.
    log_refusal(issue_.broken_bound == store::BrokenBound::shown_token
                    ? store::AuditReason::caller_revoked
                    : store::AuditReason::user_inactive);
    answer(kNotLoggedIn);
  }

  store::IssuePersonalToken issue_;
};

class RemovePersonalToken final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    if (const auto* wrong = read_token_name(body, remove_.name)) return answer(*wrong);
    remove_.user = caller().id;
    remove_.origin = origin();
    remove_.then<&RemovePersonalToken::on_removed>(*this);
    store().write(remove_);
  }
  void on_removed() noexcept {
    if (remove_.result) return answer(kSuccess);
    if (remove_.result.error() == core::Errc::not_found) return answer(kNoTokenToRemove);
    fail(remove_.result.error());
  }

  store::RemovePersonalToken remove_;
};

class ListPersonalTokens final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    list_.user = caller().id;
    list_.then<&ListPersonalTokens::on_listed>(*this);
    store().list_personal_tokens(list_);
  }
  void on_listed() noexcept {
    if (!list_.result) return fail(list_.result.error());
    JsonWriter json = writer();
    json.begin_object().key("tokens").begin_array();
    for (const store::PersonalToken& token : list_.tokens) {
      json.begin_object().key("name").text(token.name);
      json.key("createdAt").text(view_of(iso_time(token.locator.issued_ms())));
      json.key("lastTokenPart").text(store::view_of(token.last_part));
      json.key("bypassTwoFactor").boolean(token.bypass_two_factor).end_object();
    }
    json.end_array().key("success").boolean(true).end_object();
    succeed(json);
  }

  store::ListPersonalTokens list_;
};

}  // namespace

void users_generate_personal_access_token(Context& context, http::Exchange& exchange,
                                          const Route& route) noexcept {
  serve<IssuePersonalToken<false>>(context, exchange, route);
}

void users_regenerate_personal_access_token(Context& context, http::Exchange& exchange,
                                            const Route& route) noexcept {
  serve<IssuePersonalToken<true>>(context, exchange, route);
}

void users_remove_personal_access_token(Context& context, http::Exchange& exchange,
                                        const Route& route) noexcept {
  serve<RemovePersonalToken>(context, exchange, route);
}

void users_get_personal_access_tokens(Context& context, http::Exchange& exchange,
                                      const Route& route) noexcept {
  serve<ListPersonalTokens>(context, exchange, route);
}

}  // namespace tokend::api
