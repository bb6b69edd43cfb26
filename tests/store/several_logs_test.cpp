// Damage in one of several write-ahead logs that are all needed.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/store/log_check_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

// A change of a small family in the first one keeps it alive
// while the tokens' tables are written and the logs switched.
class SeveralLogs : public LogCheck {
 protected:
  void crash_with_logs(std::size_t count) {
    auto database = open("live");
    ASSERT_TRUE(database) << database.error().message;
    put(**database, Family::users, "first");
    for (int token = 0; logs_in("live").size() < count; ++token) {
      ASSERT_LT(token, 100'000);
      put(**database, Family::tokens, "token" + std::to_string(1'000'000 + token));
    }
    put(**database, Family::users, "last");
    // Closed, or its threads would change the files while they are copied. No table is written
    // then.
    database->reset();
    fs::copy(root_ + "/live", root_ + "/damaged", fs::copy_options::recursive);
  }
  static void put(RocksDatabase& database, Family family, const std::string& key) {
    const auto writes = database.make_batch();
    writes->put(family, key, std::string(300, 'v'));
    ASSERT_TRUE(database.commit(*writes));
  }
  [[nodiscard]] static std::size_t used_bytes(const fs::path& log) {
    return content_of(log).find_last_not_of('\0') + 1;
  }
};

TEST_F(SeveralLogs, AreWholeWithoutDamage) {
  crash_with_logs(3);
  const auto report = check();
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->is_damage()) << describe(*report);
  EXPECT_EQ(report->cut_file, "");
  EXPECT_TRUE(open("damaged"));
}

// The records before are whole, and so are those behind: only their numbers tell.
TEST_F(SeveralLogs, OneThatEndsEarlyBehindARecordIsDamage) {
  crash_with_logs(3);
  const fs::path middle = logs_in("damaged").at(1);
  const std::string content = content_of(middle);
  std::size_t record_bytes = 7 + static_cast<unsigned char>(content.at(4)) +
                             (static_cast<unsigned char>(content.at(5)) << 8U);
  ASSERT_LT(record_bytes, content.size());
  fs::resize_file(middle, record_bytes);
  const auto report = check();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->is_damage());
  EXPECT_EQ(report->cut_file, logs_in("damaged").at(2).string());
  const auto database = open("damaged");
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, Errc::corrupt);
}

TEST_F(SeveralLogs, OneThatEndsWithinARecordIsDamage) {
  crash_with_logs(3);
  const fs::path middle = logs_in("damaged").at(1);
  fs::resize_file(middle, used_bytes(middle) - 5);
  const auto report = check();
  ASSERT_TRUE(report && report->is_damage());
  EXPECT_EQ(report->cut_file, middle.string());
  EXPECT_GT(report->batches_behind, 0U);
}

TEST_F(SeveralLogs, OneThatIsMissingInTheMiddleIsDamageEvenIfItIsNotListed) {
  crash_with_logs(3);
  fs::remove(logs_in("damaged").at(1));
  ASSERT_EQ(check()->missing.size(), 1U);
  fs::remove(root_ + "/damaged/db/" + kLogListName);
  const auto report = check();
  ASSERT_TRUE(report && report->is_damage());
  EXPECT_EQ(report->missing.size(), 0U);
}

TEST_F(SeveralLogs, AcceptedGoOnWithABeginningAlsoAfterACrash) {
  crash_with_logs(4);
  const fs::path second = logs_in("damaged").at(1);
  fs::resize_file(second, used_bytes(second) - 5);
  const auto report = check();
  ASSERT_TRUE(report && report->is_damage());
  // As if the process ended before RocksDB makes its next log.
  ASSERT_TRUE(cut_logs(root_ + "/damaged/db", *report));
  EXPECT_EQ(logs_in("damaged").size(), 2U);
  const auto cut = check();
  ASSERT_TRUE(cut);
  EXPECT_FALSE(cut->is_damage()) << describe(*cut);
  const auto database = open("damaged");
  ASSERT_TRUE(database) << database.error().message;
  std::string value;
  EXPECT_EQ((*database)->get(Family::users, "first", Reach::disk, value), Found::yes);
  EXPECT_EQ((*database)->get(Family::users, "last", Reach::disk, value), Found::no);
}

// RocksDB deletes what it needs no longer, the newest first.
TEST_F(SeveralLogs, ThatAreDeletedLeaveNoGapWhereverACrashComes) {
  crash_with_logs(4);
  const std::vector<fs::path> logs = logs_in("damaged");
  LogList list;
  ASSERT_TRUE(list.remove(logs.at(1).string()));
  fs::remove(logs.at(1));
  const auto report = check();
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->is_damage()) << describe(*report);
}

TEST_F(SeveralLogs, AreReadInOrderOfTheirNumbers) {
  crash_with_logs(2);
  const std::vector<fs::path> logs = logs_in("damaged");
  const fs::path db = root_ + "/damaged/db";
  fs::rename(logs.at(0), db / "999999.log");
  fs::rename(logs.at(1), db / "1000000.log");
  ASSERT_TRUE(list_present_logs(db.string()));
  const auto report = check();
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->is_damage()) << describe(*report);
}

}  // namespace
}  // namespace tokend::store
