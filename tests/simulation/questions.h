#pragma once
// What a client of the simulated machine has asked: one struct for each kind of question, which
// judges its answer when it comes. traffic.cpp decides what is asked.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "store/idempotency.h"
#include "tests/simulation/traffic.h"

namespace tokend::simulation {

// The permission that the traffic gives and takes; its effect is asked after.
inline constexpr auto kGuarded = store::Permission::create_user;

// Something asked and not yet answered. It lives until the answer or until the machine dies.
struct Traffic::Question {
  Question(Traffic& its_traffic, std::size_t its_user)
      : traffic(its_traffic),
        user(its_user),
        asked(its_traffic.oracle_.tick()) {}
  virtual ~Question() = default;
  // The machine died while this was under way.
  virtual void abandon() {}

  [[nodiscard]] KnownUser& known() const { return traffic.oracle_.users[user]; }

  Traffic& traffic;
  std::size_t user;
  Event asked;
};

struct Traffic::Ask final : Question {
  Ask(Traffic& its_traffic, std::size_t its_token)
      : Question(its_traffic, its_traffic.oracle_.tokens[its_token].user),
        token(its_token),
        text(its_traffic.oracle_.tokens[its_token].text),
        asked_ms(its_traffic.world_.wall_ms()),
        was_changing(known().changing),
        limited(!its_traffic.world_.loading()) {
    operation.token = store::view_of(text);
    operation.user_id = known().id.view();
    operation.then<&Ask::on_answer>(*this);
  }
  void on_answer() {
    const bool accepted = operation.result.has_value();
    if (accepted || operation.result.error() == core::Errc::not_found) {
      const std::string verdict = traffic.oracle_.judge(token, accepted, asked, asked_ms,
                                                        traffic.world_.wall_ms(), limited);
      if (!verdict.empty()) traffic.fault(verdict);
      const bool undisturbed = !was_changing && !known().changing && known().changed < asked;
      if (accepted && undisturbed && operation.caller.roles != known().roles) {
        traffic.fault("old roles were reported");
      }
    } else if (operation.result.error() != core::Errc::full) {
      traffic.fault("authenticate failed");
    }
    traffic.end(*this);
  }
  std::size_t token;
  store::TokenText text;
  std::int64_t asked_ms;
  bool was_changing;
  bool limited;
  store::Authenticate operation;
};

struct Traffic::Issue final : Question {
  Issue(Traffic& its_traffic, std::size_t its_user, std::size_t its_issuer,
        std::int64_t lifetime_ms)
      : Question(its_traffic, its_user),
        issuer(its_issuer),
        certain(!known().changing && traffic.oracle_.bulk_under_way == 0) {
    ++known().issues_under_way;
    operation.user = known().id;
    operation.issuer = traffic.oracle_.users[issuer].id;
    operation.lifetime_ms = lifetime_ms;
    operation.then<&Issue::on_answer>(*this);
  }
  void on_answer() {
    Oracle& oracle = traffic.oracle_;
    --known().issues_under_way;
    if (traffic.judge_write(operation, asked)) {
      const bool undisturbed = certain && !known().changing && known().changed < asked &&
                               oracle.bulk_under_way == 0 && oracle.bulk_changed < asked;
      if (undisturbed && !(known().active && known().exists)) {
        traffic.fault("a token was issued for a deactivated or deleted user");
      }
      known().tokens.push_back(oracle.tokens.size());
      oracle.tokens.push_back({.user = user,
                               .issuer = issuer,
                               .text = operation.token,
                               .locator = operation.locator,
                               .expires_ms = operation.expires_ms,
                               .name = {},
                               .issued = oracle.tick(),
                               .may_be_dead = !undisturbed});
    } else if (operation.result.error() == core::Errc::unavailable) {
      ++known().issues_unknown;
    }
    traffic.end(*this);
  }
  void abandon() override {
    --known().issues_under_way;
    ++known().issues_unknown;
  }
  std::size_t issuer;
  bool certain;  // no change of the user was under way when it was asked for
  store::IssueToken operation;
};

// One with a key: looked up, issued if there is nothing, and looked up again if another one with
// the key was faster. Whatever is answered first for a key is answered for ever, across crashes.
struct Traffic::IssueKeyed final : Question {
  IssueKeyed(Traffic& its_traffic, std::size_t its_order, std::size_t its_core)
      : Question(its_traffic, its_traffic.orders_[its_order].user),
        order(its_order),
        core(its_core),
        certain(!known().changing && traffic.oracle_.bulk_under_way == 0) {
    ++known().issues_under_way;
    const std::string key = "order " + std::to_string(order);
    request.asked = store::digest_of(key);
    store().name_request(known().id, key, request);
  }
  [[nodiscard]] store::Store& store() const { return traffic.world_.store(core); }
  [[nodiscard]] Order& ordered() const { return traffic.orders_[order]; }
  void look() {
    find.emplace();
    find->request = &request;
    find->then<&IssueKeyed::on_looked_up>(*this);
    store().find_keyed(*find);
  }
  void on_looked_up() {
    if (!find->result) {
      if (find->result.error() != core::Errc::full) traffic.fault("a key was not looked up");
      return leave();
    }
    if (!request.items.empty()) {
      const store::KeyedItem& item = request.items[0];
      // Issued at some time since the order was given, perhaps in a former life.
      answer(store().token_of(request, 0), item.locator, item.expires_ms, ordered().certain,
             ordered().first_asked);
      return leave();
    }
    request.begin_part();
    operation.emplace();
    operation->user = operation->issuer = known().id;
    operation->lifetime_ms = ordered().lifetime_ms;
    operation->keyed = &request;
    operation->then<&IssueKeyed::on_issued>(*this);
    store().write(*operation);
  }
  void on_issued() {
    if (traffic.judge_write(*operation, asked)) {
      answer(operation->token, operation->locator, operation->expires_ms, certain, asked);
      return leave();
    }
    if (operation->result.error() == core::Errc::exists) return look();
    if (operation->result.error() == core::Errc::unavailable) ++known().issues_unknown;
    leave();
  }
  void answer(const store::TokenText& token, const store::Locator& locator, std::int64_t expires_ms,
              bool was_certain, Event since) {
    if (ordered().answered) {
      ++traffic.repetitions_;
      if (*ordered().answered != token) traffic.fault("a repetition got another token");
      return;
    }
    ordered().answered = token;
    Oracle& oracle = traffic.oracle_;
    const bool undisturbed = was_certain && !known().changing && known().changed < since &&
                             oracle.bulk_under_way == 0 && oracle.bulk_changed < since;
    known().tokens.push_back(oracle.tokens.size());
    oracle.tokens.push_back({.user = user,
                             .issuer = user,
                             .text = token,
                             .locator = locator,
                             .expires_ms = expires_ms,
                             .name = {},
                             .issued = oracle.tick(),
                             .may_be_dead = !undisturbed});
  }
  void leave() {
    --known().issues_under_way;
    traffic.end(*this);
  }
  void abandon() override {
    --known().issues_under_way;
    ++known().issues_unknown;
  }
  std::size_t order;
  std::size_t core;
  bool certain;
  store::KeyedRequest request;
  std::optional<store::FindKeyed> find;
  std::optional<store::IssueToken> operation;
};

// A named token, free of that name or in the place of another.
struct Traffic::IssuePersonal final : Question {
  IssuePersonal(Traffic& its_traffic, std::size_t its_user, const std::string& name,
                bool regenerate)
      : Question(its_traffic, its_user),
        certain(!known().changing && known().personal_under_way == 0 &&
                traffic.oracle_.bulk_under_way == 0) {
    ++known().personal_under_way;
    operation.user = operation.issuer = known().id;
    operation.name = name;
    operation.regenerate = regenerate;
    operation.then<&IssuePersonal::on_answer>(*this);
    if (regenerate) traffic.oracle_.begin_ending(user, name);
  }
  void on_answer() {
    Oracle& oracle = traffic.oracle_;
    --known().personal_under_way;
    if (traffic.judge_write(operation, asked)) {
      const bool undisturbed = certain && !known().changing && known().changed < asked &&
                               known().personal_under_way == 0 &&
                               known().personal_changed < asked && oracle.bulk_under_way == 0 &&
                               oracle.bulk_changed < asked;
      oracle.tick();
      // The one that it replaced has ended, and so have those before that one. Where the name was
      // free, some core may still have to hear of what made it so.
      if (operation.regenerate) {
        oracle.finish_ending(user, operation.name, operation.locator, asked);
      }
      known().tokens.push_back(oracle.tokens.size());
      oracle.tokens.push_back({.user = user,
                               .issuer = user,
                               .text = operation.token,
                               .locator = operation.locator,
                               .expires_ms = operation.expires_ms,
                               .name = operation.name,
                               .issued = oracle.tick(),
                               .may_be_dead = !undisturbed});
      known().personal_changed = oracle.now();
    } else if (operation.result.error() == core::Errc::unavailable) {
      // Perhaps it happened, and ended one whose answer comes only now.
      known().personal_changed = oracle.tick();
    }
    traffic.end(*this);
  }
  // What it may have ended was marked when it was asked for.
  void abandon() override { --known().personal_under_way; }
  bool certain;  // nothing else that could end it was under way when it was asked for
  store::IssuePersonalToken operation;
};

struct Traffic::RemovePersonal final : Question {
  RemovePersonal(Traffic& its_traffic, std::size_t its_user, const std::string& name)
      : Question(its_traffic, its_user) {
    ++known().personal_under_way;
    operation.user = known().id;
    operation.name = name;
    operation.then<&RemovePersonal::on_answer>(*this);
    traffic.oracle_.begin_ending(user, name);
  }
  void on_answer() {
    --known().personal_under_way;
    Oracle& oracle = traffic.oracle_;
    oracle.tick();
    if (traffic.judge_write(operation, asked)) {
      store::Locator last;
      last.bytes.fill(0xff);
      oracle.finish_ending(user, operation.name, last, asked);
      known().personal_changed = oracle.now();
    } else if (operation.result.error() == core::Errc::unavailable) {
      known().personal_changed = oracle.now();  // perhaps it happened
    }
    traffic.end(*this);
  }
  void abandon() override { --known().personal_under_way; }
  store::RemovePersonalToken operation;
};

struct Traffic::Revoke final : Question {
  Revoke(Traffic& its_traffic, std::size_t its_token)
      : Question(its_traffic, its_traffic.oracle_.tokens[its_token].user),
        token(its_token) {
    KnownToken& its = traffic.oracle_.tokens[token];
    its.may_be_dead = true;
    operation.user = known().id;
    operation.locator = its.locator;
    if (its.personal()) operation.token_kind = store::TokenKind::personal;
    operation.then<&Revoke::on_answer>(*this);
  }
  void on_answer() {
    KnownToken& its = traffic.oracle_.tokens[token];
    if (traffic.judge_write(operation, asked))
      its.dead = std::min(its.dead, traffic.oracle_.tick());
    traffic.end(*this);
  }
  std::size_t token;
  store::RevokeToken operation;
};

// All that an issuer issued, or everybody's tokens, and before a moment or up to now.
struct Traffic::RevokeBulk final : Question {
  RevokeBulk(Traffic& its_traffic, const Oracle::Bulk& what)
      : Question(its_traffic, 0),
        bulk(what) {
    traffic.oracle_.begin_bulk(bulk);
    if (bulk.issuer) operation.issuer = traffic.oracle_.users[*bulk.issuer].id;
    if (bulk.before_ms != INT64_MAX) operation.before_ms = bulk.before_ms;
    operation.then<&RevokeBulk::on_answer>(*this);
  }
  void on_answer() {
    Oracle& oracle = traffic.oracle_;
    --oracle.bulk_under_way;
    oracle.bulk_changed = oracle.tick();
    // What lay in the future when it was written was cut to that moment.
    if (traffic.judge_write(operation, asked)) oracle.finish_bulk(bulk, asked);
    traffic.end(*this);
  }
  // Whatever is issued from now on lies above its floor, if there is one.
  void abandon() override {
    --traffic.oracle_.bulk_under_way;
    traffic.oracle_.bulk_changed = traffic.oracle_.tick();
  }
  Oracle::Bulk bulk;
  store::RevokeTokens operation;
};

// Which tokens a user holds, when nothing else is under way: exactly those whose records are there
// and count.
struct Traffic::List final : Question {
  List(Traffic& its_traffic, std::size_t its_user) : Question(its_traffic, its_user) {
    operation.user = known().id;
    operation.then<&List::on_answer>(*this);
  }
  void on_answer() {
    if (!traffic.world_.healthy()) {
      // The disk has failed since: nothing is told any more.
    } else if (!operation.result && operation.result.error() != core::Errc::not_found) {
      traffic.fault("the tokens of a user were not told");
    } else if (operation.result && operation.tokens != traffic.recorded_tokens(known().id)) {
      traffic.fault("the index of tokens is not what the records say");
    }
    traffic.end(*this);
  }
  store::CollectTokens operation;
};

// Roles, state or all tokens of a user; one such change of a user at a time.
struct Traffic::Change final : Question {
  Change(Traffic& its_traffic, std::size_t its_user) : Question(its_traffic, its_user) {
    known().changing = true;
    operation.id = known().id;
    operation.then<&Change::on_answer>(*this);
  }
  [[nodiscard]] bool revokes() const { return operation.active || operation.revoke_tokens; }
  [[nodiscard]] Oracle::Which which() const {
    return operation.revoke_dated_only ? Oracle::Which::dated : Oracle::Which::all;
  }
  void begin() {
    if (revokes()) traffic.oracle_.begin_revoking(user, which(), operation.revoke_except);
  }
  void on_answer() {
    Oracle& oracle = traffic.oracle_;
    oracle.tick();
    if (traffic.judge_write(operation, asked)) {
      known().active = operation.user.active;
      known().roles = operation.user.roles;
      known().changed = oracle.now();
      known().changing = false;
      if (revokes()) oracle.finish_revoking(user, which(), operation.revoke_except, asked);
    } else if (operation.result.error() == core::Errc::not_found) {
      if (known().exists) traffic.fault("an existing user was not found");
      known().changing = false;
    }
    // Unavailable: whether it happened is not known, so it stays under way for ever.
    traffic.end(*this);
  }
  store::UpdateUser operation;
};

struct Traffic::Delete final : Question {
  Delete(Traffic& its_traffic, std::size_t its_user) : Question(its_traffic, its_user) {
    known().changing = true;
    traffic.oracle_.begin_revoking(user, Oracle::Which::all, {});
    operation.id = known().id;
    operation.then<&Delete::on_answer>(*this);
  }
  void on_answer() {
    traffic.oracle_.tick();
    if (traffic.judge_write(operation, asked)) {
      known().exists = false;
      known().changed = traffic.oracle_.now();
      known().changing = false;
      traffic.oracle_.finish_revoking(user, Oracle::Which::all, {}, asked);
    }
    traffic.end(*this);
  }
  store::DeleteUser operation;
};

struct Traffic::Create final : Question {
  Create(Traffic& its_traffic, std::size_t its_user) : Question(its_traffic, its_user) {
    operation.user.username = "user" + std::to_string(traffic.users_made_++);
    operation.user.name = "A user";
    operation.user.roles = {store::Role::user};
    operation.then<&Create::on_answer>(*this);
  }
  void on_answer() {
    traffic.oracle_.tick();
    if (traffic.judge_write(operation, asked)) {
      KnownUser& made = traffic.oracle_.users.emplace_back();
      made.id = operation.user.id;
      made.roles = operation.user.roles;
      made.changed = traffic.oracle_.now();
    }
    traffic.end(*this);
  }
  store::CreateUser operation;
};

struct Traffic::Permit final : Question {
  Permit(Traffic& its_traffic, store::RoleSet roles) : Question(its_traffic, 0) {
    traffic.permissions_changing_ = true;
    operation.changes.push_back({kGuarded, roles});
    operation.then<&Permit::on_answer>(*this);
  }
  void on_answer() {
    traffic.oracle_.tick();
    if (traffic.judge_write(operation, asked)) {
      traffic.create_user_roles_ = operation.changes.front().roles;
      traffic.permissions_changing_ = false;
    }
    traffic.end(*this);
  }
  store::UpdatePermissions operation;
};

}  // namespace tokend::simulation
