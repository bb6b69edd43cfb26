// Personal access tokens: named, listed, never expiring, outside of the limit, and gone with
// everything that ends all of a user's tokens.

#include "store/personal_token.h"

#include <gmock/gmock.h>

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<PersonalToken> sample() {
  return {{Locator::make(5, 0, 1), true, {'a', 'b', 'c', 'd', 'e', 'f'}, "the first"},
          {Locator::make(5, 0, 2), false, {'-', '_', '0', '1', '2', '3'}, "der zweite \xc3\xbc"}};
}

TEST(PersonalTokenRecord, ComesBackAsItWas) {
  std::string bytes;
  encode(sample(), bytes);
  const auto decoded = decode_personal_tokens(bytes);
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*decoded)[i].locator, sample()[i].locator);
    EXPECT_EQ((*decoded)[i].bypass_two_factor, sample()[i].bypass_two_factor);
    EXPECT_EQ((*decoded)[i].last_part, sample()[i].last_part);
    EXPECT_EQ((*decoded)[i].name, sample()[i].name);
  }
}

TEST(PersonalTokenRecord, TruncatedExtendedDisorderedOrNewerIsCorrupt) {
  std::string bytes;
  encode(sample(), bytes);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_personal_tokens(std::string_view(bytes).substr(0, length))) << length;
  }
  EXPECT_FALSE(decode_personal_tokens(bytes + '\0'));
  bytes[0] = 2;
  EXPECT_FALSE(decode_personal_tokens(bytes));
  auto disordered = sample();
  std::swap(disordered[0], disordered[1]);
  bytes.clear();
  encode(disordered, bytes);
  EXPECT_FALSE(decode_personal_tokens(bytes));
}

class PersonalTokenTest : public StoreFixture {
 protected:
  std::vector<std::string> names_of(const UserId& user) {
    std::vector<std::string> names;
    for (const PersonalToken& token : list(user)) names.push_back(token.name);
    return names;
  }
  std::vector<PersonalToken> list(const UserId& user) {
    Asked<ListPersonalTokens> operation;
    operation.user = user;
    store(1).list_personal_tokens(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
    return operation.tokens;
  }
  bool remove(const UserId& user, const std::string& name) {
    Asked<RemovePersonalToken> operation;
    operation.user = user;
    operation.name = name;
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.succeeded() || operation.failed_with(Errc::not_found));
    return operation.succeeded();
  }
  struct Refused {
    bool refused;
    Errc code;
    IssuePersonalToken::Refusal refusal;
  };
  Refused refusal_of(const UserId& user, const std::string& name, bool regenerate = false) {
    Asked<IssuePersonalToken> operation;
    operation.user = operation.issuer = user;
    operation.name = name;
    operation.regenerate = regenerate;
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.done());
    if (operation.result) return {false, {}, {}};
    return {true, operation.result.error(), operation.refusal};
  }
  void update(const UserId& user, auto change) {
    Asked<UpdateUser> operation;
    operation.id = user;
    change(operation);
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
  }
};

TEST_F(PersonalTokenTest, IsListedWithItsEndAndTheMomentOfItsIssue) {
  const Token first = issue_personal(root, "b"), second = issue_personal(root, "a");
  restart();
  const auto tokens = list(root);
  ASSERT_EQ(tokens.size(), 2U);
  EXPECT_EQ(tokens[0].name, "b");
  EXPECT_EQ(tokens[1].name, "a");
  EXPECT_EQ(tokens[0].locator, first.locator);
  EXPECT_EQ(view_of(tokens[1].last_part), second.text.substr(37));
  EXPECT_EQ(tokens[0].locator.issued_ms(), clock.now_ms);
  EXPECT_TRUE(authenticates(first.text, root));
  EXPECT_THAT(list(create("anna")), IsEmpty());
}

TEST_F(PersonalTokenTest, NeverExpires) {
  const Token token = issue_personal(root, "ci");
  EXPECT_EQ(token.expires_ms, kNeverExpires);
  clock.now_ms += 100LL * 365 * 24 * 3600 * 1000;
  EXPECT_TRUE(authenticates(token.text, root));
  restart();
  EXPECT_TRUE(authenticates(token.text, root));
}

TEST_F(PersonalTokenTest, NamesAreUniqueForEachUserAlsoWithinABatch) {
  static_cast<void>(issue_personal(root, "ci"));
  const Refused again = refusal_of(root, "ci");
  EXPECT_TRUE(again.refused);
  EXPECT_EQ(again.refusal, IssuePersonalToken::Refusal::name_taken);
  static_cast<void>(issue_personal(root, "CI"));
  static_cast<void>(issue_personal(create("anna"), "ci"));

  Asked<IssuePersonalToken> first, second;
  first.user = second.user = root;
  first.name = second.name = "twin";
  store(0).write(first);
  store(1).write(second);
  settle();
  EXPECT_TRUE(first.succeeded() != second.succeeded());
  EXPECT_THAT(names_of(root), ElementsAre("ci", "CI", "twin"));
}

