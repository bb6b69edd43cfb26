#include "store/issuing_policy.h"

#include <string>

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;
using namespace std::string_literals;

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;

IssuingPolicy full_policy() {
  IssuingPolicy policy;
  policy.target_roles = RoleSet{Role::user, Role::guest};
  policy.exclude_admins = true;
  policy.lifetime_ms_max = kHourMs;
  policy.tokens_max = 5;
  policy.window_ms = 60'000;
  policy.updated_ms = 77;
  return policy;
}
IssuingPolicy targets(RoleSet roles) {
  IssuingPolicy policy;
  policy.target_roles = roles;
  return policy;
}
IssuingPolicy no_admins() {
  IssuingPolicy policy;
  policy.exclude_admins = true;
  return policy;
}
IssuingPolicy at_most(std::int64_t lifetime_ms) {
  IssuingPolicy policy;
  policy.lifetime_ms_max = lifetime_ms;
  return policy;
}

TEST(IssuingPolicy, HasBounds) {
  EXPECT_TRUE(is_valid({}));
  EXPECT_TRUE(is_valid(full_policy()));
  const auto with = [](auto change) {
    IssuingPolicy policy = full_policy();
    change(policy);
    return is_valid(policy);
  };
  EXPECT_TRUE(with([](auto& policy) { policy.lifetime_ms_max = kPolicyLifetimeMsMax; }));
  EXPECT_FALSE(with([](auto& policy) { policy.lifetime_ms_max = kPolicyLifetimeMsMax + 1; }));
  EXPECT_FALSE(with([](auto& policy) { policy.lifetime_ms_max = -1; }));
  EXPECT_TRUE(with([](auto& policy) { policy.tokens_max = kPolicyTokensMax; }));
  EXPECT_FALSE(with([](auto& policy) { policy.tokens_max = kPolicyTokensMax + 1; }));
  EXPECT_FALSE(with([](auto& policy) { policy.tokens_max = 0; }));
  EXPECT_TRUE(with([](auto& policy) { policy.window_ms = kPolicyWindowMsMax; }));
  EXPECT_FALSE(with([](auto& policy) { policy.window_ms = kPolicyWindowMsMax + 1; }));
  EXPECT_FALSE(with([](auto& policy) { policy.window_ms = 0; }));
  EXPECT_FALSE(
      with([](auto& policy) { policy.target_roles = RoleSet(std::uint64_t{1} << kRoleCount); }));
}

TEST(IssuingPolicy, RecordsComeBackAndDamagedOnesDoNot) {
  for (const IssuingPolicy& policy : {IssuingPolicy{}, full_policy(), targets({}), no_admins()}) {
    std::string bytes;
    encode(policy, bytes);
    const auto decoded = decode_policy(bytes);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(decoded->target_roles, policy.target_roles);
    EXPECT_EQ(decoded->exclude_admins, policy.exclude_admins);
    EXPECT_EQ(decoded->lifetime_ms_max, policy.lifetime_ms_max);
    EXPECT_EQ(decoded->tokens_max, policy.tokens_max);
    EXPECT_EQ(decoded->window_ms, policy.window_ms);
    EXPECT_EQ(decoded->updated_ms, policy.updated_ms);
    EXPECT_FALSE(decode_policy(bytes + "x"));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(decode_policy(bytes.substr(0, size)));
    }
    std::string other = bytes;
    other[0] = 2;  // version
    EXPECT_FALSE(decode_policy(other));
    other = bytes;
    other[1] = static_cast<char>(other[1] | 0x04);  // a bound that this program does not know
    EXPECT_FALSE(decode_policy(other));
  }
  std::string bytes;
  encode(full_policy(), bytes);
  bytes[9] = '\x7f';  // a role that is none
  EXPECT_FALSE(decode_policy(bytes));
}

TEST(IssuingPolicy, KeysNameRolesAndNoPermission) {
  for (std::size_t i = 0; i < kRoleCount; ++i) {
    const auto role = static_cast<Role>(i);
    EXPECT_EQ(role_of_policy_key(policy_key(role)), role);
    EXPECT_FALSE(permission_of(policy_key(role)));
    EXPECT_FALSE(role_of_policy_key(id_of(role)));
  }
  EXPECT_FALSE(role_of_policy_key("policy/"));
  EXPECT_FALSE(role_of_policy_key("policy/pope"));
}

