#include "store/rocks.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>

#include "store/committer.h"
#include "store/idempotency.h"
#include "store/meta.h"
#include "tests/store/rocks_fixture.h"
#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

TEST_F(RocksTest, WhatWasCommittedIsThereAfterReopening) {
  open();
  for (std::size_t i = 0; i < static_cast<std::size_t>(Family::count_); ++i) {
    put(static_cast<Family>(i), "key", std::to_string(i));
  }
  open();
  for (std::size_t i = 0; i < static_cast<std::size_t>(Family::count_); ++i) {
    EXPECT_EQ(read(static_cast<Family>(i), "key"), std::to_string(i));
  }
  EXPECT_EQ(read(Family::users, "other"), "no");
}

TEST_F(RocksTest, SurvivesTheEndOfTheProcessWithoutFarewell) {
  open();
  database.reset();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto opened = RocksDatabase::open(options, clock);
    if (!opened) _exit(1);
    for (int i = 0; i < 200; ++i) {
      const auto batch = (*opened)->make_batch();
      batch->put(Family::tokens, std::to_string(1000 + i), "value");
      if (!(*opened)->commit(*batch)) _exit(2);
    }
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  for (int round = 0; round < 3; ++round) {
    open();
    for (int i = 0; i < 200; ++i) {
      ASSERT_EQ(read(Family::tokens, std::to_string(1000 + i)), "value");
    }
    put(Family::tokens, "again", std::to_string(round));
  }
}

TEST_F(RocksTest, ACheckpointReleasesTheJournalAndLosesNothing) {
  constexpr int kBatches = 4000;
  options.journal_file_bytes = 64U << 10;
  options.journal_bytes_max = 128U << 10;
  open();
  for (int i = 0; i < kBatches; ++i) {
    const auto batch = database->make_batch();
    batch->put(Family::tokens, std::to_string(1000 + i), std::string(3000, 'x'));
    batch->put(Family::users, "last", std::to_string(i));
    ASSERT_TRUE(database->commit(*batch));
  }
  std::size_t journal_bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(options.directory + "/journal")) {
    journal_bytes += entry.file_size();
  }
  EXPECT_LT(journal_bytes, std::size_t{kBatches} * 4096 / 2) << "files were used again";
  open();
  for (int i = 0; i < kBatches; ++i)
    ASSERT_NE(read(Family::tokens, std::to_string(1000 + i)), "no");
  EXPECT_EQ(read(Family::users, "last"), std::to_string(kBatches - 1));
}

TEST_F(RocksTest, ABatchIsAllOfItsChangesInOrder) {
  open();
  const auto batch = database->make_batch();
  EXPECT_EQ(batch->count(), 0U);
  batch->put(Family::users, "a", "1");
  batch->put(Family::users, "b", "1");
  batch->remove(Family::users, "a");
  EXPECT_EQ(batch->count(), 3U);
  EXPECT_EQ(read(Family::users, "b"), "no") << "nothing before the commit";
  ASSERT_TRUE(database->commit(*batch));
  EXPECT_EQ(read(Family::users, "a"), "no");
  EXPECT_EQ(read(Family::users, "b"), "1");
  batch->clear();
  EXPECT_EQ(batch->count(), 0U);
}

TEST_F(RocksTest, ScansInOrderFromAKeyUntilToldToStop) {
  open();
  for (const char* key : {"d", "a", "c", "b"}) put(Family::usernames, key, key);
  std::string seen;
  ASSERT_TRUE(database->scan(Family::usernames, "b", [&](std::string_view key, std::string_view) {
    seen += key;
    return key != "c";
  }));
  EXPECT_EQ(seen, "bc");
  EXPECT_EQ(database->last_key(Family::usernames), "d");
  EXPECT_EQ(database->last_key(Family::tokens), "");
}

TEST_F(RocksTest, MemoryDoesNotKnowWhatOnlyTheDiskHolds) {
  open();
  put(Family::users, "key", "value");
  EXPECT_EQ(read(Family::users, "key", Reach::memory), "value") << "in the memtable";
  ASSERT_TRUE(database->compact());
  open();
  EXPECT_EQ(read(Family::users, "key", Reach::memory), "unknown");
  EXPECT_EQ(read(Family::users, "key", Reach::disk), "value");
  EXPECT_EQ(read(Family::users, "key", Reach::memory), "value") << "in the block cache";
}