TEST_F(PersonalTokenTest, RegeneratingEndsTheOldOneOnEveryCoreInTheSameWrite) {
  Asked<IssuePersonalToken> first;
  first.user = root;
  first.name = "ci";
  first.bypass_two_factor = true;
  store().write(first);
  settle();
  const std::string old(view_of(first.token));
  for (std::size_t core = 0; core < cores.size(); ++core) {
    EXPECT_TRUE(authenticates(old, root, core));
  }
  static_cast<void>(issue_personal(root, "other"));
  const std::size_t commits = database.commits();
  const Token fresh = issue_personal(root, "ci", 0, true);
  EXPECT_EQ(database.commits(), commits + 1);
  for (int round = 0; round < 2; ++round) {
    EXPECT_FALSE(authenticates_anywhere(old, root));
    EXPECT_TRUE(authenticates(fresh.text, root));
    const auto tokens = list(root);
    ASSERT_EQ(tokens.size(), 2U);
    EXPECT_EQ(tokens[1].name, "ci");
    EXPECT_TRUE(tokens[1].bypass_two_factor) << "taken over";
    EXPECT_FALSE(tokens[0].bypass_two_factor);
    EXPECT_EQ(database.size(Family::tokens), 2U);
    restart();
  }
  const Refused unknown = refusal_of(root, "nothing", true);
  EXPECT_TRUE(unknown.refused);
  EXPECT_EQ(unknown.refusal, IssuePersonalToken::Refusal::unknown_name);
}

TEST_F(PersonalTokenTest, AFailedCommitShowsNoTokenAndChangesNothing) {
  const Token token = issue_personal(root, "ci");
  database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  Asked<IssuePersonalToken> operation;
  operation.user = root;
  operation.name = "ci";
  operation.regenerate = true;
  store().write(operation);
  settle();
  EXPECT_TRUE(operation.failed_with(Errc::unavailable));
  EXPECT_EQ(operation.token, TokenText{});
  restart();
  EXPECT_TRUE(authenticates(token.text, root));
  EXPECT_THAT(names_of(root), ElementsAre("ci"));
}

TEST_F(PersonalTokenTest, RemovedIsRefusedEverywhereAndItsNameIsFree) {
  const Token token = issue_personal(root, "ci");
  for (std::size_t core = 0; core < cores.size(); ++core) {
    EXPECT_TRUE(authenticates(token.text, root, core));
  }
  EXPECT_TRUE(remove(root, "ci"));
  EXPECT_FALSE(authenticates_anywhere(token.text, root));
  EXPECT_FALSE(remove(root, "ci"));
  EXPECT_FALSE(database.has(Family::personal_tokens, root.view()));
  EXPECT_EQ(database.size(Family::tokens), 0U);
  static_cast<void>(issue_personal(root, "ci"));
}

TEST_F(PersonalTokenTest, LoggedOutLeavesTheListToo) {
  const Token token = issue_personal(root, "ci"), other = issue_personal(root, "other");
  Asked<RevokeToken> operation;
  operation.user = root;
  operation.locator = token.locator;
  operation.token_kind = TokenKind::personal;
  store().write(operation);
  settle();
  EXPECT_FALSE(authenticates_anywhere(token.text, root));
  EXPECT_TRUE(authenticates(other.text, root));
  EXPECT_THAT(names_of(root), ElementsAre("other"));
}

TEST_F(PersonalTokenTest, OneMoreThanTheLimitIsRefusedAndRegeneratingIsNot) {
  close();
  options.personal_tokens_per_user_max = 2;
  open();
  static_cast<void>(issue_personal(root, "one"));
  static_cast<void>(issue_personal(root, "two"));
  const Refused third = refusal_of(root, "three");
  EXPECT_TRUE(third.refused);
  EXPECT_EQ(third.code, Errc::refused);
  EXPECT_EQ(third.refusal, IssuePersonalToken::Refusal::too_many);
  static_cast<void>(issue_personal(root, "one", 0, true));
  static_cast<void>(issue_personal(create("anna"), "one"));
  EXPECT_TRUE(remove(root, "two"));
  static_cast<void>(issue_personal(root, "three"));
}