TEST(IssuingPolicies, BindOnlyHoldersOfRolesWhosePoliciesForbidSomething) {
  IssuingPolicies policies;
  const RoleSet all((std::uint64_t{1} << kRoleCount) - 1);
  EXPECT_FALSE(policies.bind(all));
  EXPECT_FALSE(policies.limit_rate_of(all));
  policies.set(Role::bot, no_admins());
  EXPECT_TRUE(policies.bind(RoleSet{Role::user, Role::bot}));
  EXPECT_FALSE(policies.limit_rate_of(all));
  EXPECT_FALSE(policies.bind(RoleSet{Role::user, Role::admin}));
  EXPECT_FALSE(policies.bind(RoleSet{}));
  policies.set(Role::app, full_policy());
  EXPECT_TRUE(policies.limit_rate_of(RoleSet{Role::app}));
  EXPECT_FALSE(policies.limit_rate_of(RoleSet{Role::bot}));
  policies.set(Role::bot, {});
  policies.set(Role::app, {});
  EXPECT_FALSE(policies.bind(all));
  EXPECT_FALSE(policies.limit_rate_of(all));
}

TEST(IssuingPolicies, OfSeveralRolesAddUp) {
  IssuingPolicies policies;
  policies.set(Role::bot, targets({Role::user, Role::guest}));
  policies.set(Role::app, targets({Role::user, Role::bot}));
  policies.set(Role::owner, at_most(2 * kHourMs));
  policies.set(Role::leader, at_most(kHourMs));
  policies.set(Role::guest, no_admins());
  const IssuingBounds both = policies.bounds_of({Role::bot, Role::app, Role::user});
  EXPECT_EQ(both.target_roles, RoleSet{Role::user});
  EXPECT_FALSE(both.exclude_admins);
  EXPECT_EQ(both.lifetime_ms_max, 0);
  for (const RoleSet roles : {RoleSet{Role::owner, Role::leader}, RoleSet{Role::leader}}) {
    EXPECT_EQ(policies.bounds_of(roles).lifetime_ms_max, kHourMs);
  }
  EXPECT_EQ(policies.bounds_of({Role::owner, Role::guest}).lifetime_ms_max, 2 * kHourMs);
  EXPECT_TRUE(policies.bounds_of({Role::owner, Role::guest, Role::admin}).exclude_admins);
  const IssuingBounds none = policies.bounds_of({Role::user, Role::admin});
  EXPECT_FALSE(none.target_roles || none.exclude_admins || none.lifetime_ms_max > 0);
}

TEST(IssuingBounds, CoverTargetsWithNoRoleButTheirs) {
  const IssuingBounds bounds{.target_roles = RoleSet{Role::user, Role::guest}};
  EXPECT_TRUE(bounds.covers({Role::user}));
  EXPECT_TRUE(bounds.covers({Role::user, Role::guest}));
  EXPECT_FALSE(bounds.covers({Role::user, Role::bot}));
  EXPECT_FALSE(bounds.covers({Role::bot}));
  EXPECT_FALSE(bounds.covers({}));
  EXPECT_FALSE(IssuingBounds{.target_roles = RoleSet{}}.covers({Role::user}));
  EXPECT_TRUE(IssuingBounds{}.covers({}));
}

class IssuingPolicyTest : public StoreFixture {
 protected:
  struct Issue : Asked<IssueToken> {
    Issue(const UserId& issuer_id, RoleSet roles, const UserId& target) {
      user = target;
      issuer = issuer_id;
      issuer_roles = roles;
    }
    [[nodiscard]] bool broke(BrokenBound bound) const noexcept {
      return failed_with(Errc::refused) && broken_bound == bound;
    }
  };
  void set(Role role, const IssuingPolicy& policy) {
    Asked<UpdatePolicies> operation;
    operation.changes = {{role, policy}};
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
  }
  void allow(Permission permission, RoleSet roles) {
    Asked<UpdatePermissions> operation;
    operation.changes = {{permission, roles}};
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
  }
  // none: it was issued.
  BrokenBound broken(const UserId& target, RoleSet roles = {Role::bot}) {
    Issue operation(issuer_, roles, target);
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.succeeded() || operation.failed_with(Errc::refused));
    EXPECT_EQ(operation.succeeded(), operation.broken_bound == BrokenBound::none);
    EXPECT_EQ(operation.succeeded(), operation.token[0] != '\0');
    return operation.broken_bound;
  }

  const UserId issuer_ = create("issuer", {Role::bot});
};

