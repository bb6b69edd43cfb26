// A revoked token, a deactivated or deleted user authenticates on no core once the revocation was
// answered, whatever was under way (ARCHITECTURE.md, invariant 3).

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

class NoGuard final : public MissGuard {
 public:
  bool is_current(std::uint64_t, std::uint64_t) const noexcept override { return true; }
};

class RevocationTest : public StoreFixture {
 protected:
  void revoke(Asked<RevokeToken>& operation, const UserId& user, const Token& token) {
    operation.user = user;
    operation.locator = token.locator;
    store().write(operation);
  }
};

TEST_F(RevocationTest, RevokingOneTokenRevokesItEverywhereAndNoOther) {
  const Token first = known_token(root), second = known_token(root);
  Asked<RevokeToken> operation;
  revoke(operation, root, first);
  settle();
  EXPECT_TRUE(operation.succeeded());
  EXPECT_FALSE(authenticates_anywhere(first.text, root));
  EXPECT_TRUE(authenticates(second.text, root));
  restart();
  EXPECT_FALSE(authenticates_anywhere(first.text, root));
  EXPECT_TRUE(authenticates(second.text, root));
}

// A login that compared a password tells by the floor whether it is still the one.
TEST_F(RevocationTest, NoTwoFloorsOfAUserAreEqual) {
  options.audit = false;  // its records take locators too
  restart();
  Locator last;
  for (int time = 0; time < 3; ++time) {
    Asked<UpdateUser> change;
    change.id = root;
    change.revoke_tokens = true;
    store().write(change);
    settle();
    ASSERT_TRUE(change.succeeded());
    EXPECT_GT(change.user.valid_from, last);
    last = change.user.valid_from;
  }
  const Token token = issue(root);
  EXPECT_TRUE(authenticates(token.text, root));
}

TEST_F(RevocationTest, RevokingTwiceSucceedsTwice) {
  const Token token = known_token(root);
  Asked<RevokeToken> first, second;
  revoke(first, root, token);
  revoke(second, root, token);
  settle();
  EXPECT_TRUE(first.succeeded());
  EXPECT_TRUE(second.succeeded());
}

TEST_F(RevocationTest, IsAnsweredOnlyWhenEveryCoreHasDroppedTheOldState) {
  without_shards();
  const Token token = known_token(root);
  Asked<RevokeToken> operation;
  revoke(operation, root, token);
  ASSERT_TRUE(step());
  turn(0);
  turn(0);
  EXPECT_EQ(operation.times_done, 0) << "core 1 still has it";
  turn(1);
  turn(0);
  EXPECT_TRUE(operation.succeeded());
}

TEST_F(RevocationTest, OfAllTokensSparesTheException) {
  const Token first = known_token(root), kept = known_token(root), last = known_token(root);
  Asked<UpdateUser> operation;
  operation.id = root;
  operation.revoke_tokens = true;
  operation.revoke_except = kept.locator;
  store().write(operation);
  settle();
  EXPECT_TRUE(operation.succeeded());
  EXPECT_FALSE(authenticates_anywhere(first.text, root));
  EXPECT_FALSE(authenticates_anywhere(last.text, root));
  EXPECT_TRUE(authenticates(kept.text, root));
  const Token later = issue(root);
  EXPECT_TRUE(authenticates(later.text, root));
  restart();
  EXPECT_FALSE(authenticates_anywhere(first.text, root));
  EXPECT_TRUE(authenticates(kept.text, root));
  EXPECT_TRUE(authenticates(later.text, root));
}

TEST_F(RevocationTest, OfAllTokensInTheMillisecondOfTheirIssueLeavesNone) {
  without_shards();
  Asked<IssueToken> before, after;
  Asked<UpdateUser> revoke_all;
  before.user = after.user = revoke_all.id = root;
  revoke_all.revoke_tokens = true;
  store().write(before);
  store().write(revoke_all);
  store().write(after);
  settle();
  EXPECT_FALSE(authenticates_anywhere(std::string(view_of(before.token)), root));
  EXPECT_TRUE(authenticates(std::string(view_of(after.token)), root));
}

