// Personal access tokens: the part of store/write_rules.h that keeps each user's list of them
// (store/personal_token.h) true.

#include <algorithm>

#include "store/personal_token.h"
#include "store/write_rules.h"

namespace tokend::store {
namespace {

using core::Errc;

std::unexpected<Errc> failed(Errc code) noexcept { return std::unexpected(code); }

}  // namespace

std::expected<std::vector<PersonalToken>, Errc> WriteRules::read_personal_tokens(
    const UserId& user, bool* had_revoked) {
  if (had_revoked) *had_revoked = false;
  const auto found = state_.overlay.get(Family::personal_tokens, user.view(), value_);
  if (!found) return failed(found.error().code);
  if (*found != Found::yes) return std::vector<PersonalToken>();
  auto tokens = decode_personal_tokens(value_);
  if (!tokens) return failed(tokens.error().code);
  const std::size_t revoked = std::erase_if(
      *tokens, [&](const PersonalToken& token) { return token.locator < floors_->everyone(); });
  if (had_revoked) *had_revoked = revoked > 0;
  return *std::move(tokens);
}

void WriteRules::write_personal_tokens(const UserId& user,
                                       const std::vector<PersonalToken>& tokens) {
  if (tokens.empty()) return state_.overlay.remove(Family::personal_tokens, user.view());
  value_.clear();
  encode(tokens, value_);
  state_.overlay.put(Family::personal_tokens, user.view(), value_);
}

WriteRules::Outcome WriteRules::issue_personal(IssuePersonalToken& operation,
                                               Broadcast& broadcast) {
  using Refusal = IssuePersonalToken::Refusal;
  operation.refusal = Refusal::none;
  TokenIssuer& issuer = issuer_of(operation.user);
  if (const Outcome allowed = issuer.may_be_issued(operation); !allowed) return allowed;
  auto tokens = read_personal_tokens(operation.user);
  if (!tokens) return failed(tokens.error());
  const auto same = std::ranges::find(*tokens, operation.name, &PersonalToken::name);
  if (operation.regenerate) {
    if (same == tokens->end()) {
      operation.refusal = Refusal::unknown_name;
      return failed(Errc::not_found);
    }
    // The old one ends and the new one begins in one write.
    operation.bypass_two_factor = same->bypass_two_factor;
    remove_token(same->locator, broadcast);
    tokens->erase(same);
  } else if (same != tokens->end()) {
    operation.refusal = Refusal::name_taken;
    return failed(Errc::exists);
  } else if (tokens->size() >=
             std::min(options_.personal_tokens_per_user_max, kPersonalTokensMax)) {
    operation.refusal = Refusal::too_many;
    return failed(Errc::refused);
  }
  operation.expires_ms = kNeverExpires;
  operation.locator = locators_.next(now_ms_);
  issuer.mint(operation);
  PersonalToken& token = tokens->emplace_back();
  token.locator = operation.locator;
  token.bypass_two_factor = operation.bypass_two_factor;
  std::ranges::copy(view_of(operation.token).substr(kTokenCharacters - kLastPartCharacters),
                    token.last_part.begin());
  token.name = operation.name;
  write_personal_tokens(operation.user, *tokens);
  return {};
}

WriteRules::Outcome WriteRules::remove(RemovePersonalToken& operation, Broadcast& broadcast) {
  auto tokens = read_personal_tokens(operation.user);
  if (!tokens) return failed(tokens.error());
  const auto same = std::ranges::find(*tokens, operation.name, &PersonalToken::name);
  if (same == tokens->end()) return failed(Errc::not_found);
  remove_token(same->locator, broadcast);
  tokens->erase(same);
  write_personal_tokens(operation.user, *tokens);
  return {};
}

WriteRules::Outcome WriteRules::remove_personal_token(const UserId& user, const Locator& locator) {
  bool changed = false;
  auto tokens = read_personal_tokens(user, &changed);
  if (!tokens) return failed(tokens.error());
  const auto is_it = [&](const PersonalToken& token) { return token.locator == locator; };
  if (std::erase_if(*tokens, is_it) > 0) changed = true;
  if (changed) write_personal_tokens(user, *tokens);
  return {};
}

WriteRules::Outcome WriteRules::remove_personal_tokens(const UserId& user, const Locator& kept,
                                                       Broadcast& broadcast) {
  bool had_revoked = false;
  const auto tokens = read_personal_tokens(user, &had_revoked);
  if (!tokens) return failed(tokens.error());
  if (tokens->empty() && !had_revoked) return {};
  std::vector<PersonalToken> left;
  for (const PersonalToken& token : *tokens) {
    if (token.locator == kept) {
      left.push_back(token);
    } else {
      remove_token(token.locator, broadcast);
    }
  }
  write_personal_tokens(user, left);
  return {};
}

}  // namespace tokend::store
