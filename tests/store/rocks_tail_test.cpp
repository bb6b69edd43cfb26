// Tokens on their way from the journal over the tail into tables, with little room everywhere, so
// that every batch of operations passes all of it.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/store/rocks_tail_fixture.h"
#include "tests/support/memory_database.h"

namespace tokend::store {
namespace {

using core::Errc;

// What the database should hold, and what it is told to do, out of a seed.
class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {}

  void fill(Batch& batch) {
    batch.clear();
    const int operations = static_cast<int>(random_() % 40);
    for (int i = 0; i < operations; ++i) {
      if (random_() % 4 == 0) {
        remove(batch);
      } else {
        const std::string key = token_key(number_ += 1 + random_() % 3);
        const std::string value(random_() % 200, static_cast<char>('a' + random_() % 26));
        batch.put(Family::tokens, key, value);
        tokens[key] = value;
        append_issuance(value, issuances[key]);
      }
    }
    batch.put(Family::users, "last", std::to_string(number_));
  }

  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

  std::map<std::string, std::string> tokens;
  std::map<std::string, std::string> issuances;  // whatever became of them

 private:
  // Of the batch itself, of the last segments, of all; some that are gone already.
  void remove(Batch& batch) {
    const std::uint64_t reach =
        std::array{std::uint64_t{20}, std::uint64_t{200}, number_ + 1}[random_() % 3];
    const std::string key = token_key(number_ - std::min(number_, random_() % reach));
    batch.remove(Family::tokens, key);
    tokens.erase(key);
  }

  std::mt19937_64 random_;
  std::uint64_t number_ = 0;
};

class RocksTailTest : public RocksWithLittleRoom {
 protected:
  // RocksDB's threads do not survive a fork, so nothing may have been opened here before.
  static bool is_fresh_process() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}) == 1;
  }
  static constexpr const char* kNeedsOwnProcess = "needs a process of its own, as ctest gives it";

  // Opens the database in a process that ends without farewell.
  template <class Steps>
  void run_and_kill(Steps steps) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto opened = RocksDatabase::open(options, clock);
      _exit(!opened ? 1 : steps(**opened) ? 0 : 2);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }

  using Content = std::map<std::string, std::string>;
  using Scanned = std::vector<std::pair<std::string, std::string>>;

  // Both ways, from the ends and from somewhere in the middle.
  void expect_same_scans(Family family, const Content& content) {
    for (const std::size_t skipped : {std::size_t{0}, content.size() / 3, content.size() - 1}) {
      if (content.empty()) return;
      const auto middle = std::next(content.begin(), static_cast<std::ptrdiff_t>(skipped));
      Scanned forward, backward;
      ASSERT_TRUE(database->scan(family, skipped == 0 ? "" : middle->first,
                                 [&](std::string_view key, std::string_view value) {
                                   forward.emplace_back(key, value);
                                   return true;
                                 }));
      EXPECT_EQ(forward, Scanned(middle, content.end()));
      ASSERT_TRUE(database->scan_back(family, skipped == 0 ? "" : middle->first,
                                      [&](std::string_view key, std::string_view value) {
                                        backward.emplace_back(key, value);
                                        return true;
                                      }));
      const auto end = skipped == 0 ? content.end() : middle;
      Scanned expected(content.begin(), end);
      std::ranges::reverse(expected);
      EXPECT_EQ(backward, expected);
    }
  }

  void expect_same(const Model& model) {
    std::map<std::string, std::string> found;
    std::string before;
    ASSERT_TRUE(
        database->scan(Family::tokens, {}, [&](std::string_view key, std::string_view value) {
          EXPECT_LT(before, key);
          before = key;
          found.emplace(key, value);
          return true;
        }));
    EXPECT_EQ(found, model.tokens);
    expect_same_scans(Family::tokens, model.tokens);
    expect_same_scans(Family::issuances, model.issuances);
    const auto last = database->last_key(Family::tokens);
    ASSERT_TRUE(last);
    EXPECT_EQ(*last, model.tokens.empty() ? "" : model.tokens.rbegin()->first);
    for (std::uint64_t number = 0; number <= model.number(); ++number) {
      const std::string key = token_key(number);
      const auto expected = model.tokens.find(key);
      ASSERT_EQ(read(Family::tokens, key),
                expected == model.tokens.end() ? "no" : expected->second);
    }
    EXPECT_EQ(read(Family::users, "last"), std::to_string(model.number()));
  }
};

