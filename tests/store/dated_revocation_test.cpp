// Revoking the dated tokens of a user and not its personal ones: what users.logoutOtherClients asks
// for.

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

class DatedRevocation : public StoreFixture {
 protected:
  void revoke_dated(const UserId& user, const Token& presented, TokenKind kind) {
    Asked<UpdateUser> operation;
    operation.id = user;
    operation.revoke_tokens = operation.revoke_dated_only = true;
    operation.revoke_except = presented.locator;
    operation.revoke_except_kind = kind;
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
  }
  void revoke_all(const UserId& user, const Locator& except = {},
                  TokenKind kind = TokenKind::login) {
    Asked<UpdateUser> operation;
    operation.id = user;
    operation.revoke_tokens = true;
    operation.revoke_except = except;
    operation.revoke_except_kind = kind;
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
  }
  Token personal_token(const UserId& user) {
    const Token token = issue(user, 0, 0, TokenKind::personal);
    EXPECT_TRUE(authenticates_anywhere(token.text, user));
    return token;
  }
};

TEST_F(DatedRevocation, SparesThePresentedTokenAndPersonalOnesAlsoAfterARestart) {
  const Token first = known_token(root), presented = known_token(root);
  const Token personal = personal_token(root);
  revoke_dated(root, presented, TokenKind::issued);
  const Token later = issue(root);
  for (int round = 0; round < 2; ++round) {
    EXPECT_FALSE(authenticates_anywhere(first.text, root));
    EXPECT_TRUE(authenticates(presented.text, root));
    EXPECT_TRUE(authenticates(personal.text, root));
    EXPECT_TRUE(authenticates(later.text, root));
    EXPECT_EQ(committer->indexed_tokens(), 2U);
    restart();
  }
}

TEST_F(DatedRevocation, AskedForWithAPersonalTokenEndsEveryDatedOne) {
  const Token dated = known_token(root);
  const Token presented = personal_token(root), personal = personal_token(root);
  revoke_dated(root, presented, TokenKind::personal);
  EXPECT_FALSE(authenticates_anywhere(dated.text, root));
  EXPECT_TRUE(authenticates(presented.text, root));
  EXPECT_TRUE(authenticates(personal.text, root));
  EXPECT_EQ(committer->indexed_tokens(), 0U);
}

TEST_F(DatedRevocation, DoesNotBringBackWhatWasRevokedBefore) {
  const Token personal = personal_token(root), token = known_token(root);
  revoke_all(root);
  revoke_dated(root, token, TokenKind::issued);
  EXPECT_FALSE(authenticates_anywhere(token.text, root));
  EXPECT_FALSE(authenticates_anywhere(personal.text, root));
}

TEST_F(DatedRevocation, IsNotUndoneByTheRevocationOfAllThatFollows) {
  const Token dated = known_token(root), presented = known_token(root);
  const Token personal = personal_token(root);
  revoke_dated(root, presented, TokenKind::issued);
  // An old token that was revoked cannot be the exception of what comes after.
  revoke_all(root, dated.locator, TokenKind::issued);
  for (const Token* token : {&dated, &presented, &personal}) {
    EXPECT_FALSE(authenticates_anywhere(token->text, root));
  }
}

TEST_F(DatedRevocation, BeforeAllOthersAreRemovedKeepsTheOneThatIsPresented) {
  const Token presented = known_token(root), other = known_token(root);
  const Token personal = personal_token(root);
  revoke_dated(root, presented, TokenKind::issued);
  revoke_all(root, presented.locator, TokenKind::issued);
  restart();
  EXPECT_TRUE(authenticates(presented.text, root));
  EXPECT_FALSE(authenticates_anywhere(other.text, root));
  EXPECT_FALSE(authenticates_anywhere(personal.text, root));
}

TEST_F(DatedRevocation, AfterAllOthersWereRemovedLeavesAPersonalExceptionAlone) {
  const Token personal = personal_token(root);
  revoke_all(root, personal.locator, TokenKind::personal);
  const Token presented = known_token(root), other = known_token(root);
  revoke_dated(root, presented, TokenKind::issued);
  restart();
  EXPECT_TRUE(authenticates(personal.text, root));
  EXPECT_TRUE(authenticates(presented.text, root));
  EXPECT_FALSE(authenticates_anywhere(other.text, root));
}

}  // namespace
}  // namespace tokend::store