TEST_F(IssuingPolicyTest, AChangeCountsOnEveryCoreWhenItIsAnsweredAndLasts) {
  Asked<UpdatePolicies> operation;
  operation.changes = {{Role::bot, full_policy()}, {Role::app, no_admins()}};
  const auto expect_changed = [&](Store& store) {
    EXPECT_EQ(store.policies()[Role::bot].tokens_max, 5U);
    EXPECT_EQ(store.policies()[Role::bot].updated_ms, clock.now_ms);
    EXPECT_TRUE(store.policies().bind({Role::app}));
    EXPECT_FALSE(store.policies().bind({Role::admin, Role::user}));
  };
  operation.at_done = [&] {
    for (std::size_t core = 0; core < cores.size(); ++core) expect_changed(store(core));
  };
  store(1).write(operation);
  settle();
  EXPECT_TRUE(operation.succeeded());
  EXPECT_EQ(operation.changes[0].policy.updated_ms, clock.now_ms);
  restart();
  for (std::size_t core = 0; core < cores.size(); ++core) expect_changed(store(core));
  EXPECT_EQ(broken(root), BrokenBound::target_roles);
  set(Role::bot, {});
  restart();
  EXPECT_FALSE(store().policies().bind({Role::bot}));
  EXPECT_EQ(broken(root), BrokenBound::none);
}

TEST_F(IssuingPolicyTest, WhatIsInvalidChangesNothing) {
  Asked<UpdatePolicies> operation;
  operation.changes = {{Role::bot, full_policy()}, {Role::app, at_most(-1)}};
  store().write(operation);
  settle();
  EXPECT_TRUE(operation.failed_with(Errc::invalid));
  Asked<UpdatePolicies> other;
  other.changes = {{Role::count_, full_policy()}};
  store().write(other);
  settle();
  EXPECT_TRUE(other.failed_with(Errc::invalid));
  EXPECT_EQ(database.size(Family::permissions), 0U);
  EXPECT_FALSE(store().policies().bind({Role::bot}));
  EXPECT_EQ(broken(root), BrokenBound::none);
}

TEST_F(IssuingPolicyTest, TargetsHaveNoRoleButThoseOfThePolicy) {
  const UserId user = create("user");
  const UserId guest = create("guest", {Role::guest});
  const UserId more = create("more", {Role::user, Role::bot});
  set(Role::bot, targets({Role::user, Role::guest}));
  EXPECT_EQ(broken(user), BrokenBound::none);
  EXPECT_EQ(broken(guest), BrokenBound::none);
  EXPECT_EQ(broken(more), BrokenBound::target_roles);
  EXPECT_EQ(broken(root), BrokenBound::target_roles);
  EXPECT_EQ(broken(root, {Role::user, Role::admin}), BrokenBound::none);
  // Another role does not loosen it.
  EXPECT_EQ(broken(root, {Role::admin, Role::bot}), BrokenBound::target_roles);
  // What an issuer holds anyway it cannot gain.
  EXPECT_EQ(broken(issuer_), BrokenBound::none);
  set(Role::bot, targets({}));
  EXPECT_EQ(broken(user), BrokenBound::target_roles);
  EXPECT_EQ(broken(issuer_), BrokenBound::none);
}

TEST_F(IssuingPolicyTest, AnUnknownAndAnInactiveTargetAreWhatTheyWere) {
  const UserId user = create("user", {Role::app});
  set(Role::bot, targets({Role::user}));
  Asked<UpdateUser> deactivate;
  deactivate.id = user;
  deactivate.active = false;
  store().write(deactivate);
  settle();
  Issue inactive(issuer_, {Role::bot}, user);
  store().write(inactive);
  Issue unknown(issuer_, {Role::bot}, UserId("nobody"));
  store().write(unknown);
  settle();
  EXPECT_TRUE(inactive.broke(BrokenBound::none));
  EXPECT_TRUE(unknown.failed_with(Errc::not_found));
}

TEST_F(IssuingPolicyTest, ExcludedAreAdminsAndWhoeverCouldBecomeOne) {
  const UserId user = create("user");
  const UserId app = create("app", {Role::user, Role::app});
  const UserId admin = create("second", {Role::user, Role::admin});
  set(Role::bot, no_admins());
  EXPECT_EQ(broken(user), BrokenBound::none);
  EXPECT_EQ(broken(app), BrokenBound::none);
  EXPECT_EQ(broken(admin), BrokenBound::admins);
  for (const Permission permission :
       {Permission::access_permissions, Permission::assign_roles, Permission::assign_admin_role,
        Permission::edit_other_user_password, Permission::edit_issuing_policies}) {
    allow(permission, {Role::admin, Role::app});
    EXPECT_EQ(broken(app), BrokenBound::admins) << id_of(permission);
    EXPECT_EQ(broken(user), BrokenBound::none) << id_of(permission);
    allow(permission, {Role::admin});
    EXPECT_EQ(broken(app), BrokenBound::none) << id_of(permission);
  }
  // An issuer who may issue for admins is two steps from one.
  allow(Permission::user_generate_access_token, {Role::admin, Role::bot, Role::app});
  EXPECT_EQ(broken(app), BrokenBound::admins);
  set(Role::app, targets({Role::user}));
  EXPECT_EQ(broken(app), BrokenBound::admins);
  set(Role::app, no_admins());
  EXPECT_EQ(broken(app), BrokenBound::none);
}