TEST_F(RocksTailTest, HoldsWhatItWasToldAtEveryMoment) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    options.directory = root_directory + "/data" + std::to_string(seed);
    open();
    Model model(seed);
    const auto batch = database->make_batch();
    for (int round = 0; round < 400; ++round) {
      model.fill(*batch);
      ASSERT_TRUE(database->commit(*batch));
      if (round % 100 == 50) expect_same(model);
    }
    expect_same(model);
    open();
    expect_same(model);
    ASSERT_TRUE(database->compact());
    expect_same(model);
  }
}

// Ends at different places of hand-overs and checkpoints.
TEST_F(RocksTailTest, HoldsItAfterTheEndOfTheProcessWithoutFarewell) {
  if (!is_fresh_process()) GTEST_SKIP() << kNeedsOwnProcess;
  constexpr unsigned kStores = 6;
  std::vector<Model> models;
  for (unsigned seed = 1; seed <= kStores; ++seed) {
    options.directory = root_directory + "/data" + std::to_string(seed);
    Model model(seed);
    for (const unsigned rounds : {50 + 57 * seed, 311 - 13 * seed}) {
      run_and_kill([&](RocksDatabase& killed) {
        Model copy = model;
        const auto batch = killed.make_batch();
        for (unsigned round = 0; round < rounds; ++round) {
          copy.fill(*batch);
          if (!killed.commit(*batch)) return false;
        }
        return true;
      });
      // The same steps, for the model alone.
      const auto batch = tests::MemoryDatabase().make_batch();
      for (unsigned round = 0; round < rounds; ++round) model.fill(*batch);
    }
    models.push_back(model);
  }
  for (unsigned seed = 1; seed <= kStores; ++seed) {
    SCOPED_TRACE(seed);
    options.directory = root_directory + "/data" + std::to_string(seed);
    open();
    expect_same(models[seed - 1]);
  }
}

// The table of a former life has the token, and what removed it there is in the journal only.
TEST_F(RocksTailTest, AReplayedRemovalReachesTheTableOfAFormerLife) {
  if (!is_fresh_process()) GTEST_SKIP() << kNeedsOwnProcess;
  const std::string key = token_key(1);
  run_and_kill([&](RocksDatabase& killed) {
    const auto batch = killed.make_batch();
    batch->put(Family::tokens, key, "value");
    if (!killed.commit(*batch) || !killed.compact()) return false;
    batch->clear();
    batch->remove(Family::tokens, key);
    return killed.commit(*batch).has_value();
  });
  for (int round = 0; round < 2; ++round) {
    open();
    EXPECT_EQ(read(Family::tokens, key), "no");
  }
}

// What is removed from a table is known by memory alone, then by a table of removals, and is gone
// from the disk when both have met.
TEST_F(RocksTailTest, RemovalsFromTablesBecomeATableThemselves) {
  options.journal_bytes_max = 64U << 20;  // no checkpoint
  options.token_segment_bytes = 64U << 10;
  open();
  constexpr std::uint64_t kTokens = 7000;  // some sets of 1,024, more than wait in memory
  constexpr std::uint64_t kRemovedAtOnce = 100;
  const auto batch = database->make_batch();
  for (std::uint64_t number = 0; number < kTokens;) {
    batch->clear();
    for (int i = 0; i < 500; ++i, ++number) {
      batch->put(Family::tokens, token_key(number), "value");
    }
    ASSERT_TRUE(database->commit(*batch));
  }
  ASSERT_TRUE(database->compact());
  const std::uint64_t bytes_before = database->bytes_of(Family::tokens);
  const auto count = [&] {
    std::size_t sum = 0;
    EXPECT_TRUE(database->scan(Family::tokens, {}, [&](std::string_view, std::string_view) {
      ++sum;
      return true;
    }));
    return sum;
  };
  for (std::uint64_t number = 1; number < kTokens;) {
    batch->clear();
    for (std::uint64_t i = 0; i < kRemovedAtOnce && number < kTokens; ++i, ++number) {
      batch->remove(Family::tokens, token_key(number));
    }
    ASSERT_TRUE(database->commit(*batch));
    EXPECT_EQ(read(Family::tokens, token_key(number - 1), Reach::memory), "no");
    ASSERT_EQ(count(), kTokens - number + 1);
    EXPECT_EQ(*database->last_key(Family::tokens), token_key(number == kTokens ? 0 : kTokens - 1));
  }
  ASSERT_TRUE(database->compact());
  EXPECT_EQ(count(), 1U);
  EXPECT_EQ(read(Family::tokens, token_key(0)), "value");
  EXPECT_LT(database->bytes_of(Family::tokens), bytes_before / 10);
}

