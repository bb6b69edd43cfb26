// From a token's text to its user.

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

class AuthenticateTest : public StoreFixture {
 protected:
  void ask(Asked<Authenticate>& operation, std::string_view token, std::string_view user) {
    operation.token = token;
    operation.user_id = user;
    store().authenticate(operation);
  }
};

TEST_F(AuthenticateTest, AnIssuedTokenAuthenticatesOnEveryCore) {
  const Token token = issue(root);
  EXPECT_EQ(token.text.size(), kTokenCharacters);
  for (std::size_t core = 0; core < cores.size(); ++core) {
    EXPECT_TRUE(authenticates(token.text, root, core));
  }
}

TEST_F(AuthenticateTest, TheCallerIsTheHolderAndItsToken) {
  const UserId user = create("anna", RoleSet{Role::bot});
  const Token token = issue(user, 0, 5000);
  Asked<Authenticate> operation;
  std::string username;
  operation.at_done = [&] {
    ASSERT_NE(operation.user, nullptr);
    username = operation.user->username;
  };
  ask(operation, token.text, user.view());
  ASSERT_TRUE(operation.succeeded());
  EXPECT_EQ(username, "anna");
  EXPECT_EQ(operation.caller.id, user);
  EXPECT_EQ(operation.caller.roles, RoleSet{Role::bot});
  EXPECT_EQ(operation.caller.token, token.locator);
  EXPECT_EQ(operation.caller.token_expires_ms, clock.now_ms + 5000);
  EXPECT_EQ(operation.caller.token_kind, TokenKind::issued);
}

TEST_F(AuthenticateTest, AHitAsksNobody) {
  const Token token = issue(root);
  EXPECT_TRUE(authenticates(token.text, root));
  const std::size_t reads = database.reads();
  Asked<Authenticate> operation;
  ask(operation, token.text, root.view());
  EXPECT_TRUE(operation.succeeded());
  EXPECT_EQ(database.reads(), reads);
}

TEST_F(AuthenticateTest, AnIssuedTokenIsInItsCoresCacheBeforeItsAnswer) {
  static_cast<void>(authenticates(issue(root).text, root));  // the user is in the cache
  const std::size_t reads = database.reads();
  Asked<IssueToken> operation;
  bool authenticated = false;
  operation.user = root;
  operation.at_done = [&] {
    Asked<Authenticate> authenticate;
    ask(authenticate, view_of(operation.token), root.view());
    authenticated = authenticate.succeeded();
  };
  store().write(operation);
  settle();
  EXPECT_TRUE(authenticated);
  EXPECT_EQ(database.reads(), reads);
}

TEST_F(AuthenticateTest, AnotherUsersTokenIsRefused) {
  const UserId anna = create("anna");
  const Token token = issue(root);
  EXPECT_FALSE(authenticates(token.text, anna));
  EXPECT_TRUE(authenticates(token.text, root));
  EXPECT_FALSE(authenticates(token.text, anna));
}

TEST_F(AuthenticateTest, NonsenseIsRefusedWithoutARead) {
  const Token token = issue(root);
  const std::size_t reads = database.reads();
  for (const std::string& nonsense :
       {std::string(), std::string("undefined"), std::string(43, 'A'), token.text.substr(1),
        token.text + "A", std::string(5000, 'x')}) {
    EXPECT_FALSE(authenticates(nonsense, root));
  }
  EXPECT_FALSE(authenticates(token.text, UserId()));
  Asked<Authenticate> long_user;
  const std::string name(300, 'a');
  ask(long_user, token.text, name);
  EXPECT_TRUE(long_user.failed_with(Errc::not_found));
  EXPECT_EQ(database.reads(), reads);
}

TEST_F(AuthenticateTest, ForgedTokensAreRefusedWithoutARead) {
  static_cast<void>(issue(root));
  const std::size_t reads = database.reads();
  TokenCodec forger(TokenKey{});
  for (std::uint32_t i = 0; i < 1000; ++i) {
    TokenText text;
    std::array<std::uint8_t, 20> bytes{};
    random.fill(bytes);
    forger.encode(Locator::make(clock.now_ms, 0, i), bytes, text);
    EXPECT_FALSE(authenticates(std::string(view_of(text)), root));
  }
  EXPECT_EQ(database.reads(), reads);
}

TEST_F(AuthenticateTest, ALocatorBeforeTheStoreOrAfterItsLastTokenIsRefusedWithoutARead) {
  static_cast<void>(issue(root));
  const std::size_t reads = database.reads();
  TokenCodec codec(identity.token_key);
  for (const Locator& impossible :
       {Locator::make(identity.created_ms - 1, 0, 0), Locator::make(clock.now_ms + 1, 0, 0),
        Locator::make(clock.now_ms, 1, 0)}) {
    TokenText text;
    codec.encode(impossible, std::array<std::uint8_t, 20>{}, text);
    EXPECT_FALSE(authenticates(std::string(view_of(text)), root));
  }
  EXPECT_EQ(database.reads(), reads);
}

TEST_F(AuthenticateTest, TheRightLocatorWithOtherRandomBytesIsRefused) {
  const Token token = issue(root);
  TokenCodec codec(identity.token_key);
  TokenText text;
  codec.encode(token.locator, std::array<std::uint8_t, 20>{}, text);
  EXPECT_FALSE(authenticates_anywhere(std::string(view_of(text)), root));
  EXPECT_TRUE(authenticates(token.text, root));
}

