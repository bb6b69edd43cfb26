#include "tests/crash/oracle.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string_view>

namespace tokend::tests {
namespace {

constexpr std::size_t kPipelined = 32;

// The answers to many GETs, in their order, on one connection.
std::vector<Response> ask(std::uint16_t port, const std::vector<Call>& calls) {
  HttpClient client(Endpoint{.port = port});
  std::vector<Response> responses;
  responses.reserve(calls.size());
  for (std::size_t begin = 0; begin < calls.size(); begin += kPipelined) {
    const std::size_t end = std::min(begin + kPipelined, calls.size());
    std::string bytes;
    for (std::size_t index = begin; index < end; ++index) bytes += bytes_of(calls[index]);
    client.send(bytes);
    for (std::size_t index = begin; index < end; ++index) {
      responses.push_back(client.read_response());
    }
  }
  return responses;
}

// One user's questions and, once they are answered, what is wrong.
class Examination {
 public:
  Examination(UserFact& user, const Credentials& admin, std::vector<Call>& calls) : user_(user) {
    first_ = calls.size();
    calls.push_back({.method = "GET",
                     .target = "/api/v1/users.info?userId=" + user.id,
                     .headers = headers_of(admin)});
    for (const TokenFact& fact : user.tokens) {
      if (fact.token.empty()) continue;
      calls.push_back(
          {.method = "GET", .target = "/api/v1/me", .headers = headers_of({user.id, fact.token})});
    }
  }

  void judge(const std::vector<Response>& responses, std::vector<std::string>& problems) {
    problems_ = &problems;
    judge_user(responses[first_]);
    std::size_t next = first_ + 1;
    for (std::size_t index = 0; index < user_.tokens.size(); ++index) {
      if (!user_.tokens[index].token.empty()) judge_token(index, responses[next++]);
    }
    if (group_ && user_.existence == Fate::open && *group_ != exists_) {
      report("was deleted in part: user and tokens disagree");
    }
    if (group_ && user_.activity == Fate::open && exists_ && *group_ != active_) {
      report("was deactivated in part: user and tokens disagree");
    }
    if (user_.existence == Fate::open) user_.existence = exists_ ? Fate::alive : Fate::gone;
    if (user_.activity == Fate::open) user_.activity = active_ ? Fate::alive : Fate::gone;
  }

 private:
  void judge_user(const Response& response) {
    exists_ = response.status == 200;
    active_ = exists_ && response.body.find("\"active\":true") != std::string::npos;
    if (response.status != 200 && response.status != 400) {
      report("cannot be looked up: " + std::to_string(response.status) + response.problem);
      return;
    }
    if (user_.existence == Fate::alive && !exists_) report("is lost");
    if (user_.existence == Fate::gone && exists_)
      report("is back though its deletion was answered");
    if (!exists_) return;
    if (user_.activity == Fate::alive && !active_) report("is inactive and never was made so");
    if (user_.activity == Fate::gone && active_) report("is active though its end was answered");
  }

  void judge_token(std::size_t index, const Response& response) {
    TokenFact& fact = user_.tokens[index];
    const std::string which =
        "token " + std::to_string(index) + " of " + std::to_string(user_.tokens.size());
    if (response.status != 200 && response.status != 401) {
      report(which + " got " + std::to_string(response.status) + response.problem);
      return;
    }
    const bool alive = response.status == 200;
    switch (user_.fate_of(index)) {
      case Fate::alive:
        if (!alive) report(which + " was acknowledged and is refused");
        break;
      case Fate::gone:
        if (alive) report(which + " was revoked and is taken");
        break;
      case Fate::grouped:
        if (group_.value_or(alive) != alive) report(which + " differs from the rest of its group");
        group_ = alive;
        break;
      case Fate::open: break;
    }
    if (fact.fate == Fate::open || fact.fate == Fate::grouped) {
      fact.fate = alive ? Fate::alive : Fate::gone;
    }
  }

  void report(const std::string& what) {
    problems_->push_back("user " + user_.username + " (" + user_.id + "): " + what);
  }

  UserFact& user_;
  std::size_t first_ = 0;
  bool exists_ = false;
  bool active_ = false;
  std::optional<bool> group_;  // whether the grouped tokens are alive
  std::vector<std::string>* problems_ = nullptr;
};

}  // namespace

Fate UserFact::fate_of(std::size_t token) const {
  if (!overfull || tokens[token].fate != Fate::alive) return tokens[token].fate;
  std::size_t newer = 0;
  std::size_t perhaps_newer = 0;
  for (std::size_t index = token + 1; index < tokens.size() && newer < kTokensOfAUserMax; ++index) {
    (tokens[index].token.empty() ? perhaps_newer : newer) += 1;
  }
  if (newer >= kTokensOfAUserMax) return Fate::gone;
  return newer + perhaps_newer < kTokensOfAUserMax ? Fate::alive : Fate::open;
}

std::vector<std::size_t> UserFact::alive_tokens() const {
  std::vector<std::size_t> alive;
  for (std::size_t index = 0; index < tokens.size(); ++index) {
    if (!tokens[index].token.empty() && tokens[index].fate == Fate::alive) alive.push_back(index);
  }
  return alive;
}

std::vector<std::string> contradictions(std::uint16_t port, const Credentials& admin,
                                        const std::vector<UserFact*>& users) {
  std::vector<Call> calls;
  std::vector<Examination> examinations;
  examinations.reserve(users.size());
  for (UserFact* user : users) examinations.emplace_back(*user, admin, calls);
  const std::vector<Response> responses = ask(port, calls);
  std::vector<std::string> problems;
  for (Examination& examination : examinations) examination.judge(responses, problems);
  return problems;
}

std::vector<std::string> contradictions_of_audit(std::uint16_t port, const Credentials& admin,
                                                 const std::vector<UserFact*>& users) {
  std::map<std::string, std::size_t, std::less<>> issued;
  HttpClient client(Endpoint{.port = port});
  std::string cursor;
  do {
    const Response page =
        client.exchange({.method = "GET",
                         .target = "/api/v1/audit.list?event=token-issue&count=100" +
                                   (cursor.empty() ? std::string() : "&cursor=" + cursor),
                         .headers = headers_of(admin)});
    if (page.status != 200) return {"the audit was answered " + std::to_string(page.status)};
    constexpr std::string_view kTarget = R"("target":{"_id":")";
    for (std::size_t at = 0; (at = page.body.find(kTarget, at)) != std::string::npos;) {
      at += kTarget.size();
      ++issued[page.body.substr(at, page.body.find('"', at) - at)];
    }
    cursor = string_field(page.body, "cursor");
  } while (!cursor.empty());
  std::vector<std::string> problems;
  for (const UserFact* user : users) {
    const auto acknowledged = static_cast<std::size_t>(std::ranges::count_if(
        user->tokens, [](const TokenFact& fact) { return !fact.token.empty(); }));
    const std::size_t found = issued[user->id];
    if (found >= acknowledged && found <= user->tokens.size()) continue;
    problems.push_back("user " + user->username + " (" + user->id + "): the audit has " +
                       std::to_string(found) + " issued tokens; " + std::to_string(acknowledged) +
                       " were acknowledged of " + std::to_string(user->tokens.size()));
  }
  return problems;
}

}  // namespace tokend::tests
