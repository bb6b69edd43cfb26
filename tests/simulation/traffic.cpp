#include "tests/simulation/traffic.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "store/meta.h"
#include "tests/simulation/questions.h"

namespace tokend::simulation {

using store::Role;
using store::RoleSet;

namespace {

constexpr std::size_t kQuestionsInTheEndMax = 64;
constexpr std::size_t kYoungOrders = 6;

}  // namespace

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
  if (dice.one_in(100)) return revoke_bulk();
  switch (dice.below(32)) {
    case 0: return change();
    case 1: return permit();
    case 2: return dice.one_in(8) ? remove() : change();
    case 3: return dice.one_in(4) ? create() : check_permissions();
    case 4:
    case 5: return revoke();
    case 6:
    case 7: return change_personal();
    case 8:
    case 9: return issue_keyed();
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
  // Mostly by one of a few.
  const std::size_t issuer = world_.dice().below(std::min<std::size_t>(oracle_.users.size(), 3));
  Issue& question = begin(std::make_unique<Issue>(*this, any_user(), issuer, lifetime_ms));
  world_.store(any_core()).write(question.operation);
}

void Traffic::issue_keyed() {
  Dice& dice = world_.dice();
  if (orders_.empty() || dice.one_in(4)) {
    const std::size_t user = any_user();
    orders_.push_back({.user = user,
                       .lifetime_ms = static_cast<std::int64_t>(
                           1 + dice.below(static_cast<std::size_t>(options_.lifetime_ms_max))),
                       .answered = {},
                       .first_asked = oracle_.tick(),
                       .certain = !oracle_.users[user].changing && oracle_.bulk_under_way == 0});
  }
  const std::size_t young = std::min(orders_.size(), kYoungOrders);
  begin(std::make_unique<IssueKeyed>(*this, orders_.size() - 1 - dice.below(young), any_core()))
      .look();
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

void Traffic::revoke_bulk() {
  Dice& dice = world_.dice();
  Oracle::Bulk bulk;
  if (!dice.one_in(4)) bulk.issuer = dice.below(std::min<std::size_t>(oracle_.users.size(), 3));
  if (!bulk.issuer || dice.one_in(2)) {
    bulk.before_ms = world_.wall_ms() - static_cast<std::int64_t>(dice.below(200));
  }
  RevokeBulk& question = begin(std::make_unique<RevokeBulk>(*this, bulk));
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

// Whatever has become of them since.
void Traffic::check_audit() {
  std::set<store::Locator> issued;
  const auto scanned = world_.database().scan_back(
      store::Family::issuances, {}, [&](std::string_view key, std::string_view value) {
        const auto locator = store::locator_from(key);
        if (locator && store::decode_issuance_record(value)) issued.insert(*locator);
        return true;
      });
  if (!scanned) fault("the audit cannot be read");
  for (const KnownToken& token : oracle_.tokens) {
    if (!issued.contains(token.locator)) fault("an issued token is not in the audit");
  }
}

std::vector<store::Locator> Traffic::recorded_tokens(const store::UserId& id) const {
  const store::Database& database = world_.database();
  std::vector<store::Locator> tokens;
  std::string value;
  const auto found = database.get(store::Family::users, id.view(), store::Reach::disk, value);
  if (!found || *found != store::Found::yes) return tokens;
  const auto user = store::decode_user(value);
  const auto scanned =
      database.scan(store::Family::tokens, {}, [&](std::string_view key, std::string_view bytes) {
        const auto locator = store::locator_from(key);
        const auto record = store::decode_token_record(bytes);
        if (locator && record && user && record->user == id &&
            record->expires_ms > world_.wall_ms() && user->accepts(*locator, record->kind)) {
          tokens.push_back(*locator);
        }
        return true;
      });
  return scanned ? tokens : std::vector<store::Locator>();
}

void Traffic::check_lists() {
  if (!world_.healthy()) return;
  if (world_.loading()) fault("a load never ended");
  for (std::size_t user = 0; user < oracle_.users.size(); ++user) {
    List& question = begin(std::make_unique<List>(*this, user));
    world_.store(any_core()).write(question.operation);
  }
  world_.settle();
}

void Traffic::ask_everything() {
  world_.settle();
  check_permissions();
  check_audit();
  check_lists();
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
