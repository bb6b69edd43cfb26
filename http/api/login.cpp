// POST login: by password or by resuming a token (contract 4.1, 9.10, 9.11).
//
// An unknown user costs the same time as a wrong password: there is always one bcrypt comparison,
// against nobody's hash if need be. That a user is deactivated is told after the right password
// only. A name or an address with too many failures is blocked for a while
// (http/api/login_block.h). Resuming a token is neither counted nor blocked: nobody guesses a
// token, and a client that goes on trying an expired one shall not lock its whole address out.

#include <optional>

#include "core/fixed_string.h"
#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/text.h"
#include "http/api/user_json.h"

namespace tokend::api {
namespace {

using store::AuditReason;

constexpr std::size_t kSha256HexCharacters = 64;
// Longer ones are no tokens, imported ones included.
using ResumeToken = core::FixedString<255>;

class Login final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User* user) noexcept override;
  void resume(std::string_view token) noexcept;
  void on_resumed() noexcept;
  void refuse_resume() noexcept;
  void record_resume(const store::UserId& user, const store::Locator& token,
                     AuditReason reason) noexcept;
  void on_user_found() noexcept;
  void on_verified() noexcept;
  void on_issued() noexcept;
  // True: blocked, and answered.
  [[nodiscard]] bool refuse_blocked() noexcept;
  [[nodiscard]] std::int64_t now_ms() noexcept {
    return context().clock.monotonic_ns / core::kNanosecondsPerMillisecond;
  }
  void succeed_as(const store::User& user, std::string_view token) noexcept;

  LoginBlock::Attempt attempt_{};
  std::string password_hex_;
  store::User user_;
  Steps<ResumeToken, store::FindUser, store::VerifyPassword, store::IssueToken> steps_;
};

struct Identity {
  store::UserKey key;
  std::string_view value;
};

std::optional<std::string_view> name_in(JsonValue object, std::string_view key) noexcept {
  const auto value = object.member(key);
  const auto text = value ? value->text() : std::nullopt;
  const std::string_view trimmed = text ? trim(*text) : std::string_view();
  return trimmed.empty() ? std::nullopt : std::optional(trimmed);
}

std::optional<Identity> identity_of(const Body& body) noexcept {
  if (const auto user = body.name("user")) {
    const bool email = user->find('@') != std::string_view::npos;
    return Identity{email ? store::UserKey::email : store::UserKey::username, *user};
  }
  if (const auto user = body.value("user"); user && user->is_object()) {
    if (const auto name = name_in(*user, "username"))
      return Identity{store::UserKey::username, *name};
    if (const auto email = name_in(*user, "email")) return Identity{store::UserKey::email, *email};
  }
  if (const auto name = body.name("username")) return Identity{store::UserKey::username, *name};
  if (const auto email = body.name("email")) return Identity{store::UserKey::email, *email};
  return std::nullopt;
}

// The hex SHA-256 of the password, from the password or as the client made it; empty when none was
// given in a form that we know. A digest of a wrong length is no error of form: it just never
// matches.
std::string password_hex_of(const Body& body) {
  if (const auto password = body.text("password")) return sha256_hex(*password);
  const auto object = body.value("password");
  if (!object || name_in(*object, "algorithm") != "sha-256") return {};
  const auto digest = name_in(*object, "digest");
  if (!digest) return {};
  if (digest->size() != kSha256HexCharacters) return std::string(kSha256HexCharacters, '-');
  std::string hex(*digest);
  for (char& digit : hex) {
    if (digit >= 'A' && digit <= 'F') digit = static_cast<char>(digit + ('a' - 'A'));
  }
  return hex;
}

void Login::run(const Body& body, const store::User*) noexcept {
  if (const auto token = body.name("resume")) return resume(*token);
  const auto identity = identity_of(body);
  password_hex_ = password_hex_of(body);
  if (!identity || password_hex_.empty()) return answer(kLoginParamsMissing);
  attempt_ = LoginBlock::attempt(identity->value, address());
  if (refuse_blocked()) return;
  auto& find = steps_.make<store::FindUser>();
  find.key = identity->key;
  find.value = identity->value;
  find.then<&Login::on_user_found>(*this);
  store().find_user(find);
}