TEST_F(AuthenticateTest, ATokenExpiresToTheMillisecond) {
  const Token token = issue(root, 0, 1000);
  clock.now_ms += 999;
  EXPECT_TRUE(authenticates_anywhere(token.text, root));
  clock.now_ms += 1;
  EXPECT_FALSE(authenticates_anywhere(token.text, root));
}

TEST_F(AuthenticateTest, ByResumeTheHolderIsTold) {
  const Token token = issue(root);
  Asked<Authenticate> operation;
  operation.token = token.text;
  operation.any_user = true;
  store().authenticate(operation);
  ASSERT_TRUE(operation.succeeded());
  EXPECT_EQ(operation.caller.id, root);
}

TEST_F(AuthenticateTest, TokensSurviveARestart) {
  const Token token = issue(root);
  restart();
  EXPECT_TRUE(authenticates_anywhere(token.text, root));
}

TEST_F(AuthenticateTest, TokensIssuedWhileTheClockIsSetBackAuthenticate) {
  const Token first = issue(root);
  clock.now_ms -= 3'600'000;
  const Token second = issue(root);
  EXPECT_GT(second.locator, first.locator);
  EXPECT_TRUE(authenticates(first.text, root));
  EXPECT_TRUE(authenticates(second.text, root));
  restart();
  const Token third = issue(root);
  EXPECT_GT(third.locator, second.locator);
  EXPECT_TRUE(authenticates(second.text, root));
  EXPECT_TRUE(authenticates(third.text, root));
}

TEST_F(AuthenticateTest, ALocatorIsNeverUsedAgainAfterItsTokenWasRevoked) {
  const Token first = issue(root);
  Asked<RevokeToken> revoke;
  revoke.user = root;
  revoke.locator = first.locator;
  store().write(revoke);
  settle();
  clock.now_ms -= 3'600'000;
  restart();
  EXPECT_GT(issue(root).locator, first.locator);
}

TEST_F(AuthenticateTest, WhatMemoryDoesNotKnowAWorkerReads) {
  const Token token = issue(root);
  restart();
  database.memory_knows = [](Family, std::string_view) { return false; };
  Asked<Authenticate> operation;
  ask(operation, token.text, root.view());
  EXPECT_EQ(operation.times_done, 0);
  settle();
  EXPECT_TRUE(operation.succeeded());
  // A cache that is asked again for what it was brought has not been hit.
  EXPECT_EQ(store().counters().token_misses, 1U);
  EXPECT_EQ(store().counters().token_hits, 0U);
  EXPECT_EQ(store().counters().user_misses, 1U);
  EXPECT_EQ(store().counters().user_hits, 0U);
  EXPECT_EQ(store().counters().worker_reads, 2U);
  EXPECT_TRUE(authenticates(token.text, root));
  EXPECT_EQ(store().counters().token_hits, 1U);
  EXPECT_EQ(store().counters().user_hits, 1U);
  EXPECT_EQ(store().counters().guarded_fills, 0U);
}

TEST_F(AuthenticateTest, AtTheLimitOfWorkersItIsFull) {
  const Token token = issue(root);
  restart();
  database.memory_knows = [](Family, std::string_view) { return false; };
  readers.limit = 0;
  Asked<Authenticate> operation;
  ask(operation, token.text, root.view());
  EXPECT_TRUE(operation.failed_with(Errc::full));
}

TEST_F(AuthenticateTest, AReadThatFailsIsNotARefusal) {
  const Token token = issue(root);
  restart();
  database.fail_reads(Family::tokens, true);
  Asked<Authenticate> from_memory;
  ask(from_memory, token.text, root.view());
  EXPECT_TRUE(from_memory.failed_with(Errc::io));
  database.memory_knows = [](Family, std::string_view) { return false; };
  Asked<Authenticate> from_disk;
  ask(from_disk, token.text, root.view());
  settle();
  EXPECT_TRUE(from_disk.failed_with(Errc::io));
}

TEST_F(AuthenticateTest, ARecordThatDoesNotDecodeIsCorrupt) {
  const Token token = issue(root);
  restart();
  database.set(Family::users, root.view(), "nonsense");
  Asked<Authenticate> operation;
  ask(operation, token.text, root.view());
  EXPECT_TRUE(operation.failed_with(Errc::corrupt));
}

TEST_F(AuthenticateTest, TheUserStaysValidWhileItsContinuationAsksOn) {
  const Token token = issue(root);
  for (int i = 0; i < 400; ++i) create("user" + std::to_string(i));
  Asked<Authenticate> operation;
  std::string username;
  operation.at_done = [&] {
    for (int i = 0; i < 400; ++i) {
      const std::string name = "user" + std::to_string(i);
      Asked<FindUser> find;
      find.key = UserKey::username;
      find.value = name;
      store().find_user(find);
      EXPECT_TRUE(find.succeeded());
    }
    username = operation.user->username;
  };
  ask(operation, token.text, root.view());
  EXPECT_EQ(username, "root");
}

}  // namespace
}  // namespace tokend::store
