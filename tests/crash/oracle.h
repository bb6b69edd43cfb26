#pragma once
// What the clients of a crash test know, kept outside of the database: which tokens were
// acknowledged, which revocations were, and what was asked but never answered. After a restart the
// server is held to it.
//
// Concurrency: a Facts belongs to one worker while the load runs and to the test afterwards.

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/api_client.h"

namespace tokend::tests {

inline constexpr std::size_t kTokensOfAUserMax = 50;

enum class Fate : std::uint8_t {
  alive,    // acknowledged: must hold
  gone,     // its end was acknowledged: must not come back
  open,     // asked, not answered: may be either
  grouped,  // one unanswered request ends all grouped tokens of a user: all or none
};

struct TokenFact {
  std::string token;  // empty: asked for and never seen
  Fate fate = Fate::alive;
};

struct UserFact {
  std::string id;
  std::string username;
  Fate existence = Fate::alive;
  Fate activity = Fate::alive;
  // A user whose tokens go beyond the limit, so that the oldest are dropped. Only issued for.
  bool overfull = false;
  std::vector<TokenFact> tokens;  // in the order in which they were asked for
  int cycle = 0;                  // the last one that touched it

  // What must be true of a token, the limit considered.
  [[nodiscard]] Fate fate_of(std::size_t token) const;
  [[nodiscard]] std::vector<std::size_t> alive_tokens() const;
};

using Facts = std::vector<UserFact>;

// Asks the server about every user and token of `users` and says what contradicts them, one line
// each. Whatever was open is then settled as it was found: it must stay so.
[[nodiscard]] std::vector<std::string> contradictions(std::uint16_t port, const Credentials& admin,
                                                      const std::vector<UserFact*>& users);

// Reads the audit and says of which of `users` it holds fewer issued tokens than were acknowledged,
// whatever became of them, or more than were asked for.
[[nodiscard]] std::vector<std::string> contradictions_of_audit(std::uint16_t port,
                                                               const Credentials& admin,
                                                               const std::vector<UserFact*>& users);

}  // namespace tokend::tests
