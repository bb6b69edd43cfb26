// A user's tokens: listed by the page, found by their public ids.

#include <gmock/gmock.h>

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;
using testing::ElementsAre;
using testing::IsEmpty;

class ListTokensTest : public StoreFixture {
 protected:
  // Runs the committer and the workers.
  void list(Asked<ListTokens>& operation, const UserId& user, std::size_t offset = 0,
            std::size_t count = 50) {
    operation.user = user;
    operation.offset = offset;
    operation.count = count;
    store().list_tokens(operation);
    settle();
  }
  std::vector<Locator> listed(const UserId& user, std::size_t offset = 0, std::size_t count = 50) {
    Asked<ListTokens> operation;
    list(operation, user, offset, count);
    EXPECT_TRUE(operation.succeeded());
    std::vector<Locator> locators;
    for (const auto& token : operation.tokens) locators.push_back(token.locator);
    return locators;
  }
  // Of core 1, which did not issue the token.
  void find(Asked<FindToken>& operation, std::string_view id) {
    operation.id = id;
    cores[1]->clock.wall_ms = clock.now_ms;
    store(1).find_token(operation);
    settle();
  }
};

TEST_F(ListTokensTest, DatedAndPersonalOnesComeInOrderOfIssueWithTheirRecords) {
  const UserId user = create("anna");
  Asked<IssueToken> first;
  first.user = user;
  first.issuer = root;
  const Token issued = issued_by(first, 0);
  const Token personal = issue_personal(user, "ci");
  const Token login = issue(user, 1, 5'000, TokenKind::login);
  static_cast<void>(issue(root));

  Asked<ListTokens> operation;
  list(operation, user);
  ASSERT_TRUE(operation.succeeded());
  EXPECT_EQ(operation.total, 3U);
  ASSERT_EQ(operation.tokens.size(), 3U);
  EXPECT_EQ(operation.tokens[0].locator, issued.locator);
  EXPECT_EQ(operation.tokens[0].record.issuer, root);
  EXPECT_EQ(operation.tokens[0].record.kind, TokenKind::issued);
  EXPECT_EQ(operation.tokens[1].locator, personal.locator);
  EXPECT_EQ(operation.tokens[1].record.name, "ci");
  EXPECT_EQ(operation.tokens[1].record.expires_ms, kNeverExpires);
  EXPECT_EQ(operation.tokens[2].locator, login.locator);
  EXPECT_EQ(operation.tokens[2].record.expires_ms, login.expires_ms);
  EXPECT_EQ(operation.tokens[2].record.kind, TokenKind::login);
  ASSERT_EQ(operation.personal_tokens().size(), 1U);
  EXPECT_EQ(operation.personal_tokens()[0].locator, personal.locator);
}

TEST_F(ListTokensTest, PagesAreCutOutOfTheWhole) {
  const UserId user = create("anna");
  std::vector<Locator> all;
  for (int count = 0; count < 5; ++count) all.push_back(issue(user).locator);
  EXPECT_EQ(listed(user), all);
  EXPECT_THAT(listed(user, 1, 2), ElementsAre(all[1], all[2]));
  EXPECT_THAT(listed(user, 4, 2), ElementsAre(all[4]));
  EXPECT_THAT(listed(user, 5, 2), IsEmpty());
  EXPECT_THAT(listed(user, 1U << 31, 100), IsEmpty());
  EXPECT_THAT(listed(user, 0, 0), IsEmpty());
}

TEST_F(ListTokensTest, OnlyWhatIsValidIsListed) {
  options.tokens_per_user_max = 3;
  close();
  open();
  const UserId user = create("anna");
  static_cast<void>(issue(user));  // displaced
  const Token brief = issue(user, 0, 1'000);
  const Token revoked = issue(user);
  const Token kept = issue(user);
  EXPECT_THAT(listed(user), ElementsAre(brief.locator, revoked.locator, kept.locator));
  Asked<RevokeToken> revoke;
  revoke.user = user;
  revoke.locator = revoked.locator;
  store().write(revoke);
  settle();
  EXPECT_THAT(listed(user), ElementsAre(brief.locator, kept.locator));
  clock.now_ms += 1'000;
  EXPECT_THAT(listed(user), ElementsAre(kept.locator));
  restart();
  EXPECT_THAT(listed(user), ElementsAre(kept.locator));
  Asked<UpdateUser> update;
  update.id = user;
  update.revoke_tokens = true;
  store().write(update);
  settle();
  EXPECT_THAT(listed(user), IsEmpty());
  restart();
  EXPECT_THAT(listed(user), IsEmpty());
}

TEST_F(ListTokensTest, OneThatIsRevokedWhileTheListIsReadIsNotCounted) {
  const UserId user = create("anna");
  const Token first = issue(user), second = issue(user), third = issue(user);
  Asked<ListTokens> operation;
  operation.user = user;
  store().list_tokens(operation);
  while (step()) {
  }
  turn(0);  // the read is a worker's to make
  Asked<RevokeToken> revoke;
  revoke.user = user;
  revoke.locator = second.locator;
  store().write(revoke);
  while (step()) {
  }
  settle();
  ASSERT_TRUE(operation.succeeded());
  ASSERT_EQ(operation.tokens.size(), 2U);
  EXPECT_EQ(operation.tokens[0].locator, first.locator);
  EXPECT_EQ(operation.tokens[1].locator, third.locator);
  EXPECT_EQ(operation.total, 2U);
}

TEST_F(ListTokensTest, NobodysTokensAreNotFound) {
  Asked<ListTokens> operation;
  list(operation, UserId("nobody"));
  EXPECT_TRUE(operation.failed_with(Errc::not_found));
  const UserId user = create("anna");
  static_cast<void>(issue(user));
  Asked<DeleteUser> remove;
  remove.id = user;
  store().write(remove);
  settle();
  Asked<ListTokens> again;
  list(again, user);
  EXPECT_TRUE(again.failed_with(Errc::not_found));
}

TEST_F(ListTokensTest, ATokenThatIsRevokedBetweenTheTripsIsLeftOut) {
  const UserId user = create("anna");
  const Token first = issue(user);
  const Token second = issue(user);
  Asked<ListTokens> operation;
  operation.user = user;
  store().list_tokens(operation);
  while (step()) {
  }
  turn(0);  // the reader has its job now
  Asked<RevokeToken> revoke;
  revoke.user = user;
  revoke.locator = first.locator;
  store(1).write(revoke);
  while (step()) {
  }
  settle();
  ASSERT_TRUE(operation.succeeded());
  ASSERT_EQ(operation.tokens.size(), 1U);
  EXPECT_EQ(operation.tokens[0].locator, second.locator);
}

TEST_F(ListTokensTest, WritesNothing) {
  const UserId user = create("anna");
  static_cast<void>(issue(user));
  const std::size_t commits = database.commits();
  EXPECT_EQ(listed(user).size(), 1U);
  EXPECT_EQ(database.commits(), commits);
}

TEST_F(ListTokensTest, WhatCannotBeReadOrAskedFails) {
  const UserId user = create("anna");
  static_cast<void>(issue(user));
  readers.limit = 0;
  Asked<ListTokens> crowded;
  list(crowded, user);
  EXPECT_TRUE(crowded.failed_with(Errc::full));
  readers.limit = 1000;
  database.fail_reads(Family::tokens, true);
  Asked<ListTokens> unreadable;
  list(unreadable, user);
  EXPECT_TRUE(unreadable.failed_with(Errc::io));
}

TEST_F(ListTokensTest, ATokenIsFoundByItsIdWhileItIsValid) {
  const UserId user = create("anna");
  const Token token = issue(user, 0, 1'000);
  const TokenId id = store().id_of(token.locator);
  EXPECT_EQ(store(1).id_of(token.locator), id);
  Asked<FindToken> found;
  find(found, view_of(id));
  ASSERT_TRUE(found.succeeded());
  EXPECT_EQ(found.user, user);
  EXPECT_EQ(found.locator, token.locator);
  EXPECT_EQ(found.token_kind, TokenKind::issued);

  clock.now_ms += 1'000;
  Asked<FindToken> expired;
  find(expired, view_of(id));
  EXPECT_TRUE(expired.failed_with(Errc::not_found));

  for (const std::string& text :
       {std::string(), std::string("x"), std::string(32, '0'), token.text,
        std::string(view_of(store().id_of(Locator::make(clock.now_ms + 1'000'000, 0, 1)))),
        std::string(view_of(store().id_of(Locator::make(clock.now_ms - 1, 0, 77))))}) {
    Asked<FindToken> none;
    find(none, text);
    EXPECT_TRUE(none.failed_with(Errc::not_found)) << text;
  }
}

}  // namespace
}  // namespace tokend::store
