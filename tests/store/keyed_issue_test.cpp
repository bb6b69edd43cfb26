// Issuing under an Idempotency-Key, and its repetition.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/store/idempotency_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

TEST_F(Idempotency, ARepetitionGetsTheSameTokenOnEveryCoreAndAfterARestart) {
  const auto first = request(root, "key", {alice});
  ASSERT_EQ(first.size(), 1U);
  EXPECT_TRUE(authenticates_anywhere(first[0], alice));
  EXPECT_EQ(request(root, "key", {alice}, 0), first);
  EXPECT_EQ(request(root, "key", {alice}, 1), first);
  restart();
  EXPECT_EQ(request(root, "key", {alice}, 1), first);
  EXPECT_EQ(tokens_of(alice), 1U);
  EXPECT_EQ(parts(), 1U);
}

TEST_F(Idempotency, TheRecordSaysForWhomAndUntilWhen) {
  Client client(store(), root, "key", {alice});
  client.lifetime_ms = 5'000;
  ASSERT_EQ(request(client).size(), 1U);
  clock.now_ms += 1'000;
  Client again(store(), root, "key", {alice});
  again.look();
  settle();
  ASSERT_EQ(again.request.items.size(), 1U);
  EXPECT_EQ(again.request.items[0].user, alice);
  EXPECT_EQ(again.request.items[0].locator, client.operations[0]->locator);
  EXPECT_EQ(again.request.items[0].expires_ms, client.operations[0]->expires_ms);
}

TEST_F(Idempotency, KeysOfIssuersAreTheirOwn) {
  const auto first = request(root, "key", {alice});
  const auto others = request(bob, "key", {alice});
  EXPECT_NE(first, others);
  EXPECT_NE(request(root, "Key", {alice}), first);
  EXPECT_EQ(tokens_of(alice), 3U);
}

TEST_F(Idempotency, TheKeyOfAnotherRequestIsRefused) {
  ASSERT_EQ(request(root, "key", {alice}).size(), 1U);
  Client other(store(), root, "key", {bob}, "another body");
  other.look();
  settle();
  EXPECT_TRUE(other.find->failed_with(Errc::refused));
  EXPECT_EQ(tokens_of(bob), 0U);
}

TEST_F(Idempotency, ARevokedTokenIsAnsweredAgainAndStaysRevoked) {
  Client client(store(), root, "key", {alice});
  const auto first = request(client);
  Asked<RevokeToken> revoke;
  revoke.user = alice;
  revoke.locator = client.operations[0]->locator;
  store().write(revoke);
  settle();
  ASSERT_TRUE(revoke.succeeded());
  EXPECT_EQ(request(root, "key", {alice}), first);
  EXPECT_FALSE(authenticates_anywhere(first[0], alice));
  EXPECT_EQ(tokens_of(alice), 0U);
}

TEST_F(Idempotency, TheWindowIsCountedFromTheFirstRequest) {
  const auto first = request(root, "key", {alice});
  clock.now_ms += kWindowMs - 1;
  for (auto& core : cores) core->clock.wall_ms = clock.now_ms;
  EXPECT_EQ(request(root, "key", {alice}), first);
  clock.now_ms += 1;
  for (auto& core : cores) core->clock.wall_ms = clock.now_ms;
  const auto second = request(root, "key", {alice});
  EXPECT_NE(second, first);
  EXPECT_EQ(request(root, "key", {alice}), second);
  EXPECT_EQ(parts(), 1U) << "the old record was replaced";
  // Whose key it was does not matter any more either.
  clock.now_ms += kWindowMs;
  for (auto& core : cores) core->clock.wall_ms = clock.now_ms;
  Client other(store(), root, "key", {bob}, "another body");
  EXPECT_EQ(request(other).size(), 1U);
}

TEST_F(Idempotency, NeitherKeyNorTokenIsStored) {
  const std::string key = "0b62f1d4-6ce7-4b7e-8f0e-5a1d1f0a9c11";
  const auto first = request(root, key, {alice, bob});
  ASSERT_EQ(first.size(), 2U);
  for (const std::string& secret : {key, first[0], first[1]}) EXPECT_FALSE(is_anywhere(secret));
  EXPECT_TRUE(is_anywhere(alice.view())) << "the search finds what is there";
}

TEST_F(Idempotency, OfTwoAtOnceOneIssues) {
  for (const bool in_one_batch : {true, false}) {
    const std::string key = in_one_batch ? "together" : "one behind the other";
    const std::size_t before = tokens_of(alice);
    Client one(store(0), root, key, {alice, bob});
    Client two(store(1), root, key, {alice, bob});
    bool disk_is_done = false;
    database.disk_is_done = [&] { return disk_is_done; };
    one.look();
    two.look();
    one.ask();
    if (!in_one_batch) {
      EXPECT_TRUE(step());
    }
    two.ask();
    settle();
    EXPECT_FALSE(two.operations[0]->times_done) << "nothing is said before it is durable";
    disk_is_done = true;
    settle();
    EXPECT_FALSE(one.came_second());
    ASSERT_TRUE(two.came_second());
    for (const auto& operation : two.operations) {
      EXPECT_TRUE(operation->failed_with(Errc::exists));
    }
    EXPECT_EQ(request(two), one.answers());
    EXPECT_EQ(tokens_of(alice), before + 1);
    database.disk_is_done = {};
  }
}

TEST_F(Idempotency, OneThatLookedBeforeTheWindowEndedStartsAnew) {
  Client late(store(), root, "key", {alice, bob});
  late.look();
  settle();
  late.ask(1);
  settle();
  Client again(store(), root, "key", {alice, bob});
  again.look();
  settle();
  ASSERT_EQ(again.request.items.size(), 1U);
  clock.now_ms += kWindowMs;
  again.ask();
  settle();
  EXPECT_TRUE(again.came_second());
  for (auto& core : cores) core->clock.wall_ms = clock.now_ms;
  const auto answers = request(again);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_NE(answers[0], late.answers()[0]);
}

}  // namespace
}  // namespace tokend::store
