#include "tests/simulation/traffic.h"

#include <algorithm>
#include <utility>

namespace tokend::simulation {

using store::Permission;
using store::Role;
using store::RoleSet;

namespace {

constexpr auto kGuarded = Permission::create_user;
constexpr std::size_t kQuestionsInTheEndMax = 64;

}  // namespace

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
        was_changing(known().changing) {
    operation.token = store::view_of(text);
    operation.user_id = known().id.view();
    operation.then<&Ask::on_answer>(*this);
  }
  void on_answer() {
    const bool accepted = operation.result.has_value();
    if (accepted || operation.result.error() == core::Errc::not_found) {
      const std::string verdict =
          traffic.oracle_.judge(token, accepted, asked, asked_ms, traffic.world_.wall_ms());
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
  store::Authenticate operation;
};

struct Traffic::Issue final : Question {
  Issue(Traffic& its_traffic, std::size_t its_user, std::int64_t lifetime_ms)
      : Question(its_traffic, its_user),
        certain(!known().changing) {
    ++known().issues_under_way;
    operation.user = known().id;
    operation.issuer = known().id;
    operation.lifetime_ms = lifetime_ms;
    operation.then<&Issue::on_answer>(*this);
  }
  void on_answer() {
    Oracle& oracle = traffic.oracle_;
    --known().issues_under_way;
    if (traffic.judge_write(operation, asked)) {
      const bool undisturbed = certain && !known().changing && known().changed < asked;
      if (undisturbed && !(known().active && known().exists)) {
        traffic.fault("a token was issued for a deactivated or deleted user");
      }
      known().tokens.push_back(oracle.tokens.size());
      oracle.tokens.push_back({.user = user,
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
  bool certain;  // no change of the user was under way when it was asked for
  store::IssueToken operation;
};

// A named token, free of that name or in the place of another.
struct Traffic::IssuePersonal final : Question {
  IssuePersonal(Traffic& its_traffic, std::size_t its_user, const std::string& name,
                bool regenerate)
      : Question(its_traffic, its_user),
        certain(!known().changing && known().personal_under_way == 0) {
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
                               known().personal_under_way == 0 && known().personal_changed < asked;
      oracle.tick();
      // The one that it replaced has ended, and so have those before that one. Where the name was
      // free, some core may still have to hear of what made it so.
      if (operation.regenerate) {
        oracle.finish_ending(user, operation.name, operation.locator, asked);
      }
      known().tokens.push_back(oracle.tokens.size());
      oracle.tokens.push_back({.user = user,
                               .text = operation.token,
                               .locator = operation.locator,
                               .expires_ms = operation.expires_ms,
                               .name = operation.name,
                               .issued = oracle.tick(),
                               .may_be_dead = !undisturbed});
      known().personal_changed = oracle.now();
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
    operation.user.roles = {Role::user};
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
  Permit(Traffic& its_traffic, RoleSet roles) : Question(its_traffic, 0) {
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

Traffic::Traffic(World& world, Oracle& oracle, const TrafficOptions& options)
    : world_(world),
      oracle_(oracle),
      options_(options),
      create_user_roles_(store::default_roles_of(kGuarded)) {
  while (oracle_.users.size() < options_.users) {
    create();
    world_.settle();
  }
}

Traffic::~Traffic() = default;

template <class Kind>
Kind& Traffic::begin(std::unique_ptr<Kind> question) {
  Kind& begun = *question;
  under_way_.push_back(std::move(question));
  return begun;
}

void Traffic::end(Question& question) {
  const auto at = std::find_if(under_way_.begin(), under_way_.end(),
                               [&](const auto& other) { return other.get() == &question; });
  under_way_.erase(at);
}

void Traffic::fault(std::string what) {
  faults_.push_back(std::move(what) + " (event " + std::to_string(oracle_.now()) + ")");
}

bool Traffic::judge_write(const store::Write& write, Event asked) {
  if (write.result && asked > no_success_from_) fault("a write succeeded after a failed sync");
  return write.result.has_value();
}

std::size_t Traffic::any_user() { return world_.dice().below(oracle_.users.size()); }

void Traffic::ask() {
  if (under_way_.size() >= options_.under_way_max) return;
  Dice& dice = world_.dice();
  switch (dice.below(32)) {
    case 0: return change();
    case 1: return permit();
    case 2: return dice.one_in(8) ? remove() : change();
    case 3: return dice.one_in(4) ? create() : check_permissions();
    case 4:
    case 5: return revoke();
    case 6:
    case 7: return change_personal();
    default: break;
  }
  if (oracle_.tokens.empty() || dice.one_in(3)) return issue();
  // Mostly young ones: the old are dead.
  const std::size_t young = std::min<std::size_t>(oracle_.tokens.size(), 40);
  ask_about(oracle_.tokens.size() - 1 - dice.below(young), any_core());
}

void Traffic::ask_about(std::size_t token, std::size_t core) {
  Ask& question = begin(std::make_unique<Ask>(*this, token));
  world_.store(core).authenticate(question.operation);
}

void Traffic::issue() {
  const auto lifetime_ms =
      static_cast<std::int64_t>(1 + world_.dice().below(options_.lifetime_ms_max));
  Issue& question = begin(std::make_unique<Issue>(*this, any_user(), lifetime_ms));
  world_.store(any_core()).write(question.operation);
}

void Traffic::change_personal() {
  Dice& dice = world_.dice();
  const std::size_t user = any_user();
  const std::string name(1, dice.one_in(2) ? 'a' : 'b');
  if (dice.one_in(6)) {
    RemovePersonal& question = begin(std::make_unique<RemovePersonal>(*this, user, name));
    return world_.store(any_core()).write(question.operation);
  }
  IssuePersonal& question =
      begin(std::make_unique<IssuePersonal>(*this, user, name, dice.one_in(2)));
  world_.store(any_core()).write(question.operation);
}

void Traffic::revoke() {
  if (oracle_.tokens.empty()) return;
  const std::size_t young = std::min<std::size_t>(oracle_.tokens.size(), 10);
  Revoke& question = begin(
      std::make_unique<Revoke>(*this, oracle_.tokens.size() - 1 - world_.dice().below(young)));
  world_.store(any_core()).write(question.operation);
}

void Traffic::change() {
  const std::size_t user = any_user();
  if (oracle_.users[user].changing) return;
  Dice& dice = world_.dice();
  Change& question = begin(std::make_unique<Change>(*this, user));
  switch (dice.below(5)) {
    case 0: question.operation.active = !question.known().active; break;
    case 1: question.operation.revoke_tokens = true; break;
    case 2:
    case 3:
      question.operation.revoke_tokens = true;
      if (!question.known().tokens.empty()) {
        const KnownToken& kept = oracle_.tokens[question.known().tokens.back()];
        question.operation.revoke_except = kept.locator;
        if (kept.personal()) question.operation.revoke_except_kind = store::TokenKind::personal;
      }
      question.operation.revoke_dated_only = dice.one_in(2);
      break;
    default:
      (dice.one_in(2) ? question.operation.add_roles : question.operation.remove_roles) = {
          dice.one_in(2) ? Role::bot : Role::moderator};
  }
  question.begin();
  world_.store(any_core()).write(question.operation);
}

void Traffic::remove() {
  const std::size_t user = any_user();
  if (oracle_.users[user].changing || !oracle_.users[user].exists) return;
  Delete& question = begin(std::make_unique<Delete>(*this, user));
  world_.store(any_core()).write(question.operation);
}

void Traffic::create() {
  Create& question = begin(std::make_unique<Create>(*this, 0));
  world_.store(any_core()).write(question.operation);
}

void Traffic::permit() {
  if (permissions_changing_) return;
  RoleSet roles{Role::admin};
  if (world_.dice().one_in(2)) roles.add(Role::bot);
  if (world_.dice().one_in(2)) roles.add(Role::user);
  Permit& question = begin(std::make_unique<Permit>(*this, roles));
  world_.store(any_core()).write(question.operation);
}

void Traffic::check_permissions() {
  if (permissions_changing_) return;
  for (std::size_t core = 0; core < world_.cores(); ++core) {
    if (world_.store(core).permissions()[kGuarded].roles != create_user_roles_) {
      fault("a core holds old permissions");
    }
  }
}

void Traffic::ask_everything() {
  world_.settle();
  check_permissions();
  for (std::size_t token = 0; token < oracle_.tokens.size(); ++token) {
    for (std::size_t core = 0; core < world_.cores(); ++core) {
      ask_about(token, core);
      if (under_way_.size() >= kQuestionsInTheEndMax / 2) world_.settle();
    }
  }
  world_.settle();
  if (!under_way_.empty()) fault("a question was never answered");
}

void Traffic::forget_under_way() {
  for (const auto& question : under_way_) question->abandon();
  under_way_.clear();
  no_success_from_ = kNever;
}

}  // namespace tokend::simulation
