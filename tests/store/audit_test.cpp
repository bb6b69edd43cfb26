// What the committer records, and how it is read.

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "store/audit_pile.h"
#include "store/audit_reader.h"
#include "store/meta.h"
#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

constexpr std::array<std::uint8_t, 16> kIpv4 = {0, 0, 0,    0,    0,  0, 0, 0,
                                                0, 0, 0xff, 0xff, 10, 0, 0, 9};
constexpr std::array<std::uint8_t, 16> kIpv6 = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
                                                0,    0,    0,    0,    0, 0, 0, 1};

class AuditTest : public StoreFixture {
 protected:
  AuditPage list(const AuditQuery& query = {}) {
    Asked<ListAudit> operation;
    operation.query = query;
    turn(0);
    store().list_audit(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
    return operation.page;
  }
  AuditRecord newest(AuditEvent event) {
    AuditQuery query;
    query.event = event;
    query.count = 1;
    const AuditPage page = list(query);
    EXPECT_EQ(page.entries.size(), 1U) << id_of(event);
    return page.entries.empty() ? AuditRecord{} : page.entries.front().record;
  }
  template <class Operation>
  void write(Operation& operation) {
    operation.origin = {root, kIpv4};
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.result.has_value());
  }
};

TEST_F(AuditTest, HoldsEveryIssuedTokenWhateverBecameOfIt) {
  const UserId user = create("anna");
  // More than a user may have, in one batch: the first are displaced by their own batch.
  const std::size_t count = options.tokens_per_user_max + 7;
  std::vector<std::unique_ptr<Asked<IssueToken>>> operations;
  for (std::size_t i = 0; i < count; ++i) {
    auto& operation = *operations.emplace_back(std::make_unique<Asked<IssueToken>>());
    operation.user = user;
    operation.issuer = root;
    operation.address = kIpv4;
    store().write(operation);
  }
  settle();
  EXPECT_FALSE(authenticates(std::string(view_of(operations.front()->token)), user));
  EXPECT_TRUE(authenticates(std::string(view_of(operations.back()->token)), user));
  Asked<DeleteUser> removal;
  removal.id = user;
  write(removal);
  EXPECT_EQ(newest(AuditEvent::user_delete).count, options.tokens_per_user_max);
  restart();
  AuditQuery query;
  query.event = AuditEvent::token_issue;
  query.count = 1000;
  const AuditPage page = list(query);
  ASSERT_EQ(page.entries.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    const AuditPage::Entry& entry = page.entries[count - 1 - i];
    EXPECT_EQ(entry.at, operations[i]->locator);
    EXPECT_EQ(entry.record.target, user);
    EXPECT_EQ(entry.record.origin.actor, root);
    EXPECT_EQ(entry.record.origin.address, kIpv4);
    EXPECT_EQ(entry.record.expires_ms, operations[i]->expires_ms);
  }
}

