#include "store/idempotency.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

constexpr std::int64_t kWindowMs = 60'000;

Digest what(const std::string& request) { return digest_of(request); }

// ---- Names, secrets and bytes. ----

TEST(IdempotencyKeys, NameAndSecretAreOfTheStoreTheIssuerAndTheKey) {
  const TokenKey one{1};
  const TokenKey two{2};
  std::set<KeyedRequest::Name> names;
  std::set<Digest> secrets;
  std::size_t made = 0;
  const auto add = [&](const TokenKey& store, const char* issuer, const char* key) {
    KeyedRequest request;
    IdempotencyKeys(store).name(UserId(issuer), key, request);
    names.insert(request.name);
    secrets.insert(request.secret);
    ++made;
  };
  add(one, "alice", "key");
  add(two, "alice", "key");
  add(one, "bob", "key");
  add(one, "alice", "key2");
  add(one, "alicek", "ey");
  EXPECT_EQ(names.size(), made);
  EXPECT_EQ(secrets.size(), made);
  add(one, "alice", "key");
  EXPECT_EQ(names.size(), made - 1);
  EXPECT_EQ(secrets.size(), made - 1);
}

TEST(IdempotencyKeys, BytesOfATokenAreOfTheSecretTheItemAndTheLocator) {
  KeyedRequest request;
  KeyedRequest other;
  IdempotencyKeys keys(TokenKey{1});
  keys.name(UserId("alice"), "key", request);
  keys.name(UserId("alice"), "other key", other);
  const Locator first = Locator::make(1'000, 0, 1);
  const Locator second = Locator::make(1'000, 0, 2);
  const auto bytes = token_bytes_of(request, 0, first);
  EXPECT_EQ(bytes, token_bytes_of(request, 0, first));
  EXPECT_NE(bytes, token_bytes_of(request, 1, first));
  EXPECT_NE(bytes, token_bytes_of(request, 0, second));
  EXPECT_NE(bytes, token_bytes_of(other, 0, first));
}

TEST(IdempotencyPart, ComesBackAndADamagedOneDoesNot) {
  for (const bool names_users : {false, true}) {
    KeyedRequest request;
    request.asked = what("this");
    request.window_ends_ms = 77;
    request.names_users = names_users;
    request.part.expires_ms = 99;
    const std::vector<KeyedItem> items = {
        {.result = {}, .locator = Locator::make(5, 1, 2), .user = UserId("alice")},
        {.result = std::unexpected(Errc::invalid), .locator = {}, .user = {}},
        {.result = std::unexpected(Errc::not_found), .locator = {}, .user = {}},
        {.result = std::unexpected(Errc::refused), .locator = {}, .user = {}},
        {.result = std::unexpected(Errc::corrupt), .locator = {}, .user = {}},
        {.result = {}, .locator = Locator::make(6, 1, 2), .user = UserId("bob")}};
    for (const KeyedItem& item : items) encode_item(item, names_users, request.part.items);
    request.part.count = static_cast<std::uint32_t>(items.size());
    std::string bytes;
    encode_part(request, bytes);
    const auto part = decode_part(bytes);
    ASSERT_TRUE(part);
    EXPECT_EQ(part->asked, request.asked);
    EXPECT_EQ(part->window_ends_ms, 77);
    EXPECT_EQ(window_end_of_part(bytes), 77);
    ASSERT_EQ(part->items.size(), items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      EXPECT_EQ(part->items[i].result, items[i].result);
      EXPECT_EQ(part->items[i].locator, items[i].locator);
      EXPECT_EQ(part->items[i].user, names_users ? UserId() : items[i].user);
      EXPECT_EQ(part->items[i].expires_ms, 99);
    }
    EXPECT_FALSE(decode_part(bytes + "x"));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(decode_part(bytes.substr(0, size))) << size;
    }
    for (const auto& [at, value] : {std::pair{0U, '\x02'}, {1U, '\x02'}, {50U, '\x07'}}) {
      std::string other = bytes;
      other[at] = value;  // the version, a flag, the count
      EXPECT_FALSE(decode_part(other)) << at;
    }
    std::string other = bytes;
    other[54] = 5;  // the first outcome
    EXPECT_FALSE(decode_part(other));
    other = bytes;
    other[0] = 2;
    EXPECT_FALSE(window_end_of_part(other));
    EXPECT_FALSE(window_end_of_part(bytes.substr(0, 9)));
  }
}

// ---- With a committer. ----

// What one client asks with a key, step by step.
struct Client {
  Client(Store& its_store, const UserId& issuer, const std::string& key,
         const std::vector<UserId>& its_users, const std::string& body = "body")
      : store(&its_store),
        users(its_users) {
    request.asked = what(body);
    request.keeps_refusals = true;
    store->name_request(issuer, key, request);
    issued_by = issuer;
  }
  void look() {
    find.emplace();
    find->request = &request;
    store->find_keyed(*find);
  }
  // All that is left.
  void ask(std::size_t at_most = SIZE_MAX) {
    request.begin_part();
    operations.clear();
    const std::size_t end = std::min(users.size(), at_most);
    for (std::size_t item = request.items.size(); item < end; ++item) {
      auto& operation = *operations.emplace_back(std::make_unique<Asked<IssueToken>>());
      operation.user = users[item];
      operation.issuer = issued_by;
      operation.lifetime_ms = lifetime_ms;
      operation.keyed = &request;
      store->write(operation);
    }
  }
  [[nodiscard]] bool came_second() const { return request.part.stopped == Errc::exists; }
  // After settling: what the client is told of each item; empty where the store failed.
  [[nodiscard]] std::vector<std::string> answers() const {
    std::vector<std::string> texts;
    for (std::size_t item = 0; item < request.items.size(); ++item) {
      const KeyedItem& kept = request.items[item];
      if (!kept.result) {
        texts.emplace_back(core::name_of(kept.result.error()));
        continue;
      }
      const TokenText text = store->token_of(request, static_cast<std::uint32_t>(item));
      texts.emplace_back(view_of(text));
    }
    for (const auto& operation : operations) {
      EXPECT_TRUE(operation->done());
      texts.emplace_back(operation->result ? std::string(view_of(operation->token))
                                           : std::string(core::name_of(operation->result.error())));
    }
    return texts;
  }

  Store* store;
  std::vector<UserId> users;
  UserId issued_by;
  std::int64_t lifetime_ms = 0;
  KeyedRequest request;
  std::optional<Asked<FindKeyed>> find;
  std::vector<std::unique_ptr<Asked<IssueToken>>> operations;
};

class Idempotency : public StoreFixture {
 protected:
  Idempotency() {
    close();
    options.idempotency_window_ms = kWindowMs;
    open();
    alice = create("alice");
    bob = create("bob");
  }
  // As the API does it: looks, issues what is left, looks again if another one was first.
  std::vector<std::string> request(Client& client) {
    for (;;) {
      client.look();
      settle();
      EXPECT_TRUE(client.find->succeeded());
      client.ask();
      settle();
      if (!client.came_second()) return client.answers();
    }
  }
  std::vector<std::string> request(const UserId& issuer, const std::string& key,
                                   const std::vector<UserId>& users, std::size_t core = 0) {
    Client client(store(core), issuer, key, users);
    return request(client);
  }
  std::size_t tokens_of(const UserId& user) {
    Asked<CollectTokens> collect;
    collect.user = user;
    store().write(collect);
    settle();
    EXPECT_TRUE(collect.succeeded());
    return collect.tokens.size();
  }
  bool is_anywhere(std::string_view text) {
    bool found = false;
    for (std::size_t family = 0; family < static_cast<std::size_t>(Family::count_); ++family) {
      EXPECT_TRUE(database.scan(
          static_cast<Family>(family), {}, [&](std::string_view key, std::string_view value) {
            found = found || key.find(text) != key.npos || value.find(text) != value.npos;
            return true;
          }));
    }
    return found;
  }
  [[nodiscard]] std::size_t parts() const { return database.size(Family::idempotency); }

  UserId alice;
  UserId bob;
};

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
      EXPECT_TRUE(committer->step());
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
  while (committer->step()) {
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
    for (int step = 0; step < 20; ++step) committer->step();
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

// Clients on two cores ask with a few keys, at random moments of the committer and of the disk, and
// the machine crashes. Whatever was answered for a key is answered again, and nothing is issued
// twice.
class IdempotencyModel : public Idempotency, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(IdempotencyModel, OneTokenAnItemWhateverHappens) {
  std::mt19937_64 random_engine(GetParam());
  const auto below = [&](std::size_t bound) { return random_engine() % bound; };
  close();
  options.batch_operations_max = 2;
  options.overlapping_operations_min = 1;
  options.tokens_per_user_max = 1'000;
  options.idempotency_window_ms = 3'600'000;
  open();
  database.disk_is_done = [&] { return below(3) > 0; };
  database.kept_of_a_crash = [&](std::size_t under_way) { return below(under_way + 1); };
  const UserId nobody("nobody");
  constexpr std::size_t kKeys = 6;
  const auto users_of = [&](std::size_t key) {
    std::vector<UserId> users(1 + key, alice);
    if (key % 2 == 1) users[key / 2] = nobody;
    return users;
  };
  std::map<std::size_t, std::vector<std::string>> answered;
  struct UnderWay {
    std::size_t key;
    std::unique_ptr<Client> client;
    bool looks = true;
  };
  std::vector<UnderWay> clients;
  // Whatever was answered, also again, authenticates from then on.
  std::vector<std::pair<std::string, std::unique_ptr<Asked<Authenticate>>>> logins;
  const auto authenticate = [&](const std::string& token) {
    auto& [text, login] = logins.emplace_back(token, std::make_unique<Asked<Authenticate>>());
    login->token = text;
    login->user_id = alice.view();
    store(below(2)).authenticate(*login);
  };
  const auto finish_logins = [&] {
    std::erase_if(logins, [](const auto& login) {
      EXPECT_TRUE(!login.second->done() || login.second->succeeded());
      return login.second->done();
    });
  };
  const auto go_on = [&](UnderWay& at) {  // true: it has its answer
    Client& client = *at.client;
    if (at.looks) {
      if (!client.find->done()) return false;
      EXPECT_TRUE(client.find->succeeded());
      client.ask();
      at.looks = false;
    }
    for (const auto& operation : client.operations) {
      if (!operation->done()) return false;
    }
    if (client.came_second()) {
      client.look();
      at.looks = true;
      return false;
    }
    const auto answers = client.answers();
    const auto [known, is_new] = answered.emplace(at.key, answers);
    if (!is_new) {
      EXPECT_EQ(known->second, answers) << "key " << at.key;
    }
    for (const std::string& answer : answers) {
      if (answer.size() == kTokenCharacters) authenticate(answer);
    }
    return true;
  };
  for (int step = 0; step < 600; ++step) {
    if (clients.size() < 5) {
      const std::size_t key = below(kKeys);
      const std::string text = "key " + std::to_string(key);
      clients.push_back(
          {key, std::make_unique<Client>(store(below(2)), root, text, users_of(key))});
      clients.back().client->look();
    }
    switch (below(4)) {
      case 0: turn(below(2)); break;
      case 1: readers.run_all(); break;
      default: committer->step();
    }
    std::erase_if(clients, go_on);
    finish_logins();
    clock.now_ms += static_cast<std::int64_t>(below(2));
    if (below(40) == 0) {
      readers.jobs.clear();
      close();
      clients.clear();
      logins.clear();
      database.crash();
      open();
    }
  }
  database.disk_is_done = {};
  settle();
  for (int round = 0; round < 10; ++round) {
    std::erase_if(clients, go_on);
    settle();
  }
  EXPECT_TRUE(clients.empty());
  settle();
  finish_logins();
  EXPECT_TRUE(logins.empty());
  std::size_t items = 0;
  for (std::size_t key = 0; key < kKeys; ++key) {
    const auto users = users_of(key);
    const auto answers = request(root, "key " + std::to_string(key), users);
    const auto [known, is_new] = answered.emplace(key, answers);
    if (!is_new) {
      EXPECT_EQ(known->second, answers) << "key " << key;
    }
    items += static_cast<std::size_t>(std::ranges::count(users, alice));
    for (std::size_t item = 0; item < users.size(); ++item) {
      EXPECT_EQ(answers[item] == "not found", users[item] == nobody);
      EXPECT_EQ(authenticates(answers[item], alice, below(2)), users[item] == alice);
    }
  }
  EXPECT_EQ(tokens_of(alice), items);
}

INSTANTIATE_TEST_SUITE_P(Seeds, IdempotencyModel, testing::Range<std::uint64_t>(1, 41));

}  // namespace
}  // namespace tokend::store
