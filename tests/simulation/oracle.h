#pragma once
// What must be true, from the clients' side only: who asked for what, when, and what was answered.
// It never looks into the store. Times are event numbers: one order for everything that happens.
//
// The rules are those of an observer who allows for what is under way: something that was answered
// before a question was asked must show in the answer; something that was under way may or may not.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/token.h"
#include "store/user.h"

namespace tokend::simulation {

using Event = std::uint64_t;
inline constexpr Event kNever = UINT64_MAX;

struct KnownToken {
  std::size_t user = 0;
  std::size_t issuer = 0;  // of a dated one
  store::TokenText text{};
  store::Locator locator;
  std::int64_t expires_ms = 0;
  std::string name;          // of a personal token; empty: a dated one
  Event issued = 0;          // the answer came
  bool may_be_dead = false;  // a revocation has begun
  Event dead = kNever;       // a revocation was answered

  [[nodiscard]] bool personal() const { return !name.empty(); }
};

struct KnownUser {
  store::UserId id;
  bool exists = true;
  bool active = true;
  store::RoleSet roles;
  Event changed = 0;           // the last change was answered; the fields above are as of then
  bool changing = false;       // a change is under way: the fields above may be old
  Event personal_changed = 0;  // the last of these was answered
  std::uint64_t personal_under_way = 0;  // what replaces or removes its personal tokens
  std::uint64_t issues_under_way = 0;
  std::uint64_t issues_unknown = 0;  // under way at a crash: perhaps they exist
  std::vector<std::size_t> tokens;   // in the order of their answers
};

class Oracle {
 public:
  explicit Oracle(std::size_t tokens_per_user_max) : limit_(tokens_per_user_max) {}

  Event now() const { return now_; }
  Event tick() { return ++now_; }

  std::vector<KnownUser> users;
  std::vector<KnownToken> tokens;

  enum class Which : std::uint8_t { all, dated };
  // A change that revokes all tokens of the user, or its dated ones, but for one, begins: none of
  // the others is sure any more.
  void begin_revoking(std::size_t user, Which which, const store::Locator& except);
  // It was answered; `begun` is when it was asked for.
  void finish_revoking(std::size_t user, Which which, const store::Locator& except, Event begun);

  // The same for what ends the user's personal tokens of a name that are older than `bound`.
  void begin_ending(std::size_t user, const std::string& name);
  void finish_ending(std::size_t user, const std::string& name, const store::Locator& bound,
                     Event begun);

  // The same for what ends all that an issuer issued, or everybody's tokens, and was issued before
  // a moment.
  struct Bulk {
    std::optional<std::size_t> issuer;
    std::int64_t before_ms = INT64_MAX;
  };
  void begin_bulk(const Bulk& bulk);
  void finish_bulk(const Bulk& bulk, Event begun);
  // How many are under way, and when the last one was answered: what was issued meanwhile may have
  // come in front of it.
  std::uint64_t bulk_under_way = 0;
  Event bulk_changed = 0;

  // The verdict on an answer of authenticate(), empty if it is right. `asked` is when the question
  // was put, `asked_ms` and `answered_ms` the time then and at the answer; `limited` whether the
  // index of tokens was whole then, without which a user may have more than the limit.
  [[nodiscard]] std::string judge(std::size_t token, bool accepted, Event asked,
                                  std::int64_t asked_ms, std::int64_t answered_ms,
                                  bool limited) const;

 private:
  [[nodiscard]] static bool is_of(const Bulk& bulk, const KnownToken& token);
  [[nodiscard]] std::size_t newer_for_sure(const KnownToken& token, Event before,
                                           std::int64_t at_ms) const;
  [[nodiscard]] std::size_t newer_perhaps(const KnownToken& token) const;

  std::size_t limit_;
  Event now_ = 0;
};

}  // namespace tokend::simulation
