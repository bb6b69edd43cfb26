#include "http/api/me_answers.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using testing::text_after;
using testing::World;

store::User edition(std::uint64_t number) {
  store::User user;
  user.edition = number;
  return user;
}

void keep_twice(MeAnswers& answers, std::uint64_t number, std::string_view answer) {
  answers.keep(edition(number), answer);
  answers.keep(edition(number), answer);
}

TEST(MeAnswers, KnowsWhatWasKeptOfThisEditionOnly) {
  MeAnswers answers;
  EXPECT_EQ(answers.find(edition(1)), "");
  keep_twice(answers, 1, "one");
  keep_twice(answers, 2, "two");
  EXPECT_EQ(answers.find(edition(1)), "one");
  EXPECT_EQ(answers.find(edition(2)), "two");
  keep_twice(answers, 1 + MeAnswers::kAnswers, "another");
  EXPECT_EQ(answers.find(edition(1 + MeAnswers::kAnswers)), "another");
  EXPECT_EQ(answers.find(edition(1)), "");
}

TEST(MeAnswers, KeepsWhatWasMadeTwiceWithNobodyElsesBetween) {
  MeAnswers answers;
  for (int turn = 0; turn < 3; ++turn) {
    answers.keep(edition(1), "one");
    answers.keep(edition(1 + MeAnswers::kAnswers), "another");
  }
  EXPECT_EQ(answers.find(edition(1)), "");
  EXPECT_EQ(answers.find(edition(1 + MeAnswers::kAnswers)), "");
  answers.keep(edition(1 + MeAnswers::kAnswers), "another");
  EXPECT_EQ(answers.find(edition(1 + MeAnswers::kAnswers)), "another");
}

TEST(MeAnswers, KeepsNothingOfAUserWhoIsNotCached) {
  MeAnswers answers;
  keep_twice(answers, 0, "zero");
  EXPECT_EQ(answers.find(edition(0)), "");
}

TEST(MeAnswers, KeepsNothingThatIsTooLong) {
  MeAnswers answers;
  keep_twice(answers, 1, std::string(MeAnswers::kAnswerBytesMax, 'a'));
  EXPECT_EQ(answers.find(edition(1)), std::string(MeAnswers::kAnswerBytesMax, 'a'));
  keep_twice(answers, 2, std::string(MeAnswers::kAnswerBytesMax + 1, 'a'));
  EXPECT_EQ(answers.find(edition(2)), "");
}

TEST(Me, SaysWhatChangedAtTheNextRequest) {
  World world;
  const Credentials bob = world.new_user("bob");
  const std::string before = world.get("/api/v1/me", bob).body;
  for (int turn = 0; turn < 3; ++turn) EXPECT_EQ(world.get("/api/v1/me", bob).body, before);
  ASSERT_EQ(text_after(before, R"("name":")"), "Name of bob");
  ASSERT_EQ(world
                .post("/api/v1/users.update", world.admin(),
                      R"({"userId":")" + bob.user_id + R"(","data":{"name":"Robert"}})")
                .status,
            200);
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_EQ(text_after(world.get("/api/v1/me", bob).body, R"("name":")"), "Robert");
  }
}

TEST(Me, SaysTheSameTwiceAlsoWhereItIsTooLongToBeKept) {
  World world;
  const std::string name(MeAnswers::kAnswerBytesMax / 2, 'n');
  const Credentials bob = world.new_user("bob");
  ASSERT_EQ(world
                .post("/api/v1/users.update", world.admin(),
                      R"({"userId":")" + bob.user_id + R"(","data":{"name":")" + name + R"("}})")
                .status,
            200);
  const std::string first = world.get("/api/v1/me", bob).body;
  EXPECT_EQ(text_after(first, R"("name":")"), name);
  ASSERT_GT(first.size(), MeAnswers::kAnswerBytesMax);
  for (int turn = 0; turn < 3; ++turn) EXPECT_EQ(world.get("/api/v1/me", bob).body, first);
}

TEST(Me, NobodyIsToldOfAnother) {
  World world;
  const Credentials first = world.new_user("first");
  const Credentials second = world.new_user("second");
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_EQ(text_after(world.get("/api/v1/me", first).body, R"("username":")"), "first");
    EXPECT_EQ(text_after(world.get("/api/v1/me", second).body, R"("username":")"), "second");
  }
}

}  // namespace
}  // namespace tokend::api
