// POST users.createToken: a token for someone, made by whoever may (contract sections 1 and 9.1,
// 9.2). The order of the checks is the contract's: an outsider learns nothing about which users
// exist, and all refusals after "a target was named" look the same to the client. Why it was
// refused goes to the log.
//
// Beyond the original: a `lifetime`, in seconds or as "15m", "12h", "7d", for this one token. The
// answer then carries `expiresAt` as well. An Idempotency-Key, with which the same request gets the
// same answer again; whoever may not ask any more is refused as before. And the policies of the
// caller's roles (store/issuing_policy.h): the committer keeps the bounds on targets and lifetimes,
// for every way of naming the target; here a lifetime is refused early, and the rate is kept. They
// bind whoever knows the secret, too, and of what someone issues for itself, the lifetime and the
// rate.

#include <memory>
#include <string>

#include "http/api/endpoints.h"
#include "http/api/idempotency_key.h"
#include "http/api/issuing_call.h"
#include "http/api/target.h"
#include "http/api/text.h"

namespace tokend::api {
namespace {

class CreateToken final : public IssuingCall {
 public:
  using IssuingCall::IssuingCall;

 private:
  struct KeyedTarget : Keyed {
    store::UserKey key = store::UserKey::id;
    std::string value;
  };

  void run(const Body& body, const store::User* user) noexcept override;
  void run_keyed(const Target& target) noexcept;
  void look_key_up() noexcept;
  void on_key_looked_up() noexcept;
  void find_target(const Target& target) noexcept;
  void on_target_found() noexcept;
  void issue_for(const store::UserId& target) noexcept;
  void on_issued() noexcept;
  void answer_issued(const store::UserId& user, const store::TokenText& token,
                     std::int64_t expires_ms) noexcept;
  void refuse_issue(const store::IssueToken& issued) noexcept;