TEST_F(RocksTailTest, FullSegmentsBecomeTablesThatAreNotInTheFolderAnyMore) {
  options.journal_bytes_max = 64U << 20;  // no checkpoint
  open();
  Model model(9);
  const auto batch = database->make_batch();
  for (int round = 0; round < 200; ++round) {
    model.fill(*batch);
    ASSERT_TRUE(database->commit(*batch));
  }
  std::size_t tables = 0;
  for (const auto& entry : std::filesystem::directory_iterator(options.directory + "/db")) {
    tables += entry.path().extension() == ".sst";
  }
  EXPECT_GT(tables, 10U);
  ASSERT_TRUE(database->compact());
  EXPECT_TRUE(std::filesystem::is_empty(options.directory + "/ingest"));
  expect_same(model);
}

TEST_F(RocksTailTest, ATableThatCannotBeWrittenEndsTheCommitsAndLosesNothing) {
  open();
  // Stays in the way also of root.
  std::filesystem::remove_all(options.directory + "/ingest");
  std::ofstream(options.directory + "/ingest") << "x";
  Model model(5);
  const auto batch = database->make_batch();
  Model acknowledged = model;
  core::Result<void> committed;
  for (int round = 0; round < 2000 && committed; ++round) {
    acknowledged = model;
    model.fill(*batch);
    committed = database->commit(*batch);
  }
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Errc::unavailable);
  EXPECT_NE(committed.error().message.find("tokens or removals cannot be written into a table"),
            std::string::npos)
      << committed.error().message;
  batch->clear();
  batch->put(Family::users, "later", "1");
  EXPECT_FALSE(database->commit(*batch)) << "final";
  std::filesystem::remove(options.directory + "/ingest");
  std::filesystem::create_directory(options.directory + "/ingest");
  const auto again = database->compact();
  ASSERT_FALSE(again) << "the segment is not handed over a second time";
  EXPECT_NE(again.error().message.find("tokens or removals cannot be written into a table"),
            std::string::npos);
  open();
  // The batch that failed was durable already and may be there as a whole.
  if (read(Family::users, "last") != std::to_string(acknowledged.number())) acknowledged = model;
  expect_same(acknowledged);
}

// It is in RocksDB's memory, which its removal passes by.
TEST_F(RocksTailTest, ATokenThatCameOutOfOrderIsRemovedLikeAnyOther) {
  open();
  put(Family::tokens, token_key(9), "nine");
  for (const std::uint64_t number : {1, 2, 3}) put(Family::tokens, token_key(number), "early");
  const auto batch = database->make_batch();
  batch->remove(Family::tokens, token_key(2));
  batch->put(Family::tokens, token_key(4), "early");
  batch->remove(Family::tokens, token_key(4));
  ASSERT_TRUE(database->commit(*batch));
  for (const char* const when : {"at once", "in a table", "after a start"}) {
    SCOPED_TRACE(when);
    EXPECT_EQ(read(Family::tokens, token_key(1)), "early");
    EXPECT_EQ(read(Family::tokens, token_key(2)), "no");
    EXPECT_EQ(read(Family::tokens, token_key(3)), "early");
    EXPECT_EQ(read(Family::tokens, token_key(4)), "no");
    ASSERT_TRUE(database->compact());
    if (std::string_view(when) == "in a table") open();
  }
}

}  // namespace
}  // namespace tokend::store
