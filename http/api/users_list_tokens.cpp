// GET users.listTokens: a page of the tokens that are valid for oneself, or for another user, in
// order of issue. Beyond the original.
//
// A token is told by its public id (store/token_id.h), never by its text, which nobody has but its
// holder. The last characters are there for personal tokens only: to show them they must be stored,
// and a part of a secret is a part less to guess (store/personal_token.h).

#include <algorithm>

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/page.h"
#include "http/api/text.h"

namespace tokend::api {
namespace {

std::string_view name_of(store::TokenKind kind) noexcept {
  switch (kind) {
    case store::TokenKind::login: return "login";
    case store::TokenKind::issued: return "issued";
    case store::TokenKind::personal: return "personal";
  }
  return {};
}

class UserTokenList final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    Body fields;
    if (!read_query(fields)) return;
    const std::string_view id = fields.name("userId").value_or(caller().id.view());
    if (id != caller().id.view() && !allows(store::Permission::logout_other_user)) return forbid();
    if (!read_page(fields, list_.offset, list_.count)) return answer(kInvalidPage);
    if (!store::UserId::fits(id)) return answer(kInvalidUser);
    list_.user = store::UserId(id);
    list_.then<&UserTokenList::on_listed>(*this);
    store().list_tokens(list_);
  }
  void on_listed() noexcept {
    if (!list_.result) {
      return list_.result.error() == core::Errc::not_found ? answer(kInvalidUser)
                                                           : fail(list_.result.error());
    }
    JsonWriter json = writer();
    json.begin_object().key("tokens").begin_array();
    for (const store::ListTokens::Token& token : list_.tokens) write(json, token);
    json.end_array();
    json.key("count").number(static_cast<std::int64_t>(list_.tokens.size()));
    json.key("offset").number(static_cast<std::int64_t>(list_.offset));
    json.key("total").number(static_cast<std::int64_t>(list_.total));
    json.key("success").boolean(true).end_object();
    succeed(json);
  }
  void write(JsonWriter& json, const store::ListTokens::Token& token) {
    const store::TokenRecord& record = token.record;
    json.begin_object().key("id").text(store::view_of(store().id_of(token.locator)));
    json.key("kind").text(name_of(record.kind));
    if (record.kind == store::TokenKind::personal) {
      json.key("name").text(record.name);
      const auto& personal = list_.personal_tokens();
      const auto same = std::ranges::find(personal, token.locator, &store::PersonalToken::locator);
      if (same != personal.end()) json.key("lastTokenPart").text(store::view_of(same->last_part));
    }
    json.key("createdAt").text(view_of(iso_time(token.locator.issued_ms()))).key("expiresAt");
    if (record.expires_ms == store::kNeverExpires) {
      json.raw("null");
    } else {
      json.text(view_of(iso_time(record.expires_ms)));
    }
    json.key("issuer").text(record.issuer.view());
    json.key("current").boolean(token.locator == caller().token).end_object();
  }

  store::ListTokens list_;
};

}  // namespace

void users_list_tokens(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<UserTokenList>(context, exchange, route);
}

}  // namespace tokend::api
