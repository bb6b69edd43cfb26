#include "store/log_check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "store/crc32c.h"
#include "store/log_list.h"
#include "store/rocks.h"

namespace tokend::store {
namespace {

namespace fs = std::filesystem;
using core::Errc;

constexpr int kBatches = 30;

// A database as SIGKILL leaves it: a copy of one that is open.
class LogCheck : public testing::Test {
 protected:
  LogCheck() {
    std::string pattern = (fs::temp_directory_path() / "tokend-log-check-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~LogCheck() override { fs::remove_all(root_); }

  [[nodiscard]] static std::string key_of(int batch) { return "key" + std::to_string(100 + batch); }

  [[nodiscard]] core::Result<std::unique_ptr<RocksDatabase>> open(const std::string& name,
                                                                  bool accept = false) {
    RocksOptions options;
    options.directory = root_ + "/" + name;
    options.block_cache_bytes = 1U << 20;
    options.accept_log_damage = accept;
    options.token_memtable_bytes = 64U << 10;
    return RocksDatabase::open(options, clock_);
  }
  // `value_bytes` of each batch decide how many pieces its record has.
  void crash_after_batches(std::size_t value_bytes) {
    auto database = open("live");
    ASSERT_TRUE(database) << database.error().message;
    for (int batch = 0; batch < kBatches; ++batch) {
      const auto writes = (*database)->make_batch();
      writes->put(Family::users, key_of(batch), std::string(value_bytes, 'v'));
      ASSERT_TRUE((*database)->commit(*writes));
    }
    fs::copy(root_ + "/live", root_ + "/crashed", fs::copy_options::recursive);
    content_ = content_of(log());
    while (!content_.empty() && content_.back() == '\0') content_.pop_back();
  }
  void restore() {
    fs::remove_all(root_ + "/damaged");
    fs::copy(root_ + "/crashed", root_ + "/damaged", fs::copy_options::recursive);
  }
  // The only log, in `crashed`.
  [[nodiscard]] fs::path log() const { return log_in("crashed"); }
  [[nodiscard]] fs::path log_in(const std::string& name) const {
    const std::vector<fs::path> logs = logs_in(name);
    EXPECT_EQ(logs.size(), 1U);
    return logs.at(0);
  }
  // In order of their numbers.
  [[nodiscard]] std::vector<fs::path> logs_in(const std::string& name) const {
    std::vector<fs::path> logs;
    for (const auto& entry : fs::directory_iterator(root_ + "/" + name + "/db")) {
      if (entry.path().extension() == ".log") logs.push_back(entry.path());
    }
    std::ranges::sort(logs, LogOrder(), [](const fs::path& log) { return log.string(); });
    return logs;
  }
  [[nodiscard]] static std::string content_of(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void flip(std::size_t offset, std::size_t bytes = 1) {
    std::fstream file(log_in("damaged"), std::ios::binary | std::ios::in | std::ios::out);
    for (std::size_t at = offset; at < offset + bytes; ++at) {
      file.seekp(static_cast<std::streamoff>(at));
      file.put(static_cast<char>(content_.at(at) ^ 0x5a));
    }
  }
  void zero(std::size_t offset, std::size_t bytes) {
    std::fstream file(log_in("damaged"), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file << std::string(bytes, '\0');
  }
  [[nodiscard]] core::Result<LogReport> check() const { return check_logs(root_ + "/damaged/db"); }
  // How many batches, from the first on, an opened database holds; -1 when it has a hole.
  [[nodiscard]] static int batches_in(const RocksDatabase& database) {
    int count = 0;
    bool ended = false;
    for (int batch = 0; batch < kBatches; ++batch) {
      std::string value;
      const auto found = database.get(Family::users, key_of(batch), Reach::disk, value);
      if (found && *found == Found::yes) {
        if (ended) return -1;
        ++count;
      } else {
        ended = true;
      }
    }
    return count;
  }

  core::SystemClock clock_;
  std::string root_;
  std::string content_;  // of the log, without the zeros behind it
};

TEST_F(LogCheck, AKilledServersLogIsWhole) {
  crash_after_batches(40);
  restore();
  const auto damage = check();
  ASSERT_TRUE(damage);
  EXPECT_FALSE(damage->is_damage());
  const auto database = open("damaged");
  ASSERT_TRUE(database);
  EXPECT_EQ(batches_in(**database), kBatches);
}

// Wherever a byte is hit: a batch that was followed by others is never dropped silently.
TEST_F(LogCheck, AFlippedByteIsRefusedUnlessItHitsTheLastBatch) {
  crash_after_batches(40);
  const std::size_t last_at = content_.rfind(key_of(kBatches - 1)) - 32;
  std::size_t refused = 0;
  for (std::size_t offset = 0; offset < content_.size(); offset += 5) {
    restore();
    flip(offset);
    const auto database = open("damaged");
    if (!database) {
      EXPECT_EQ(database.error().code, Errc::corrupt);
      ++refused;
      continue;
    }
    EXPECT_GE(batches_in(**database), kBatches - 1) << "byte " << offset;
    // RocksDB's own first batch changes nothing; nothing is lost with it or with the last one.
    if (batches_in(**database) < kBatches) {
      EXPECT_GE(offset, last_at);
    }
  }
  EXPECT_GT(refused, content_.size() / 5 * 8 / 10);
}

TEST_F(LogCheck, DamageInTheMiddleIsRefusedWithPlaceAndCount) {
  crash_after_batches(40);
  restore();
  flip(content_.find(key_of(10)), 3);
  const auto damage = check();
  ASSERT_TRUE(damage && damage->is_damage());
  EXPECT_EQ(damage->batches_behind, kBatches - 11U);
  EXPECT_LT(damage->cut_at, content_.find(key_of(10)));
  EXPECT_GT(damage->cut_at, content_.find(key_of(9)));
  const auto database = open("damaged");
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, Errc::corrupt);
  EXPECT_NE(database.error().message.find("damaged at byte"), std::string::npos);
  EXPECT_NE(database.error().message.find("--accept-log-damage"), std::string::npos);
}

// RocksDB takes zeros for the end of a block and reads on in the next one, across the hole.
TEST_F(LogCheck, AZeroedStretchIsDamage) {
  crash_after_batches(40'000);
  restore();
  zero(content_.size() / 2 / 4096 * 4096, 64U << 10);
  const auto damage = check();
  ASSERT_TRUE(damage && damage->is_damage());
  EXPECT_GT(damage->batches_behind, 10U);
}

TEST_F(LogCheck, ATornLastBatchIsNotDamage) {
  crash_after_batches(100'000);
  const std::size_t last_at = content_.rfind(key_of(kBatches - 1));
  // Any of its four pieces, or several, did not reach the disk; later ones did.
  for (const std::size_t hit : {std::size_t{0}, std::size_t{20'000}, std::size_t{60'000}}) {
    restore();
    zero(last_at + hit, 512);
    const auto damage = check();
    ASSERT_TRUE(damage);
    EXPECT_FALSE(damage->is_damage()) << describe(*damage);
    const auto database = open("damaged");
    ASSERT_TRUE(database) << database.error().message;
    EXPECT_EQ(batches_in(**database), kBatches - 1);
  }
}

TEST_F(LogCheck, ALogThatEndsAnywhereIsNotDamage) {
  crash_after_batches(40);
  for (std::size_t bytes = 0; bytes <= content_.size(); bytes += 97) {
    restore();
    fs::resize_file(log_in("damaged"), bytes);
    const auto damage = check();
    ASSERT_TRUE(damage);
    EXPECT_FALSE(damage->is_damage()) << bytes;
  }
}

// Several logs that are all needed: a change of a small family in the first one keeps it alive
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

// Text that a user chose may look like a record. In a batch that a crash cut it proves nothing.
TEST_F(LogCheck, ARecordWithinACutRecordIsNoLaterBatch) {
  crash_after_batches(40);
  {
    auto database = open("live");
    ASSERT_TRUE(database);
    const auto writes = (*database)->make_batch();
    writes->put(Family::users, "before", "v");
    ASSERT_TRUE((*database)->commit(*writes));
    writes->clear();
    writes->put(Family::users, key_of(0), content_ + std::string(300, 'e'));
    ASSERT_TRUE((*database)->commit(*writes));
    fs::remove_all(root_ + "/crashed");
    fs::copy(root_ + "/live", root_ + "/crashed", fs::copy_options::recursive);
  }
  restore();
  const std::string whole = content_of(log());
  content_ = whole;
  flip(whole.rfind("eeeeeeee"));
  const auto report = check();
  ASSERT_TRUE(report);
  EXPECT_NE(report->cut_file, "");
  EXPECT_FALSE(report->is_damage()) << describe(*report);
}

TEST_F(LogCheck, AMissingLogIsRefused) {
  crash_after_batches(40);
  restore();
  fs::remove(log_in("damaged"));
  const auto database = open("damaged");
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().code, Errc::corrupt);
  EXPECT_NE(database.error().message.find("is missing"), std::string::npos);
}

TEST_F(LogCheck, AcceptedDamageKeepsWhatLiesBeforeItAndTheLogs) {
  crash_after_batches(40);
  restore();
  flip(content_.find(key_of(10)), 3);
  {
    const auto database = open("damaged", true);
    ASSERT_TRUE(database) << database.error().message;
    EXPECT_EQ(batches_in(**database), 10);
    EXPECT_NE((*database)->warning().find("damaged at byte"), std::string::npos);
    EXPECT_TRUE(fs::exists(root_ + "/damaged/damaged-logs/" + log().filename().string()));
  }
  const auto again = open("damaged");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ((*again)->warning(), "");
  EXPECT_EQ(batches_in(**again), 10);
}

TEST_F(LogCheck, AnAcceptedMissingLogIsMissedNoLonger) {
  crash_after_batches(40);
  restore();
  fs::remove(log_in("damaged"));
  ASSERT_TRUE(open("damaged", true));
  EXPECT_TRUE(open("damaged"));
}

// Before the list was kept, and for a database that is new.
TEST_F(LogCheck, WithoutAListNoLogIsMissing) {
  crash_after_batches(40);
  restore();
  fs::remove(root_ + "/damaged/db/" + kLogListName);
  fs::remove(log_in("damaged"));
  EXPECT_TRUE(open("damaged"));
}

// RocksDB keeps a log of which it recovered nothing beside the next one.
TEST_F(LogCheck, ACutThatWasRecoveredIsNotTakenForDamageAfterTheNextCrash) {
  crash_after_batches(40);
  for (const std::size_t bytes : {content_.find(key_of(0)), content_.size() - 5}) {
    restore();
    fs::resize_file(log_in("damaged"), bytes);
    {
      const auto database = open("damaged");
      ASSERT_TRUE(database) << database.error().message;
      const auto writes = (*database)->make_batch();
      writes->put(Family::users, "later", "v");
      ASSERT_TRUE((*database)->commit(*writes));
      fs::remove_all(root_ + "/again");
      fs::copy(root_ + "/damaged", root_ + "/again", fs::copy_options::recursive);
    }
    const auto again = open("again");
    ASSERT_TRUE(again) << again.error().message;
    std::string value;
    EXPECT_EQ((*again)->get(Family::users, "later", Reach::disk, value), Found::yes);
  }
}

TEST_F(LogCheck, TheListFollowsTheLogsWhenTheyAreSwitched) {
  auto database = open("live");
  ASSERT_TRUE(database);
  for (int round = 0; round < 3; ++round) {
    const auto writes = (*database)->make_batch();
    writes->put(Family::users, key_of(round), "v");
    ASSERT_TRUE((*database)->commit(*writes));
    ASSERT_TRUE((*database)->compact());
  }
  const auto logs = listed_logs(root_ + "/live/db");
  ASSERT_TRUE(logs);
  EXPECT_TRUE(logs->missing.empty());
  std::vector<fs::path> listed(logs->present.begin(), logs->present.end());
  EXPECT_EQ(listed, logs_in("live"));
}

TEST_F(LogCheck, ChecksumsAreThoseOfTheCastagnoliPolynomial) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);  // RFC 3720, B.4 gives others of the same kind
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283U);
}

}  // namespace
}  // namespace tokend::store
