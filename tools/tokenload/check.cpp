#include "tools/tokenload/check.h"

#include <array>

namespace tokend::load {
namespace {

constexpr std::string_view kBeforeId = R"({"data":{"userId":")";
constexpr std::string_view kBeforeToken = R"(","authToken":")";
constexpr std::string_view kAfterToken = R"("},"success":true})";

constexpr std::array<bool, 256> make_base64url() noexcept {
  std::array<bool, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  table['-'] = table['_'] = true;
  return table;
}
constexpr std::array<bool, 256> kBase64Url = make_base64url();

}  // namespace

bool is_token(std::string_view text) noexcept {
  bool good = text.size() == kTokenCharacters;
  for (const char c : text) good &= kBase64Url[static_cast<unsigned char>(c)];
  return good;
}

std::string_view name_of(Call call) noexcept {
  switch (call) {
    case Call::create_token: return "create-token";
    case Call::create_tokens: return "create-tokens";
    case Call::me: return "me";
    case Call::auth: return "auth";
  }
  return "?";
}

std::string_view name_of(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::right: return "right";
    case Verdict::not_200: return "not_200";
    case Verdict::wrong_shape: return "wrong_shape";
    case Verdict::wrong_user: return "wrong_user";
    case Verdict::bad_token: return "bad_token";
    case Verdict::entry_refused: return "entry_refused";
    case Verdict::count_: break;
  }
  return "?";
}

Verdict AnswerCheck::check(const Answer& answer, std::string_view expected_id) noexcept {
  token_ = {};
  if (answer.status != 200) return Verdict::not_200;
  if (constant_) return check_constant(answer.body);
  switch (call_) {
    case Call::create_token: return check_create_token(answer.body, expected_id);
    case Call::create_tokens: break;
    case Call::me: return check_me(answer.body, expected_id);
    case Call::auth: return check_auth(answer.head, answer.body, expected_id);
  }
  return Verdict::wrong_shape;
}

Verdict AnswerCheck::check_create_token(std::string_view body,
                                        std::string_view expected_id) noexcept {
  if (!body.starts_with(kBeforeId) || !body.ends_with(kAfterToken)) return Verdict::wrong_shape;
  std::string_view rest = body.substr(kBeforeId.size());
  if (!rest.starts_with(expected_id) || !rest.substr(expected_id.size()).starts_with('"')) {
    return Verdict::wrong_user;
  }
  rest.remove_prefix(expected_id.size());
  if (!rest.starts_with(kBeforeToken)) return Verdict::wrong_shape;
  rest.remove_prefix(kBeforeToken.size());
  // The end of a token that is too short may be the beginning of what follows it.
  if (rest.size() != kTokenCharacters + kAfterToken.size()) return Verdict::bad_token;
  const std::string_view token = rest.substr(0, kTokenCharacters);
  if (!is_token(token)) return Verdict::bad_token;
  token_ = token;
  return Verdict::right;
}

Verdict AnswerCheck::check_me(std::string_view body, std::string_view expected_id) noexcept {
  if (body == accepted_body_ && expected_id == accepted_id_ && !body.empty()) {
    return Verdict::right;
  }
  constexpr std::string_view kId = R"("_id":")";
  if (!body.starts_with('{') || !body.ends_with(R"("success":true})")) return Verdict::wrong_shape;
  const std::size_t id = body.find(kId);
  if (id == std::string_view::npos) return Verdict::wrong_shape;
  const std::string_view rest = body.substr(id + kId.size());
  if (!rest.starts_with(expected_id) || !rest.substr(expected_id.size()).starts_with('"')) {
    return Verdict::wrong_user;
  }
  accepted_body_.assign(body);
  accepted_id_.assign(expected_id);
  return Verdict::right;
}

Verdict AnswerCheck::check_auth(std::string_view head, std::string_view body,
                                std::string_view expected_id) noexcept {
  constexpr std::string_view kName = "\r\nX-User-Id: ";
  const std::size_t at = head.find(kName);
  if (!body.empty() || at == std::string_view::npos) return Verdict::wrong_shape;
  const std::string_view rest = head.substr(at + kName.size());
  return rest.starts_with(expected_id) && rest.substr(expected_id.size()).starts_with("\r\n")
             ? Verdict::right
             : Verdict::wrong_user;
}

Verdict AnswerCheck::check_constant(std::string_view body) noexcept {
  if (!constant_seen_) {
    constant_seen_ = true;
    constant_bytes_ = body.size();
  }
  return body.size() == constant_bytes_ ? Verdict::right : Verdict::wrong_shape;
}

}  // namespace tokend::load