bool Login::refuse_blocked() noexcept {
  switch (context().login_block.blocked(attempt_, now_ms())) {
    case LoginBlock::By::nothing: return false;
    case LoginBlock::By::user:
      log_refusal(AuditReason::name_blocked);
      answer(kLoginBlockedForUser);
      return true;
    case LoginBlock::By::address:
      log_refusal(AuditReason::address_blocked);
      answer(kLoginBlockedForAddress);
      return true;
  }
  return false;
}

void Login::on_user_found() noexcept {
  const auto& found = steps_.get<store::FindUser>();
  if (!found.result && found.result.error() != core::Errc::not_found) {
    return fail(found.result.error());
  }
  if (found.result) user_ = *found.user;
  user_.edition = 0;  // a copy, of which the password goes
  auto& verify = steps_.make<store::VerifyPassword>();
  verify.sha256_hex = std::move(password_hex_);
  verify.password_hash = std::move(user_.password_hash);
  verify.then<&Login::on_verified>(*this);
  store().verify_password(verify);
}

void Login::on_verified() noexcept {
  const auto& verified = steps_.get<store::VerifyPassword>();
  if (!verified.result) return fail(verified.result.error());
  if (refuse_blocked()) return;
  if (!verified.matches || user_.id.empty()) {
    context().login_block.failed(attempt_, now_ms());
    log_refusal(user_.id.empty() ? AuditReason::user_unknown : AuditReason::password_wrong,
                user_.id.view());
    return answer(kLoginFailed);
  }
  if (!user_.active) {
    log_refusal(AuditReason::user_inactive, user_.id.view());
    return answer(kUserIsNotActivated);
  }
  context().login_block.succeeded(attempt_, now_ms());
  auto& issue = steps_.make<store::IssueToken>();
  issue.user = user_.id;
  issue.issuer = user_.id;
  issue.token_kind = store::TokenKind::login;
  issue.checks_floor = true;
  issue.locator = user_.valid_from;
  issue.address = address();
  issue.then<&Login::on_issued>(*this);
  store().write(issue);
}

void Login::on_issued() noexcept {
  const auto& issued = steps_.get<store::IssueToken>();
  if (!issued.result) {
    // Deleted, deactivated, or given another password while this one was compared.
    switch (issued.result.error()) {
      case core::Errc::not_found:
        log_refusal(AuditReason::password_wrong, user_.id.view());
        return answer(kLoginFailed);
      case core::Errc::refused:
        log_refusal(AuditReason::user_inactive, user_.id.view());
        return answer(kUserIsNotActivated);
      default: return fail(issued.result.error());
    }
  }
  succeed_as(user_, store::view_of(issued.token));
}

void Login::resume(std::string_view token) noexcept {
  if (!ResumeToken::fits(token)) return refuse_resume();
  auto& kept = steps_.make<ResumeToken>();
  kept = ResumeToken(token);
  authentication().token = kept.view();
  authentication().any_user = true;
  authentication().then<&Login::on_resumed>(*this);
  store().authenticate(authentication());
}

void Login::on_resumed() noexcept {
  const auto& resumed = authentication();
  if (!resumed.result) {
    return resumed.result.error() == core::Errc::not_found ? refuse_resume()
                                                           : fail(resumed.result.error());
  }
  record_resume(resumed.caller.id, resumed.caller.token, AuditReason::none);
  succeed_as(*resumed.user, steps_.get<ResumeToken>().view());
}

void Login::refuse_resume() noexcept {
  record_resume({}, {}, AuditReason::token_invalid);
  answer(kLoginFailed);
}

void Login::record_resume(const store::UserId& user, const store::Locator& token,
                          AuditReason reason) noexcept {
  store::AuditRecord record;
  record.event = store::AuditEvent::resume;
  record.reason = reason;
  record.origin = {user, address()};
  record.target = user;
  record.token = token;
  context().audit.add(record);
}

void Login::succeed_as(const store::User& user, std::string_view token) noexcept {
  JsonWriter json = writer();
  json.begin_object().key("status").text("success").key("data").begin_object();
  json.key("userId").text(user.id.view()).key("authToken").text(token);
  json.key("me").begin_object();
  write_me(json, user);
  json.end_object().end_object().key("success").boolean(true).end_object();
  succeed(json);
}

}  // namespace

void login(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<Login>(context, exchange, route);
}

}  // namespace tokend::api