TEST_F(RocksTest, AnotherProcessDoesNotGetTheDirectory) {
  open();
  const auto second = RocksDatabase::open(options, clock);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::unavailable);
  EXPECT_NE(second.error().message.find(options.directory + " is in use by another process"),
            std::string::npos);
  database.reset();
  EXPECT_TRUE(RocksDatabase::open(options, clock));
}

TEST_F(RocksTest, ADirectoryThatCannotBeIsAnErrorWithItsName) {
  std::ofstream(root_directory + "/file") << "x";
  options.directory = root_directory + "/file/data";
  const auto opened = RocksDatabase::open(options, clock);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::io);
  EXPECT_NE(opened.error().message.find(options.directory), std::string::npos);
}

TEST_F(RocksTest, ADiskWithoutRoomForTheStartIsAnErrorThatSaysHowMuchIsMissing) {
  options.spare_bytes_at_start = std::size_t{1} << 60;
  const auto refused = RocksDatabase::open(options, clock);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::io);
  EXPECT_NE(refused.error().message.find(options.directory + " is full"), std::string::npos);
  EXPECT_NE(refused.error().message.find("KiB are needed"), std::string::npos);
  options.spare_bytes_at_start = RocksOptions().spare_bytes_at_start;
  open();
}

TEST_F(RocksTest, TheDirectoryIsTheServersAlone) {
  open();
  struct stat status{};
  ASSERT_EQ(stat(options.directory.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(RocksTest, CompactionDropsTokensLongExpiredAndOnlyThose) {
  open();
  const std::int64_t kept_ms = options.expired_kept_ms;
  put(Family::tokens, "expired long ago", token_expiring(clock.now_ms - kept_ms - 1));
  put(Family::tokens, "expired", token_expiring(clock.now_ms - 1));
  put(Family::tokens, "alive", token_expiring(clock.now_ms + 1));
  put(Family::tokens, "personal", token_expiring(kNeverExpires));
  put(Family::tokens, "no record", "??");
  put(Family::users, "expired long ago", token_expiring(1));
  ASSERT_TRUE(database->compact());
  EXPECT_EQ(read(Family::tokens, "expired long ago"), "no");
  for (const char* kept : {"expired", "alive", "personal", "no record"}) {
    EXPECT_NE(read(Family::tokens, kept), "no") << kept;
  }
  EXPECT_NE(read(Family::users, "expired long ago"), "no");
}

TEST_F(RocksTest, CompactionDropsKeyedRequestsLongForgottenAndOnlyThose) {
  open();
  const std::int64_t kept_ms = options.expired_kept_ms;
  const auto ending = [](std::int64_t window_ends_ms) {
    KeyedRequest request;
    request.window_ends_ms = window_ends_ms;
    request.part.count = 1;
    encode_item({.result = {}, .locator = {}, .user = UserId("u")}, false, request.part.items);
    std::string bytes;
    encode_part(request, bytes);
    return bytes;
  };
  put(Family::idempotency, "forgotten long ago", ending(clock.now_ms - kept_ms - 1));
  put(Family::idempotency, "forgotten", ending(clock.now_ms - 1));
  put(Family::idempotency, "known", ending(clock.now_ms + 1));
  put(Family::idempotency, "no record", "??");
  ASSERT_TRUE(database->compact());
  EXPECT_EQ(read(Family::idempotency, "forgotten long ago"), "no");
  for (const char* kept : {"forgotten", "known", "no record"}) {
    EXPECT_NE(read(Family::idempotency, kept), "no") << kept;
  }
}

TEST_F(RocksTest, WhatIsForgottenGoesThoughNothingIsWrittenAnyMore) {
  options.idempotency_rewrite_after_s = 1;
  options.expired_kept_ms = 0;
  open();
  const auto ending = [](std::int64_t at_ms) {
    KeyedRequest request;
    request.window_ends_ms = at_ms;
    encode_item({.result = {}, .locator = {}, .user = UserId("u")}, false, request.part.items);
    request.part.count = 1;
    std::string bytes;
    encode_part(request, bytes);
    return bytes;
  };
  put(Family::idempotency, "forgotten", ending(clock.now_ms - 1));
  put(Family::idempotency, "known", ending(clock.now_ms + 1));
  open();  // it is in a table by now
  ASSERT_NE(read(Family::idempotency, "forgotten"), "no");
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (read(Family::idempotency, "forgotten") != "no" &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(read(Family::idempotency, "forgotten"), "no");
  EXPECT_EQ(read(Family::idempotency, "known"), ending(clock.now_ms + 1));
}

TEST_F(RocksTest, BytesOfAFamilyAreThoseInMemoryAndInTables) {
  open();
  constexpr std::uint64_t kBytes = 512U << 10;
  const std::uint64_t before = database->bytes_of(Family::idempotency);
  std::string value(kBytes, 'x');
  std::mt19937_64 engine(1);
  for (char& byte : value) byte = static_cast<char>(engine());  // nothing to compress
  put(Family::idempotency, "key", value);
  EXPECT_GE(database->bytes_of(Family::idempotency), before + kBytes);
  open();
  EXPECT_GE(database->bytes_of(Family::idempotency), kBytes);
  EXPECT_LT(database->bytes_of(Family::settings), kBytes);
  const auto batch = database->make_batch();
  batch->remove(Family::idempotency, "key");
  ASSERT_TRUE(database->commit(*batch));
  ASSERT_TRUE(database->compact());
  EXPECT_LT(database->bytes_of(Family::idempotency), kBytes);
}

TEST_F(RocksTest, AFailedSyncIsFinalAndItsBatchInvisible) {
  std::atomic<bool> fails{false};
  options.journal_writes_fail = &fails;
  open();
  put(Family::users, "before", "1");
  fails = true;
  const auto batch = database->make_batch();
  batch->put(Family::users, "during", "1");
  const auto failed = database->commit(*batch);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::unavailable);
  EXPECT_EQ(read(Family::users, "during"), "no");
  fails = false;
  EXPECT_FALSE(database->commit(*batch)) << "the disk works again and it is still final";
  EXPECT_EQ(read(Family::users, "before"), "1");
  open();
  EXPECT_EQ(read(Family::users, "before"), "1");
  put(Family::users, "after", "1");
  database.reset();
}

TEST_F(RocksTest, AWholeStoreLivesInItAndComesBack) {
  RandomBytes random;
  CountingWaker waker;
  std::string text;
  UserId admin;
  for (int round = 0; round < 2; ++round) {
    open();
    const auto prepared = prepare_store(*database, clock, random, {"root", "secret", "", ""}, 4);
    ASSERT_TRUE(prepared);
    const auto committer =
        Committer::open({*database, clock, waker, random}, prepared->identity, {});
    ASSERT_TRUE(committer);
    ManualExecutor workers;
    TestCore core;
    core.clock.wall_ms = clock.now_ms;
    core.store = std::make_unique<Store>(
        StoreParts{*database, **committer, workers, workers, core.mailbox, core.clock},
        StoreOptions{64, 64, 4});
    if (round == 0) {
      admin = prepared->created_admin->id;
      Asked<IssueToken> issue;
      issue.user = admin;
      core.store->write(issue);
      while ((*committer)->step() || !(*committer)->idle()) {
        if (!(*committer)->idle()) (*committer)->wait();
      }
      core.take_turn(clock.now_ms);
      ASSERT_TRUE(issue.succeeded());
      text = view_of(issue.token);
    }
    EXPECT_EQ((*committer)->indexed_tokens(), 1U);
    Asked<Authenticate> authenticate;
    authenticate.token = text;
    authenticate.user_id = admin.view();
    core.store->authenticate(authenticate);
    workers.run_all();
    core.take_turn(clock.now_ms);
    workers.run_all();
    core.take_turn(clock.now_ms);
    EXPECT_TRUE(authenticate.succeeded());
    ASSERT_TRUE(database->compact());
  }
}

}  // namespace
}  // namespace tokend::store
