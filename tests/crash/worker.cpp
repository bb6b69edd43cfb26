#include "tests/crash/worker.h"

#include <algorithm>
#include <sstream>

namespace tokend::tests {
namespace {

constexpr std::size_t kBatchMax = 8;
constexpr std::size_t kUsersAtOnce = 4;

std::string of_user(const UserFact& user, const std::string& more = "") {
  return R"({"userId":")" + user.id + "\"" + more + "}";
}

// Before a request that ends all tokens but `kept`: it may end all of them or none.
void group_tokens(UserFact& user, std::size_t kept) {
  for (const std::size_t index : user.alive_tokens()) {
    if (index != kept) user.tokens[index].fate = Fate::grouped;
  }
}

void end_grouped_tokens(UserFact& user) {
  for (TokenFact& fact : user.tokens) {
    // An open one was asked for earlier on the same connection, so it is ended too.
    if (fact.fate == Fate::grouped) fact.fate = Fate::gone;
  }
}

constexpr std::size_t kNone = SIZE_MAX;

}  // namespace

Worker::Worker(ServerProcess& server, Credentials admin, std::string name, std::uint64_t seed)
    : server_(server),
      admin_(std::move(admin)),
      name_(std::move(name)),
      random_(seed) {}

void Worker::run(int cycle, const std::atomic<bool>& stop) {
  cycle_ = cycle;
  HttpClient client(Endpoint{.port = server_.port()});
  if (!client.connected()) return;
  if (facts_.empty() && !create_user(client, true)) return;
  while (!stop && step(client)) {
  }
}

bool Worker::step(HttpClient& client) {
  const std::size_t usable = static_cast<std::size_t>(
      std::count_if(facts_.begin(), facts_.end(), [](const UserFact& user) {
        return !user.overfull && user.existence == Fate::alive &&
               user.tokens.size() < kTokensOfAUserMax;
      }));
  if (usable < kUsersAtOnce) return create_user(client, false);
  if (below(8) == 0) return issue(client, facts_.front());
  UserFact* user = some_user();
  if (user == nullptr) return create_user(client, false);
  if (user->activity == Fate::gone) return set_active(client, *user, true);
  const std::size_t choice = below(100);
  if (choice < 55 && user->tokens.size() < kTokensOfAUserMax) return issue(client, *user);
  if (choice < 85) return log_out(client, *user);
  if (choice < 89) return remove_others(client, *user);
  if (choice < 93) return log_out_everywhere(client, *user);
  if (choice < 97) return set_active(client, *user, false);
  return remove(client, *user);
}

UserFact* Worker::some_user() {
  // The newest users are the ones whose tokens are in the memory of caches and memtables.
  const std::size_t candidates = std::min<std::size_t>(facts_.size() - 1, 12);
  for (int attempt = 0; attempt < 8; ++attempt) {
    UserFact& user = facts_[facts_.size() - 1 - below(candidates)];
    if (!user.overfull && user.existence == Fate::alive) {
      user.cycle = cycle_;
      return &user;
    }
  }
  return nullptr;
}

bool Worker::post(HttpClient& client, const std::string& path, const Credentials& caller,
                  const std::string& body, Response& response) {
  response = client.exchange(
      {.method = "POST", .target = "/api/v1/" + path, .headers = headers_of(caller), .body = body});
  if (response.status == 0) return false;
  if (response.status != 200) {
    std::ostringstream text;
    text << path << " " << body << " was answered: " << response;
    problems_.push_back(text.str());
    return false;
  }
  return true;
}

bool Worker::create_user(HttpClient& client, bool overfull) {
  const std::string username = name_ + "." + std::to_string(++users_made_);
  Response response;
  const std::string body = R"({"email":")" + username + R"(@example.com","name":"n","username":")" +
                           username + R"(","password":"irrelevant"})";
  if (!post(client, "users.create", admin_, body, response)) return false;
  UserFact user;
  user.id = string_field(response.body, "_id");
  user.username = username;
  user.overfull = overfull;
  user.cycle = cycle_;
  facts_.push_back(std::move(user));
  return true;
}

bool Worker::issue(HttpClient& client, UserFact& user) {
  std::size_t count = 1 + below(kBatchMax);
  if (!user.overfull) count = std::min(count, kTokensOfAUserMax - user.tokens.size());
  user.cycle = cycle_;
  const std::size_t first = user.tokens.size();
  user.tokens.resize(first + count, TokenFact{.token = {}, .fate = Fate::open});
  std::string bytes;
  for (std::size_t index = 0; index < count; ++index) {
    bytes += bytes_of({.method = "POST",
                       .target = "/api/v1/users.createToken",
                       .headers = headers_of(admin_),
                       .body = of_user(user)});
  }
  if (!client.send(bytes)) return false;
  for (std::size_t index = first; index < first + count; ++index) {
    const Response response = client.read_response();
    if (response.status == 0) return false;
    if (response.status != 200) {
      problems_.push_back("createToken was answered " + std::to_string(response.status) + " " +
                          response.body);
      return false;
    }
    user.tokens[index] = {string_field(response.body, "authToken"), Fate::alive};
    ++acknowledged_;
  }
  return true;
}

bool Worker::log_out(HttpClient& client, UserFact& user) {
  const std::vector<std::size_t> alive = user.alive_tokens();
  if (alive.empty()) return true;
  TokenFact& fact = user.tokens[alive[below(alive.size())]];
  fact.fate = Fate::open;
  Response response;
  if (!post(client, "logout", {user.id, fact.token}, "", response)) return false;
  fact.fate = Fate::gone;
  return true;
}

bool Worker::remove_others(HttpClient& client, UserFact& user) {
  const std::vector<std::size_t> alive = user.alive_tokens();
  if (alive.empty()) return true;
  const std::size_t kept = alive[below(alive.size())];
  group_tokens(user, kept);
  Response response;
  const Credentials caller{user.id, user.tokens[kept].token};
  if (!post(client, "users.removeOtherTokens", caller, "", response)) return false;
  end_grouped_tokens(user);
  return true;
}

bool Worker::log_out_everywhere(HttpClient& client, UserFact& user) {
  group_tokens(user, kNone);
  Response response;
  if (!post(client, "users.logout", admin_, of_user(user), response)) return false;
  end_grouped_tokens(user);
  return true;
}

bool Worker::set_active(HttpClient& client, UserFact& user, bool active) {
  user.activity = Fate::open;
  if (!active) group_tokens(user, kNone);
  Response response;
  const std::string more = std::string(R"(,"activeStatus":)") + (active ? "true" : "false");
  if (!post(client, "users.setActiveStatus", admin_, of_user(user, more), response)) return false;
  user.activity = active ? Fate::alive : Fate::gone;
  end_grouped_tokens(user);
  return true;
}

bool Worker::remove(HttpClient& client, UserFact& user) {
  user.existence = Fate::open;
  group_tokens(user, kNone);
  Response response;
  if (!post(client, "users.delete", admin_, of_user(user), response)) return false;
  user.existence = Fate::gone;
  end_grouped_tokens(user);
  return true;
}

}  // namespace tokend::tests
