#include "store/log_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "store/crc32c.h"
#include "store/log_list.h"
#include "store/rocks.h"
#include "tests/store/log_check_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

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

// Text that a user chose may look like a record. In a batch that a crash cut it proves nothing.
TEST_F(LogCheck, ARecordWithinACutRecordIsNoLaterBatch) {
  crash_after_batches(40);
  {
    auto database = open("second");
    ASSERT_TRUE(database);
    const auto writes = (*database)->make_batch();
    // Their numbers are higher than those in the text.
    for (int batch = 0; batch < 2 * kBatches; ++batch) {
      writes->clear();
      writes->put(Family::users, "before", "v");
      ASSERT_TRUE((*database)->commit(*writes));
    }
    writes->clear();
    writes->put(Family::users, key_of(0), content_ + std::string(300, 'e'));
    ASSERT_TRUE((*database)->commit(*writes));
    fs::remove_all(root_ + "/crashed");
    fs::copy(root_ + "/second", root_ + "/crashed", fs::copy_options::recursive);
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
    }
    fs::remove_all(root_ + "/again");
    fs::copy(root_ + "/damaged", root_ + "/again", fs::copy_options::recursive);
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
