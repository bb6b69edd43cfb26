#pragma once
// The clients of the simulated machine: they ask at random, remember what was answered, and have
// the oracle judge every answer.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/oracle.h"
#include "tests/simulation/world.h"

namespace tokend::simulation {

struct TrafficOptions {
  std::size_t users = 6;
  std::size_t under_way_max = 24;
  std::int64_t lifetime_ms_max = 4'000;
};

class Traffic {
 public:
  Traffic(World& world, Oracle& oracle, const TrafficOptions& options);
  ~Traffic();

  // Asks one thing of one core.
  void ask();
  // Asks every core about every token, and judges.
  void ask_everything();
  // Forgets what was under way when the machine died: nobody will answer, and whether it happened
  // nobody knows.
  void forget_under_way();
  // From here on no write may succeed.
  void expect_no_success() { no_success_from_ = oracle_.now(); }

  [[nodiscard]] const std::vector<std::string>& faults() const { return faults_; }
  // Answers of the store to a key that had been answered before.
  [[nodiscard]] std::size_t repetitions() const { return repetitions_; }

 private:
  struct Question;
  struct Ask;
  struct Issue;
  struct IssueKeyed;
  struct IssuePersonal;
  struct RemovePersonal;
  struct Revoke;
  struct RevokeBulk;
  struct List;
  struct Change;
  struct Delete;
  struct Create;
  struct Permit;
  friend struct Question;

  template <class Kind>
  Kind& begin(std::unique_ptr<Kind> question);
  void end(Question& question);
  void fault(std::string what);
  // A write that was asked for after the disk had failed must not succeed.
  [[nodiscard]] bool judge_write(const store::Write& write, Event asked);

  void ask_about(std::size_t token, std::size_t core);
  void issue();
  void issue_keyed();
  void change_personal();
  void revoke();
  void revoke_bulk();
  void change();
  void remove();
  void create();
  void permit();
  void check_permissions();
  void check_audit();
  // Once nothing is under way.
  void check_lists();
  // The valid dated and personal ones of a user, by their records.
  [[nodiscard]] std::vector<store::Locator> recorded_tokens(const store::UserId& user) const;
  [[nodiscard]] std::size_t any_user();
  [[nodiscard]] std::size_t any_core() { return world_.dice().below(world_.cores()); }

  // What is asked for with an Idempotency-Key of its own, again and again.
  struct Order {
    std::size_t user = 0;
    std::int64_t lifetime_ms = 0;
    std::optional<store::TokenText> answered;
    Event first_asked = 0;
    bool certain = false;  // no change of the user, and none in bulk, was under way then
  };

  World& world_;
  Oracle& oracle_;
  const TrafficOptions options_;
  std::vector<std::unique_ptr<Question>> under_way_;
  std::vector<std::string> faults_;
  std::vector<Order> orders_;
  std::size_t repetitions_ = 0;
  Event no_success_from_ = kNever;
  store::RoleSet create_user_roles_;  // of Permission::create_user, as last answered
  bool permissions_changing_ = false;
  std::size_t users_made_ = 0;
};

}  // namespace tokend::simulation