TEST_F(AuditTest, HoldsEveryChange) {
  Asked<CreateUser> made;
  made.user.username = "anna";
  write(made);
  const UserId user = made.user.id;
  AuditRecord record = newest(AuditEvent::user_create);
  EXPECT_EQ(record.target, user);
  EXPECT_EQ(record.origin.actor, root);
  EXPECT_EQ(record.origin.address, kIpv4);
  EXPECT_EQ(record.details.view(), "anna");

  const Token one = issue(user), two = issue(user);
  Asked<RevokeToken> revoked;
  revoked.user = user;
  revoked.locator = one.locator;
  write(revoked);
  EXPECT_EQ(newest(AuditEvent::token_revoke).token, one.locator);
  Asked<RevokeToken> left;
  left.user = user;
  left.locator = two.locator;
  left.audited_as = AuditEvent::logout;
  write(left);
  EXPECT_EQ(newest(AuditEvent::logout).token, two.locator);

  issue(user);
  issue(user);
  issue_personal(user, "robot");
  Asked<UpdateUser> all;
  all.id = user;
  all.revoke_tokens = true;
  write(all);
  EXPECT_EQ(newest(AuditEvent::tokens_revoke).count, 3U);

  issue_personal(user, "robot");
  EXPECT_EQ(newest(AuditEvent::personal_token_issue).details.view(), "robot");
  Asked<RemovePersonalToken> removed;
  removed.user = user;
  removed.name = "robot";
  write(removed);
  EXPECT_EQ(newest(AuditEvent::personal_token_remove).details.view(), "robot");

  const auto changed = std::make_unique<Asked<UpdateUser>>();
  changed->id = user;
  changed->active = false;
  changed->password_hash = "the hash";
  changed->profile = std::make_unique<ProfileChanges>();
  changed->profile->name = "Anna";
  changed->profile->roles = RoleSet{Role::bot, Role::user};
  write(*changed);
  EXPECT_EQ(newest(AuditEvent::user_update).details.view(), "name");
  EXPECT_EQ(newest(AuditEvent::roles_change).details.view(), "user,bot");
  EXPECT_EQ(newest(AuditEvent::password_change).target, user);
  EXPECT_EQ(newest(AuditEvent::user_deactivate).target, user);
  Asked<UpdateUser> activated;
  activated.id = user;
  activated.active = true;
  write(activated);
  EXPECT_EQ(newest(AuditEvent::user_activate).target, user);

  Asked<UpdatePermissions> permissions;
  permissions.changes = {{Permission::view_audit, {Role::admin, Role::bot}}};
  write(permissions);
  EXPECT_EQ(newest(AuditEvent::permission_update).details.view(), "view-audit roles=admin,bot");
  Asked<UpdatePolicies> policies;
  policies.changes = {{Role::bot, IssuingPolicy{.exclude_admins = true}}};
  write(policies);
  EXPECT_EQ(newest(AuditEvent::policy_update).details.view(), "bot excludeAdmins");
  Asked<UpdateSetting> setting;
  setting.key = SettingKey::rate_limiter_calls;
  setting.value = std::int64_t{12};
  write(setting);
  EXPECT_EQ(newest(AuditEvent::setting_update).details.view(),
            "API_Enable_Rate_Limiter_Limit_Calls_Default=12");
}

TEST_F(AuditTest, AWriteThatFailsLeavesNothing) {
  const std::size_t before = list().entries.size();
  Asked<DeleteUser> last_admin;
  last_admin.id = root;
  store().write(last_admin);
  Asked<UpdateUser> unknown;
  unknown.id = UserId("nobody");
  unknown.active = true;
  store().write(unknown);
  settle();
  EXPECT_FALSE(last_admin.succeeded());
  EXPECT_EQ(list().entries.size(), before);
}

TEST_F(AuditTest, WhatACorePutAsideIsRecordedWithWhatWasTooMuch) {
  Asked<RecordAudit> operation;
  operation.pile = AuditPile::with_room();
  AuditRecord refused;
  refused.event = AuditEvent::token_issue;
  refused.reason = AuditReason::secret_wrong;
  refused.origin = {root, kIpv6};
  for (std::size_t i = 0; i < AuditPile::kRecordsMax + 9; ++i) {
    refused.details = audit_details(std::to_string(i));
    operation.pile.add(refused);
  }
  store().write(operation);
  settle();
  EXPECT_TRUE(operation.succeeded());
  AuditQuery query;
  query.count = 1000;
  const AuditPage page = list(query);
  ASSERT_EQ(page.entries.size(), AuditPile::kRecordsMax + 1);
  EXPECT_EQ(page.entries[0].record.event, AuditEvent::dropped);
  EXPECT_EQ(page.entries[0].record.count, 9U);
  EXPECT_EQ(page.entries[0].record.details.view(), "token-issue");
  EXPECT_EQ(page.entries[1].record.reason, AuditReason::secret_wrong);
}