TEST_F(RevocationTest, AnExceptionDoesNotBringBackWhatWasRevokedMeanwhile) {
  const Token token = known_token(root);
  Asked<UpdateUser> all, all_but_one;
  all.id = all_but_one.id = root;
  all.revoke_tokens = all_but_one.revoke_tokens = true;
  all_but_one.revoke_except = token.locator;
  store().write(all);
  store().write(all_but_one);
  settle();
  EXPECT_FALSE(authenticates_anywhere(token.text, root));
}

TEST_F(RevocationTest, DeactivationRevokesForGood) {
  const UserId anna = create("anna");
  const Token token = known_token(anna);
  Asked<UpdateUser> off;
  off.id = anna;
  off.active = false;
  store().write(off);
  settle();
  EXPECT_TRUE(off.succeeded());
  EXPECT_FALSE(off.user.active);
  EXPECT_FALSE(authenticates_anywhere(token.text, anna));
  Asked<UpdateUser> on;
  on.id = anna;
  on.active = true;
  store().write(on);
  settle();
  EXPECT_TRUE(on.succeeded());
  EXPECT_FALSE(authenticates_anywhere(token.text, anna));
  EXPECT_TRUE(authenticates(issue(anna).text, anna));
}

TEST_F(RevocationTest, NothingIsIssuedForADeactivatedOrDeletedUser) {
  without_shards();
  const UserId anna = create("anna"), bert = create("bert");
  Asked<UpdateUser> off;
  off.id = anna;
  off.active = false;
  Asked<DeleteUser> erase;
  erase.id = bert;
  Asked<IssueToken> for_anna, for_bert, for_nobody;
  for_anna.user = anna;
  for_bert.user = bert;
  for_nobody.user = UserId("nobody");
  store().write(off);
  store().write(erase);
  store().write(for_anna);
  store().write(for_bert);
  store().write(for_nobody);
  settle();
  EXPECT_TRUE(for_anna.failed_with(Errc::refused));
  EXPECT_TRUE(for_bert.failed_with(Errc::not_found));
  EXPECT_TRUE(for_nobody.failed_with(Errc::not_found));
  restart();
  Asked<IssueToken> again;
  again.user = anna;
  store().write(again);
  settle();
  EXPECT_TRUE(again.failed_with(Errc::refused));
}

TEST_F(RevocationTest, ADeletedUsersTokensAreGone) {
  const UserId anna = create("anna");
  const Token dated = known_token(anna);
  const Token personal = issue(anna, 0, 0, TokenKind::personal);
  EXPECT_TRUE(authenticates(personal.text, anna));
  Asked<DeleteUser> operation;
  operation.id = anna;
  store().write(operation);
  settle();
  EXPECT_TRUE(operation.succeeded());
  EXPECT_FALSE(authenticates_anywhere(dated.text, anna));
  EXPECT_FALSE(authenticates_anywhere(personal.text, anna));
  EXPECT_EQ(committer->indexed_tokens(), 0U);
}

TEST_F(RevocationTest, ChangedRolesAreSeenByEveryCoreOnceAnswered) {
  const UserId anna = create("anna");
  const Token token = known_token(anna);
  Asked<UpdateUser> operation;
  operation.id = anna;
  operation.add_roles = RoleSet{Role::bot};
  store().write(operation);
  settle();
  for (std::size_t core = 0; core < cores.size(); ++core) {
    Asked<Authenticate> authenticate;
    authenticate.token = token.text;
    authenticate.user_id = anna.view();
    store(core).authenticate(authenticate);
    ASSERT_TRUE(authenticate.succeeded());
    EXPECT_TRUE(authenticate.caller.roles.has(Role::bot));
  }
}

TEST_F(RevocationTest, ChangedPermissionsAreSeenByEveryCoreOnceAnsweredAndAfterARestart) {
  Asked<UpdatePermissions> operation;
  operation.changes = {{Permission::create_user, RoleSet{Role::bot}}};
  store().write(operation);
  settle();
  EXPECT_TRUE(operation.succeeded());
  for (int round = 0; round < 2; ++round) {
    for (std::size_t core = 0; core < cores.size(); ++core) {
      const auto& entry = store(core).permissions()[Permission::create_user];
      EXPECT_EQ(entry.roles, RoleSet{Role::bot});
      EXPECT_EQ(entry.updated_ms, clock.now_ms);
      EXPECT_EQ(store(core).permissions()[Permission::delete_user].roles, RoleSet{Role::admin});
    }
    restart();
  }
}