TEST_F(PersonalTokenTest, NeitherDisplacesDatedTokensNorIsDisplaced) {
  close();
  options.tokens_per_user_max = 2;
  open();
  const Token dated = issue(root), second = issue(root);
  const Token personal = issue_personal(root, "ci");
  static_cast<void>(issue_personal(root, "other"));
  EXPECT_TRUE(authenticates(dated.text, root));
  EXPECT_EQ(committer->indexed_tokens(), 2U);
  static_cast<void>(issue(root));
  EXPECT_FALSE(authenticates_anywhere(dated.text, root));
  EXPECT_TRUE(authenticates(second.text, root));
  EXPECT_TRUE(authenticates(personal.text, root));
}

TEST_F(PersonalTokenTest, RevokingEverythingRemovesTheRecordsToo) {
  const UserId anna = create("anna");
  const Token token = issue_personal(anna, "ci"), roots = issue_personal(root, "ci");
  update(anna, [](UpdateUser& operation) { operation.revoke_tokens = true; });
  EXPECT_FALSE(authenticates_anywhere(token.text, anna));
  EXPECT_FALSE(database.has(Family::personal_tokens, anna.view()));
  EXPECT_EQ(database.size(Family::tokens), 1U);
  EXPECT_TRUE(authenticates(roots.text, root));
}

TEST_F(PersonalTokenTest, RevokingAllOthersKeepsThePresentedOneInTheList) {
  const Token other = issue_personal(root, "other"), kept = issue_personal(root, "kept");
  const Token dated = issue(root);
  update(root, [&](UpdateUser& operation) {
    operation.revoke_tokens = true;
    operation.revoke_except = kept.locator;
    operation.revoke_except_kind = TokenKind::personal;
  });
  restart();
  EXPECT_FALSE(authenticates_anywhere(other.text, root));
  EXPECT_FALSE(authenticates_anywhere(dated.text, root));
  EXPECT_TRUE(authenticates(kept.text, root));
  EXPECT_THAT(names_of(root), ElementsAre("kept"));
}

TEST_F(PersonalTokenTest, RevokingDatedOnesLeavesTheListAlone) {
  const Token token = issue_personal(root, "ci");
  update(root, [](UpdateUser& operation) {
    operation.revoke_tokens = operation.revoke_dated_only = true;
  });
  restart();
  EXPECT_TRUE(authenticates(token.text, root));
  EXPECT_THAT(names_of(root), ElementsAre("ci"));
}

TEST_F(PersonalTokenTest, DeactivationAndDeletionEndThem) {
  const UserId anna = create("anna"), bert = create("bert");
  const Token annas = issue_personal(anna, "ci"), berts = issue_personal(bert, "ci");
  update(anna, [](UpdateUser& operation) { operation.active = false; });
  EXPECT_EQ(refusal_of(anna, "new").code, Errc::refused);
  update(anna, [](UpdateUser& operation) { operation.active = true; });
  EXPECT_FALSE(authenticates_anywhere(annas.text, anna));
  EXPECT_THAT(names_of(anna), IsEmpty());
  Asked<DeleteUser> erase;
  erase.id = bert;
  store().write(erase);
  settle();
  EXPECT_TRUE(erase.succeeded());
  EXPECT_FALSE(authenticates_anywhere(berts.text, bert));
  EXPECT_EQ(database.size(Family::personal_tokens), 0U);
  EXPECT_EQ(database.size(Family::tokens), 0U);
  EXPECT_EQ(refusal_of(bert, "new").code, Errc::not_found);
}

TEST_F(PersonalTokenTest, IssuedAndDeletedInOneBatchLeavesNothing) {
  const UserId anna = create("anna");
  Asked<IssuePersonalToken> issued;
  issued.user = anna;
  issued.name = "ci";
  Asked<DeleteUser> erase;
  erase.id = anna;
  store().write(issued);
  store().write(erase);
  settle();
  EXPECT_TRUE(issued.succeeded());
  EXPECT_TRUE(erase.succeeded());
  EXPECT_FALSE(authenticates_anywhere(std::string(view_of(issued.token)), anna));
  EXPECT_EQ(database.size(Family::personal_tokens), 0U);
  EXPECT_EQ(database.size(Family::tokens), 0U);
}

TEST_F(PersonalTokenTest, ADamagedListIsAnErrorAndNothingIsWritten) {
  const Token token = issue_personal(root, "ci");
  database.set(Family::personal_tokens, root.view(), "x");
  EXPECT_EQ(refusal_of(root, "more").code, Errc::corrupt);
  Asked<UpdateUser> operation;
  operation.id = root;
  operation.revoke_tokens = true;
  store().write(operation);
  settle();
  EXPECT_TRUE(operation.failed_with(Errc::corrupt));
  EXPECT_TRUE(authenticates(token.text, root));
}

}  // namespace
}  // namespace tokend::store
