// The limit of tokens: exactly the newest remain.

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

class LimitTest : public StoreFixture {
 protected:
  std::vector<Token> issue_many(const UserId& user, int count) {
    std::vector<Token> tokens;
    for (int i = 0; i < count; ++i) tokens.push_back(issue(user, static_cast<std::size_t>(i) % 2));
    return tokens;
  }
  void expect_newest(const std::vector<Token>& tokens, const UserId& user, std::size_t newest) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      EXPECT_EQ(authenticates_anywhere(tokens[i].text, user), i + newest >= tokens.size()) << i;
    }
  }
};

TEST_F(LimitTest, ExactlyTheNewestFiftyRemainEvenWithinOneMillisecond) {
  const std::vector<Token> tokens = issue_many(root, 53);
  expect_newest(tokens, root, 50);
  EXPECT_EQ(database.size(Family::tokens), 50U);
}

TEST_F(LimitTest, HoldsAcrossARestart) {
  std::vector<Token> tokens = issue_many(root, 50);
  restart();
  tokens.push_back(issue(root));
  expect_newest(tokens, root, 50);
}

TEST_F(LimitTest, CountsForEachUserAlone) {
  const UserId anna = create("anna");
  const std::vector<Token> roots = issue_many(root, 30), annas = issue_many(anna, 30);
  expect_newest(roots, root, 50);
  expect_newest(annas, anna, 50);
}

TEST_F(LimitTest, DoesNotCountPersonalTokens) {
  const Token personal = issue(root, 0, 0, TokenKind::personal);
  EXPECT_EQ(personal.expires_ms, kNeverExpires);
  expect_newest(issue_many(root, 60), root, 50);
  EXPECT_TRUE(authenticates(personal.text, root));
  restart();
  EXPECT_TRUE(authenticates(personal.text, root));
}

TEST_F(LimitTest, RevokedTokensMakeRoom) {
  const std::vector<Token> tokens = issue_many(root, 50);
  Asked<RevokeToken> revoke;
  revoke.user = root;
  revoke.locator = tokens[49].locator;
  store().write(revoke);
  settle();
  static_cast<void>(issue(root));
  EXPECT_TRUE(authenticates(tokens[0].text, root));
}

TEST_F(LimitTest, LoweredItTakesEffectAtTheStart) {
  const std::vector<Token> tokens = issue_many(root, 50);
  options.tokens_per_user_max = 10;
  restart();
  expect_newest(tokens, root, 10);
  EXPECT_EQ(database.size(Family::tokens), 10U);
}

TEST_F(LimitTest, RevokedAndExpiredTokensAreNotIndexedAfterARestart) {
  static_cast<void>(issue(root, 0, 1000));
  static_cast<void>(issue(root, 0, 5000));
  const UserId anna = create("anna");
  issue_many(anna, 3);
  Asked<UpdateUser> revoke;
  revoke.id = anna;
  revoke.revoke_tokens = true;
  store().write(revoke);
  settle();
  clock.now_ms += 2000;
  restart();
  EXPECT_EQ(committer->indexed_tokens(), 1U);
}

TEST_F(LimitTest, OfTheWholeStoreIsAnsweredWithFull) {
  without_shards();
  close();
  options.indexed_tokens_max = 3;
  open();
  issue_many(root, 3);
  Asked<IssueToken> operation;
  operation.user = root;
  store().write(operation);
  settle();
  EXPECT_TRUE(operation.failed_with(core::Errc::full));
}

TEST_F(LimitTest, ALifetimeBeyondAllTimeNeverExpires) {
  EXPECT_EQ(issue(root, 0, INT64_MAX).expires_ms, kNeverExpires);
}

TEST_F(LimitTest, TheLifetimeIsTheServersUnlessOneIsGiven) {
  EXPECT_EQ(issue(root).expires_ms, clock.now_ms + options.settings.token_lifetime_ms);
  EXPECT_EQ(issue(root, 0, 77).expires_ms, clock.now_ms + 77);
}

}  // namespace
}  // namespace tokend::store
