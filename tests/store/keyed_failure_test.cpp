// What fails, is half done or does not fit under an Idempotency-Key.

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

TEST_F(Idempotency, ARefusalLeavesNothingUnlessTheRequestKeepsIt) {
  const UserId nobody("nobody");
  Client single(store(), root, "single", {nobody});
  single.request.keeps_refusals = false;
  EXPECT_EQ(request(single), std::vector<std::string>{"not found"});
  EXPECT_EQ(parts(), 0U);

  Client bulk(store(), root, "bulk", {alice, nobody, bob, nobody});
  bulk.look();
  settle();
  // What failed before it came here is taken down as well.
  bulk.ask();
  bulk.operations[2]->result = std::unexpected(Errc::invalid);
  settle();
  const auto first = bulk.answers();
  EXPECT_EQ(first[1], "not found");
  EXPECT_EQ(first[2], "invalid");
  EXPECT_EQ(request(root, "bulk", {alice, nobody, bob, nobody}), first);
  EXPECT_EQ(tokens_of(alice), 1U);
  EXPECT_EQ(tokens_of(bob), 0U);
}

TEST_F(Idempotency, WhatTheStoreFailedToIssueIsIssuedByTheRepetition) {
  without_shards();
  close();
  options.indexed_tokens_max = 3;
  open();
  const std::vector<UserId> users = {alice, bob, alice, bob, alice};
  const auto first = request(root, "key", users);
  ASSERT_EQ(first.size(), users.size());
  EXPECT_EQ(first[3], "full");
  EXPECT_EQ(first[4], "full");
  restart();
  options.indexed_tokens_max = 100;
  close();
  open();
  const auto second = request(root, "key", users);
  ASSERT_EQ(second.size(), users.size());
  for (std::size_t item = 0; item < 3; ++item) EXPECT_EQ(second[item], first[item]);
  EXPECT_EQ(second[3].size(), kTokenCharacters);
  EXPECT_EQ(request(root, "key", users), second);
  EXPECT_EQ(tokens_of(alice) + tokens_of(bob), users.size());
  EXPECT_EQ(parts(), 2U);
}

TEST_F(Idempotency, BehindWhatTheStoreFailedToIssueOwnErrorsStayOnesOwn) {
  without_shards();
  close();
  options.indexed_tokens_max = 1;
  open();
  Client client(store(), root, "key", {alice, bob, alice, bob});
  client.look();
  settle();
  client.ask();
  client.operations[2]->result = std::unexpected(Errc::invalid);
  settle();
  const auto answers = client.answers();
  EXPECT_EQ(answers[0].size(), kTokenCharacters);
  EXPECT_EQ(answers[1], "full");
  EXPECT_EQ(answers[2], "invalid");
  EXPECT_EQ(answers[3], "full");
}

TEST_F(Idempotency, AUsersDamagedRecordKeepsNobodyElseFromATokenAndIsKept) {
  restart();  // else the committer knew that she is active
  const UserId carol = create("carol");
  Asked<UpdateUser> deactivate;
  deactivate.id = carol;
  deactivate.active = false;
  store().write(deactivate);
  settle();
  ASSERT_TRUE(deactivate.succeeded());
  database.set(Family::users, alice.view(), "?");
  const auto first = request(root, "key", {alice, carol, bob});
  ASSERT_EQ(first.size(), 3U);
  EXPECT_EQ(first[0], core::name_of(Errc::corrupt));
  EXPECT_EQ(first[1], core::name_of(Errc::refused));
  EXPECT_TRUE(authenticates_anywhere(first[2], bob));
  EXPECT_EQ(request(root, "key", {alice, carol, bob}), first);
  EXPECT_EQ(tokens_of(bob), 1U);
}

TEST_F(Idempotency, BeyondTheLimitOfWhatIsKeptNothingNewIsBegun) {
  close();
  options.idempotency_bytes_max = 200;
  open();
  const auto first = request(root, "one", {alice});
  ASSERT_EQ(request(root, "two", {alice}).front().size(), kTokenCharacters);
  EXPECT_EQ(request(root, "three", {alice}).front(), "full") << "what was written is counted";
  clock.now_ms += 1'000;
  EXPECT_EQ(request(root, "three", {alice}).front(), "full") << "and measured";
  EXPECT_EQ(parts(), 2U);
  EXPECT_EQ(request(root, "one", {alice}), first) << "what is known is answered";
  EXPECT_EQ(issue(alice).text.size(), kTokenCharacters) << "without a key it does not matter";
  restart();
  EXPECT_EQ(request(root, "three", {alice}).front(), "full");
  // As compaction does it.
  Client one(store(), root, "one", {alice});
  const auto batch = database.make_batch();
  batch->remove(Family::idempotency, part_key(one.request.name, 0));
  ASSERT_TRUE(database.commit(*batch));
  clock.now_ms += 1'000;
  EXPECT_EQ(request(root, "three", {alice}).front().size(), kTokenCharacters);
}