  std::int64_t lifetime_ms_ = 0;  // 0: none was asked for
  std::unique_ptr<KeyedTarget> keyed_;
  Steps<store::FindUser, store::IssueToken> steps_;
};

using store::AuditReason;

// As far as a name tells it.
std::string_view id_of(const Target& target) noexcept {
  const bool is_id = target.key == store::UserKey::id && store::UserId::fits(target.value);
  return is_id ? target.value : std::string_view();
}

bool is_oneself(const Target& target, const store::User& user) noexcept {
  if (target.key == store::UserKey::id) return target.value == user.id.view();
  return target.value == user.username || store::fold(target.value) == store::fold(user.username);
}

void CreateToken::run(const Body& body, const store::User* user) noexcept {
  if (const AuditReason reason = gate(body); reason != AuditReason::none) {
    return refuse_not_authorized(reason);
  }
  const auto target = target_of(body);
  if (!target) return answer(kUserParamNotProvided);
  if (!allows(store::Permission::user_generate_access_token) && !is_oneself(*target, *user)) {
    return refuse_not_authorized(AuditReason::no_permission, id_of(*target));
  }
  if (!read_lifetime(body, lifetime_ms_)) return refuse_lifetime(lifetime_ms_max());
  if (has_key()) return run_keyed(*target);
  if (count_for_policies(1)) find_target(*target);
}

void CreateToken::run_keyed(const Target& target) noexcept {
  keyed_ = std::make_unique<KeyedTarget>();
  keyed_->key = target.key;
  keyed_->value = target.value;
  if (read_key(digest_of_request(target, lifetime_ms_), *keyed_)) look_key_up();
}

void CreateToken::look_key_up() noexcept {
  if (++keyed_->look_ups > kKeyLookUpsMax) return fail(core::Errc::full);
  keyed_->find.then<&CreateToken::on_key_looked_up>(*this);
  store().find_keyed(keyed_->find);
}

void CreateToken::on_key_looked_up() noexcept {
  if (!keyed_->find.result) return refuse_key(keyed_->find.result.error());
  store::KeyedRequest& keyed = keyed_->request;
  if (keyed.items.empty()) {
    if (count_for_policies(*keyed_, 1)) find_target({keyed_->key, keyed_->value});
    return;
  }
  const store::UserId user = keyed.items.front().user;
  // The target's name may have been another's then.
  if (user != caller().id && !allows(store::Permission::user_generate_access_token)) {
    return refuse_not_authorized(AuditReason::no_permission, user.view());
  }
  record_replay(1, user, keyed.items.front().locator);
  answer_issued(user, store().token_of(keyed, 0), keyed.items.front().expires_ms);
}

void CreateToken::find_target(const Target& target) noexcept {
  // Whether an id is somebody's and active is decided where the token is made: the committer knows
  // everyone whom it issues for, so looking here as well would only cost.
  if (target.key == store::UserKey::id) {
    return store::UserId::fits(target.value) ? issue_for(store::UserId(target.value))
                                             : refuse_unknown();
  }
  auto& find = steps_.make<store::FindUser>();
  find.key = target.key;
  find.value = target.value;
  find.then<&CreateToken::on_target_found>(*this);
  store().find_user(find);
}

void CreateToken::on_target_found() noexcept {
  const auto& found = steps_.get<store::FindUser>();
  if (!found.result) {
    return found.result.error() == core::Errc::not_found ? refuse_unknown()
                                                         : fail(found.result.error());
  }
  const store::UserId id = found.user->id;
  // The caller's own name may be another's by now.
  if (id != caller().id && !allows(store::Permission::user_generate_access_token)) {
    return refuse_not_authorized(AuditReason::no_permission, id.view());
  }
  if (!found.user->active) return refuse_not_authorized(AuditReason::target_inactive, id.view());
  issue_for(id);
}

void CreateToken::issue_for(const store::UserId& target) noexcept {
  auto& issue = steps_.make<store::IssueToken>();
  issue.user = target;
  fill(issue, lifetime_ms_);
  if (keyed_) [[unlikely]] {
    keyed_->request.begin_part();
    issue.keyed = &keyed_->request;
  }
  issue.then<&CreateToken::on_issued>(*this);
  store().write(issue);
}

void CreateToken::on_issued() noexcept {
  const auto& issued = steps_.get<store::IssueToken>();
  if (!issued.result) {
    switch (issued.result.error()) {
      case core::Errc::not_found: return refuse_unknown(issued.user.view());
      case core::Errc::refused: return refuse_issue(issued);
      // A request with the same key was under way, and is through now.
      case core::Errc::exists: return look_key_up();
      default: return fail(issued.result.error());
    }
  }
  answer_issued(issued.user, issued.token, issued.expires_ms);
}

void CreateToken::answer_issued(const store::UserId& user, const store::TokenText& token,
                                std::int64_t expires_ms) noexcept {
  std::string& out = context().answer_bytes;
  out.assign(R"({"data":{"userId":")");
  append_escaped(out, user.view());
  out += R"(","authToken":")";
  out += store::view_of(token);
  if (lifetime_ms_ > 0) {
    out += R"(","expiresAt":")";
    out += view_of(iso_time(expires_ms));
  }
  out += R"("},"success":true})";
  answer(200, out);
}

void CreateToken::refuse_issue(const store::IssueToken& issued) noexcept {
  // The policy has changed since the lifetime was read.
  if (issued.broken_bound == store::BrokenBound::lifetime) {
    log_refusal(AuditReason::policy_lifetime, issued.user.view());
    return refuse_lifetime(issued.lifetime_ms);
  }
  if (issued.broken_bound == store::BrokenBound::shown_token) {
    log_refusal(reason_of_refusal(issued), issued.user.view());
    return answer(kNotLoggedIn);
  }
  refuse_not_authorized(reason_of_refusal(issued), issued.user.view());
}

}  // namespace

void create_token(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<CreateToken>(context, exchange, route);
}

}  // namespace tokend::api