// The change of roles and the issue are in one batch: their order decides, whatever a core knew.
TEST_F(IssuingPolicyTest, ATargetThatBecomesAnAdminInFrontIsExcluded) {
  without_shards();
  const UserId user = create("user");
  set(Role::bot, no_admins());
  Issue before(issuer_, {Role::bot}, user);
  Asked<UpdateUser> promote;
  promote.id = user;
  promote.add_roles = {Role::admin};
  Issue after(issuer_, {Role::bot}, user);
  Issue unbound(issuer_, {Role::admin}, user);
  store().write(before);
  store(1).write(promote);
  store().write(after);
  store().write(unbound);
  settle();
  EXPECT_TRUE(before.succeeded());
  EXPECT_TRUE(promote.succeeded());
  EXPECT_TRUE(after.broke(BrokenBound::admins));
  EXPECT_TRUE(unbound.succeeded());
}

TEST_F(IssuingPolicyTest, APolicyCountsForWhateverIsBehindIt) {
  without_shards();
  Issue before(issuer_, {Role::bot}, root);
  Asked<UpdatePolicies> change;
  change.changes = {{Role::bot, no_admins()}};
  Issue after(issuer_, {Role::bot}, root);
  store().write(before);
  store(1).write(change);
  store().write(after);
  settle();
  EXPECT_TRUE(before.succeeded());
  EXPECT_TRUE(change.succeeded());
  EXPECT_TRUE(after.broke(BrokenBound::admins));
}

TEST_F(IssuingPolicyTest, TheLifetimeIsCutOrWhereItWasAskedForRefused) {
  const UserId user = create("user");
  set(Role::bot, at_most(kHourMs));
  const auto lifetime_of = [&](const UserId& target, RoleSet roles, std::int64_t asked_ms) {
    Issue operation(issuer_, roles, target);
    operation.lifetime_ms = asked_ms;
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
    return operation.expires_ms - clock.now_ms;
  };
  EXPECT_EQ(lifetime_of(user, {Role::bot}, 0), kHourMs);
  EXPECT_EQ(lifetime_of(user, {Role::bot}, kHourMs), kHourMs);
  EXPECT_EQ(lifetime_of(user, {Role::bot}, 1), 1);
  EXPECT_EQ(lifetime_of(issuer_, {Role::bot}, 0), kHourMs);
  EXPECT_EQ(lifetime_of(user, {Role::admin}, 0), 90 * kDayMs);
  EXPECT_EQ(lifetime_of(user, {Role::admin}, kDayMs), kDayMs);
  for (const UserId& target : {user, issuer_}) {
    Issue longer(issuer_, {Role::bot}, target);
    longer.lifetime_ms = kHourMs + 1;
    store().write(longer);
    settle();
    EXPECT_TRUE(longer.broke(BrokenBound::lifetime));
    EXPECT_EQ(longer.lifetime_ms, kHourMs);
  }
  set(Role::bot, at_most(365 * kDayMs));
  EXPECT_EQ(lifetime_of(user, {Role::bot}, 0), 90 * kDayMs);
  EXPECT_EQ(lifetime_of(user, {Role::bot}, 365 * kDayMs), 365 * kDayMs);
}

TEST_F(IssuingPolicyTest, WhatIsRefusedIssuesNothingAndDisplacesNothing) {
  options.tokens_per_user_max = 1;
  restart();
  set(Role::bot, no_admins());
  const Token kept = issue(root);
  const std::uint64_t issued = committer->counters().tokens_issued;
  const std::size_t stored = database.size(Family::tokens);
  EXPECT_EQ(broken(root), BrokenBound::admins);
  EXPECT_EQ(committer->counters().tokens_issued, issued);
  EXPECT_EQ(database.size(Family::tokens), stored);
  EXPECT_TRUE(authenticates(kept.text, root));
}

TEST_F(IssuingPolicyTest, WhoIsNotBoundCausesNoRead) {
  const UserId user = create("user");
  issue(user);
  set(Role::bot, full_policy());
  const std::size_t reads = database.reads();
  EXPECT_EQ(broken(user, {Role::admin, Role::user}), BrokenBound::none);
  EXPECT_EQ(database.reads(), reads);
  EXPECT_EQ(broken(user), BrokenBound::none);
  EXPECT_GT(database.reads(), reads);
}

TEST_F(IssuingPolicyTest, ADamagedRecordIsRefusedAtTheStart) {
  close();
  database.set(Family::permissions, policy_key(Role::bot), "x");
  const auto opened =
      Committer::open({database, clock, committer_waker, random}, identity, options);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Errc::corrupt);
  EXPECT_NE(opened.error().message.find("policy"), std::string::npos);
}

}  // namespace
}  // namespace tokend::store