TEST_F(Idempotency, NoTokenIsFromTheFutureWhenItsRecordCanBeRead) {
  clock.now_ms += 5'000;
  database.disk_is_done = [] { return false; };
  Client client(store(), root, "key", {alice});
  client.look();
  client.ask();
  while (step()) {
  }
  ASSERT_FALSE(client.operations[0]->times_done);
  EXPECT_EQ(parts(), 0U);
  EXPECT_EQ(client.operations[0]->locator.issued_ms(), clock.now_ms);
  EXPECT_EQ(committer->last_issued_ms(), clock.now_ms);
  database.disk_is_done = {};
  settle();
}

TEST_F(Idempotency, PartsOfAWindowBeforeTheClockWasSetBackAreReplaced) {
  close();
  options.batch_operations_max = 1;
  options.overlapping_operations_min = 1;
  open();
  const auto set_clock = [this](std::int64_t now_ms) {
    clock.now_ms = now_ms;
    for (auto& core : cores) core->clock.wall_ms = now_ms;
  };
  const std::int64_t begin_ms = clock.now_ms;
  const std::vector<UserId> users = {alice, bob, alice};
  const auto first = request(root, "key", users);
  ASSERT_EQ(parts(), 3U);
  set_clock(begin_ms + kWindowMs);
  Client torn(store(), root, "key", users);
  torn.look();
  settle();
  torn.ask(1);
  settle();
  set_clock(begin_ms + 1);
  Client again(store(), root, "key", users);
  again.look();
  settle();
  ASSERT_EQ(again.request.items.size(), 1U);
  again.ask();
  settle();
  ASSERT_FALSE(again.came_second());
  const auto answers = again.answers();
  EXPECT_EQ(answers[0], torn.answers()[0]);
  for (std::size_t item = 0; item < users.size(); ++item) EXPECT_NE(answers[item], first[item]);
  EXPECT_EQ(request(root, "key", users), answers);
  EXPECT_EQ(parts(), 3U);
}

TEST_F(Idempotency, ARequestOfSeveralBatchesIsFinishedByTheRepetitionAfterACrash) {
  close();
  options.batch_operations_max = 3;
  options.overlapping_operations_min = 1;
  open();
  const std::vector<UserId> users(10, alice);
  for (std::size_t durable = 0; durable <= 4; ++durable) {
    const std::string key = "key " + std::to_string(durable);
    const std::size_t before = tokens_of(alice);
    Client client(store(), root, key, users);
    client.look();
    client.ask();
    std::size_t collected = 0;
    database.disk_is_done = [&] { return collected < durable && ++collected > 0; };
    for (int steps = 0; steps < 20; ++steps) step();
    for (std::size_t core = 0; core < cores.size(); ++core) turn(core);
    std::vector<std::string> known;
    for (const auto& operation : client.operations) {
      if (operation->done()) known.emplace_back(view_of(operation->token));
    }
    EXPECT_EQ(known.size(), std::min(users.size(), 3 * durable));
    database.disk_is_done = {};
    restart();
    const auto repeated = request(root, key, users);
    ASSERT_EQ(repeated.size(), users.size());
    EXPECT_TRUE(std::equal(known.begin(), known.end(), repeated.begin()));
    EXPECT_EQ(tokens_of(alice), before + users.size()) << "each once";
    EXPECT_EQ(std::set(repeated.begin(), repeated.end()).size(), users.size());
    EXPECT_EQ(request(root, key, users), repeated);
  }
}

TEST_F(Idempotency, AWorkerLooksWhereMemoryDoesNotKnow) {
  const auto first = request(root, "key", {alice});
  database.memory_knows = [](Family family, std::string_view) {
    return family != Family::idempotency;
  };
  Client again(store(), root, "key", {alice});
  again.look();
  EXPECT_EQ(again.find->times_done, 0);
  EXPECT_EQ(readers.jobs.size(), 1U);
  EXPECT_EQ(request(root, "key", {alice}), first);
  readers.limit = 0;
  Client third(store(), root, "key", {alice});
  third.look();
  EXPECT_TRUE(third.find->failed_with(Errc::full));
  settle();
}

TEST_F(Idempotency, AnUnreadableRecordIssuesNothing) {
  ASSERT_EQ(request(root, "key", {alice}).size(), 1U);
  Client damaged(store(), root, "key", {alice});
  database.set(Family::idempotency, part_key(damaged.request.name, 0), "?");
  damaged.look();
  settle();
  EXPECT_TRUE(damaged.find->failed_with(Errc::corrupt));
  damaged.ask();
  settle();
  EXPECT_TRUE(damaged.operations[0]->failed_with(Errc::corrupt));
  database.fail_reads(Family::idempotency, true);
  Client unread(store(), root, "another key", {alice});
  unread.look();
  settle();
  EXPECT_TRUE(unread.find->failed_with(Errc::io));
  unread.ask();
  settle();
  EXPECT_TRUE(unread.operations[0]->failed_with(Errc::io));
  EXPECT_EQ(tokens_of(alice), 1U);
}

TEST_F(Idempotency, ATokenDisplacedByItsOwnRequestIsAnsweredAgain) {
  close();
  options.tokens_per_user_max = 2;
  open();
  const auto first = request(root, "key", {alice, alice, alice});
  EXPECT_EQ(request(root, "key", {alice, alice, alice}), first);
  EXPECT_FALSE(authenticates_anywhere(first[0], alice));
  EXPECT_TRUE(authenticates_anywhere(first[2], alice));
}

}  // namespace
}  // namespace tokend::store
