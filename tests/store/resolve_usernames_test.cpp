// Many usernames at once, and work that goes on in the next turn.

#include <array>
#include <string>
#include <vector>

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

class ResolveUsernamesTest : public StoreFixture {
 protected:
  void memory_knows_no_names() {
    database.memory_knows = [](Family family, std::string_view) {
      return family != Family::usernames;
    };
  }
};

TEST_F(ResolveUsernamesTest, EachNameGetsItsOwnIdAndUnknownOnesNone) {
  const UserId alice = create("Alice");
  const UserId bob = create("bob");
  std::array<ResolveUsernames::Name, 5> names{
      {{"bob", {}}, {"nobody", {}}, {"ALICE", {}}, {"", {}}, {"Bob", {}}}};
  Asked<ResolveUsernames> operation;
  operation.names = names;
  store().resolve_usernames(operation);
  ASSERT_TRUE(operation.succeeded());
  EXPECT_EQ(names[0].id, bob);
  EXPECT_TRUE(names[1].id.empty());
  EXPECT_EQ(names[2].id, alice);
  EXPECT_TRUE(names[3].id.empty());
  EXPECT_EQ(names[4].id, bob);
}

TEST_F(ResolveUsernamesTest, WhatMemoryDoesNotKnowIsOneTripForAll) {
  std::vector<UserId> ids;
  std::vector<std::string> texts;
  for (int i = 0; i < 50; ++i) {
    texts.push_back("user." + std::to_string(i));
    ids.push_back(create(texts.back()));
  }
  memory_knows_no_names();
  std::vector<ResolveUsernames::Name> names;
  for (const std::string& text : texts) names.push_back({text, {}});
  names.push_back({"nobody", {}});
  Asked<ResolveUsernames> operation;
  operation.names = names;
  store().resolve_usernames(operation);
  EXPECT_EQ(operation.times_done, 0);
  EXPECT_EQ(readers.jobs.size(), 1U);
  settle();
  ASSERT_TRUE(operation.succeeded());
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(names[i].id, ids[i]) << i;
  EXPECT_TRUE(names.back().id.empty());
}

TEST_F(ResolveUsernamesTest, FullQueueOfReadersIsToldAsFull) {
  create("alice");
  memory_knows_no_names();
  readers.limit = 0;
  std::array<ResolveUsernames::Name, 1> names{{{"alice", {}}}};
  Asked<ResolveUsernames> operation;
  operation.names = names;
  store().resolve_usernames(operation);
  EXPECT_TRUE(operation.failed_with(Errc::full));
}

TEST_F(ResolveUsernamesTest, NextTurnComesBehindWhatWaitsAlready) {
  Asked<NextTurn> first;
  Asked<NextTurn> second;
  Asked<NextTurn> again;
  bool second_was_done = false;
  first.at_done = [&] { store().go_on_next_turn(again); };
  again.at_done = [&] { second_was_done = second.done(); };
  store().go_on_next_turn(first);
  store().go_on_next_turn(second);
  EXPECT_FALSE(first.done());
  turn(0);
  EXPECT_TRUE(first.succeeded() && second.succeeded());
  EXPECT_FALSE(again.done());
  turn(0);
  EXPECT_TRUE(again.succeeded() && second_was_done);
}

}  // namespace
}  // namespace tokend::store