// ---- Races ----

// The worker reads before the revocation is committed; its answer comes home after the revocation
// was answered.
class ReadThatIsOvertaken : public RevocationTest {
 protected:
  bool revoked_token_authenticates() {
    const Token token = issue(root);
    restart();
    database.memory_knows = [](Family, std::string_view) { return false; };
    Asked<Authenticate> early;
    early.token = token.text;
    early.user_id = root.view();
    store(0).authenticate(early);
    readers.run_all();  // the token's record was read, and waits in core 0's mailbox
    core::MessageList held = cores[0]->mailbox.take();

    Asked<RevokeToken> operation;
    operation.user = root;
    operation.locator = token.locator;
    store(1).write(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());

    while (core::Message* message = held.pop_front()) message->deliver(*message);
    settle();
    EXPECT_EQ(early.times_done, 1);
    return authenticates(token.text, root, 0);
  }
};

TEST_F(ReadThatIsOvertaken, ByARevocationDoesNotFillTheCache) {
  EXPECT_FALSE(revoked_token_authenticates());
  EXPECT_EQ(store(0).counters().guarded_fills, 1U);
}

TEST_F(ReadThatIsOvertaken, WouldFillItIfThereWereNoGuard) {
  NoGuard none;
  close();
  guard = &none;
  open();
  EXPECT_TRUE(revoked_token_authenticates());
  close();
}

TEST_F(ReadThatIsOvertaken, ByADeactivationDoesNotFillTheUserCache) {
  const UserId anna = create("anna");
  const Token token = issue(anna);
  restart();
  database.memory_knows = [](Family family, std::string_view) { return family != Family::users; };
  Asked<FindUser> early;
  early.value = anna.view();
  store(0).find_user(early);
  readers.run_all();
  core::MessageList held = cores[0]->mailbox.take();
  Asked<UpdateUser> off;
  off.id = anna;
  off.active = false;
  store(1).write(off);
  settle();
  ASSERT_TRUE(off.succeeded());
  bool was_active = true;
  early.at_done = [&] { was_active = early.user->active; };
  while (core::Message* message = held.pop_front()) message->deliver(*message);
  settle();
  EXPECT_TRUE(early.succeeded());
  EXPECT_FALSE(was_active) << "it was read again";
  EXPECT_FALSE(authenticates(token.text, anna, 0));
}

TEST_F(RevocationTest, ATokenDisplacedInTheBatchThatIssuedItDoesNotStayInTheCache) {
  close();
  options.tokens_per_user_max = 2;
  open();
  std::vector<std::unique_ptr<Asked<IssueToken>>> operations;
  for (int i = 0; i < 5; ++i) {
    operations.push_back(std::make_unique<Asked<IssueToken>>());
    operations.back()->user = root;
    store().write(*operations.back());
  }
  settle();
  EXPECT_EQ(committer->counters().batches, 1U);
  EXPECT_EQ(database.size(Family::tokens), 2U);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(operations[i]->succeeded());
    EXPECT_EQ(authenticates_anywhere(std::string(view_of(operations[i]->token)), root), i >= 3)
        << i;
  }
}

TEST_F(RevocationTest, ATokenDisplacedBeforeItsAnswerCameHomeDoesNotStayInTheCache) {
  close();
  options.tokens_per_user_max = 1;
  open();
  static_cast<void>(issue(root));
  // The first displaces a token, so it waits for core 1; the second displaces the first.
  Asked<IssueToken> first, second;
  first.user = second.user = root;
  store(0).write(first);
  ASSERT_TRUE(step());
  store(0).write(second);
  ASSERT_TRUE(step());
  turn(0);  // both notices
  EXPECT_EQ(first.times_done, 0);
  turn(1);  // the last acknowledgements
  turn(0);
  ASSERT_TRUE(first.succeeded());
  ASSERT_TRUE(second.succeeded());
  EXPECT_FALSE(authenticates_anywhere(std::string(view_of(first.token)), root));
  EXPECT_TRUE(authenticates(std::string(view_of(second.token)), root));
}

}  // namespace
}  // namespace tokend::store
