#include "tests/simulation/oracle.h"

#include <algorithm>

namespace tokend::simulation {

void Oracle::begin_revoking(std::size_t user, Which which, const store::Locator& except) {
  for (const std::size_t number : users[user].tokens) {
    KnownToken& token = tokens[number];
    if (which == Which::dated && token.personal()) continue;
    if (token.locator != except) token.may_be_dead = true;
  }
}

void Oracle::finish_revoking(std::size_t user, Which which, const store::Locator& except,
                             Event begun) {
  for (const std::size_t number : users[user].tokens) {
    KnownToken& token = tokens[number];
    if (token.locator == except || (which == Which::dated && token.personal())) continue;
    token.may_be_dead = true;
    // What was issued while the change was under way may have come behind it.
    if (token.issued < begun) token.dead = std::min(token.dead, now_);
  }
}

void Oracle::begin_ending(std::size_t user, const std::string& name) {
  for (const std::size_t number : users[user].tokens) {
    if (tokens[number].name == name) tokens[number].may_be_dead = true;
  }
}

void Oracle::finish_ending(std::size_t user, const std::string& name, const store::Locator& bound,
                           Event begun) {
  for (const std::size_t number : users[user].tokens) {
    KnownToken& token = tokens[number];
    if (token.name != name || token.locator >= bound) continue;
    token.may_be_dead = true;
    if (token.issued < begun) token.dead = std::min(token.dead, now_);
  }
}

bool Oracle::is_of(const Bulk& bulk, const KnownToken& token) {
  if (token.locator.issued_ms() >= bulk.before_ms) return false;
  return !bulk.issuer || (!token.personal() && token.issuer == *bulk.issuer);
}

void Oracle::begin_bulk(const Bulk& bulk) {
  ++bulk_under_way;
  for (KnownToken& token : tokens) {
    if (is_of(bulk, token)) token.may_be_dead = true;
  }
}

void Oracle::finish_bulk(const Bulk& bulk, Event begun) {
  for (KnownToken& token : tokens) {
    if (is_of(bulk, token) && token.issued < begun) token.dead = std::min(token.dead, now_);
  }
}

std::size_t Oracle::newer_for_sure(const KnownToken& token, Event before,
                                   std::int64_t at_ms) const {
  std::size_t count = 0;
  for (const std::size_t number : users[token.user].tokens) {
    const KnownToken& other = tokens[number];
    count += !other.personal() && other.locator > token.locator && other.issued < before &&
             !other.may_be_dead && other.expires_ms > at_ms;
  }
  return count;
}

std::size_t Oracle::newer_perhaps(const KnownToken& token) const {
  const KnownUser& user = users[token.user];
  std::size_t count = user.issues_under_way + user.issues_unknown;
  for (const std::size_t number : user.tokens) {
    count += !tokens[number].personal() && tokens[number].locator > token.locator;
  }
  return count;
}

std::string Oracle::judge(std::size_t number, bool accepted, Event asked, std::int64_t asked_ms,
                          std::int64_t answered_ms, bool limited) const {
  const KnownToken& token = tokens[number];
  if (accepted) {
    if (token.dead < asked) return "a revoked token was accepted";
    if (token.expires_ms <= asked_ms) return "an expired token was accepted";
    // One whose revocation is under way may be out of the count of the limit and not yet refused by
    // every core: it was not displaced, and its revocation has not been answered.
    // So may one that an issue under way displaces, whose own token has expired since: later issues
    // displace nothing then and are answered before it is, as long as they are no more than the
    // limit.
    const std::size_t newer_max = users[token.user].issues_under_way > 0 ? limit_ : limit_ - 1;
    if (limited && !token.personal() && !token.may_be_dead &&
        newer_for_sure(token, asked, asked_ms) > newer_max) {
      return "a token beyond the limit was accepted";
    }
    return {};
  }
  if (token.issued < asked && !token.may_be_dead && token.expires_ms > answered_ms &&
      (token.personal() || newer_perhaps(token) < limit_)) {
    return "a valid token was refused";
  }
  return {};
}

}  // namespace tokend::simulation