TEST_F(AuditTest, PagesAreInOneOrderAndMeetEachOtherOnce) {
  const UserId user = create("anna");
  std::vector<Locator> expected;
  for (int i = 0; i < 150; ++i) {
    clock.now_ms += i % 3;
    issue(user);
    if (i % 4 == 0) {
      Asked<UpdateUser> update;
      update.id = user;
      update.revoke_tokens = true;
      write(update);
    }
  }
  AuditQuery query;
  query.count = 10'000;
  const AuditPage all = list(query);
  ASSERT_EQ(all.entries.size(), 1U + 150 + 38);
  EXPECT_TRUE(all.next.empty());
  for (std::size_t i = 1; i < all.entries.size(); ++i) {
    EXPECT_GT(all.entries[i - 1].at, all.entries[i].at);
  }
  for (const std::size_t scanned_max : {kAuditScannedMax, std::size_t{3}}) {
    query = {};
    query.count = 7;
    query.scanned_max = scanned_max;
    std::vector<Locator> found;
    for (;;) {
      AuditPage page;
      ASSERT_TRUE(read_audit(database, query, page));
      EXPECT_LE(page.entries.size(), std::min(query.count, scanned_max));
      for (const auto& entry : page.entries) found.push_back(entry.at);
      if (page.next.empty()) break;
      query.before = page.next;
    }
    ASSERT_EQ(found.size(), all.entries.size());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], all.entries[i].at);
  }
}

TEST_F(AuditTest, IsFilteredByWhoWhomWhatAndWhen) {
  const UserId anna = create("anna"), bert = create("bert");
  clock.now_ms += 1000;
  const std::int64_t middle = clock.now_ms;
  issue(anna);
  clock.now_ms += 1000;
  issue(bert);
  Asked<UpdateUser> update;
  update.id = bert;
  update.revoke_tokens = true;
  write(update);
  const auto events = [&](auto&& set) {
    AuditQuery query;
    set(query);
    std::string text;
    for (const auto& entry : list(query).entries) {
      text += std::string(id_of(entry.record.event)) + " ";
    }
    return text;
  };
  EXPECT_EQ(events([](AuditQuery&) {}),
            "tokens-revoke token-issue token-issue user-create user-create ");
  EXPECT_EQ(events([&](AuditQuery& query) { query.target = bert; }),
            "tokens-revoke token-issue user-create ");
  EXPECT_EQ(events([&](AuditQuery& query) { query.actor = root; }), "tokens-revoke ");
  EXPECT_EQ(events([&](AuditQuery& query) { query.actor = anna; }), "token-issue ");
  EXPECT_EQ(events([&](AuditQuery& query) { query.event = AuditEvent::user_create; }),
            "user-create user-create ");
  EXPECT_EQ(events([&](AuditQuery& query) { query.since_ms = middle; }),
            "tokens-revoke token-issue token-issue ");
  EXPECT_EQ(events([&](AuditQuery& query) { query.until_ms = middle; }),
            "token-issue user-create user-create ");
  EXPECT_EQ(events([&](AuditQuery& query) { query.since_ms = query.until_ms = middle; }),
            "token-issue ");
  EXPECT_EQ(events([&](AuditQuery& query) { query.until_ms = 0; }), "");
}

TEST_F(AuditTest, NothingOlderThanTheRetentionIsShown) {
  close();
  store_options.audit_retention_ms = 5'000;
  open();
  const UserId user = create("anna");
  issue(user);
  clock.now_ms += 3'000;
  issue(user);
  EXPECT_EQ(list().entries.size(), 3U);
  clock.now_ms += 2'001;
  EXPECT_EQ(list().entries.size(), 1U);
  AuditQuery query;
  query.since_ms = 1;
  EXPECT_EQ(list(query).entries.size(), 1U);
}

TEST_F(AuditTest, SwitchedOffNothingIsRecordedAndNothingShown) {
  close();
  options.audit = false;
  store_options.audit_retention_ms = 0;
  open();
  const UserId user = create("anna");
  Asked<UpdateUser> update;
  update.id = user;
  update.revoke_tokens = true;
  write(update);
  EXPECT_EQ(database.size(Family::audit), 0U);
  EXPECT_TRUE(list().entries.empty());
}

TEST_F(AuditTest, ADamagedRecordIsAFailure) {
  database.set(Family::audit, view_of(Locator::make(clock.now_ms, 0, 0)), "damage");
  AuditPage page;
  const auto read = read_audit(database, {}, page);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, core::Errc::corrupt);
}

}  // namespace
}  // namespace tokend::store
