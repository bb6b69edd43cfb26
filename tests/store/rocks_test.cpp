#include "store/rocks.h"

#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

#include "store/committer.h"
#include "store/meta.h"
#include "store/rocks.h"
#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

class RocksTest : public testing::Test {
 protected:
  RocksTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tokend-rocks-XXXXXX").string();
    root_directory = mkdtemp(pattern.data());
    options.directory = root_directory + "/data";
    options.block_cache_bytes = 1U << 20;
  }
  ~RocksTest() override {
    database.reset();
    std::filesystem::remove_all(root_directory);
  }
  void open() {
    database.reset();
    auto opened = RocksDatabase::open(options, clock);
    ASSERT_TRUE(opened) << opened.error().message;
    database = *std::move(opened);
  }
  void put(Family family, std::string_view key, std::string_view value) {
    const auto batch = database->make_batch();
    batch->put(family, key, value);
    ASSERT_TRUE(database->commit(*batch));
  }
  std::string read(Family family, std::string_view key, Reach reach = Reach::disk) {
    std::string value;
    const auto found = database->get(family, key, reach, value);
    if (!found) return "error";
    return *found == Found::yes ? value : *found == Found::no ? "no" : "unknown";
  }
  static std::string token_expiring(std::int64_t expires_ms) {
    TokenRecord record;
    record.user = UserId("u");
    record.expires_ms = expires_ms;
    std::string bytes;
    encode(record, bytes);
    return bytes;
  }

  std::string root_directory;
  FixedClock clock;
  RocksOptions options;
  std::unique_ptr<RocksDatabase> database;
};

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

// Every sync fails once told so.
class FailingEnv final : public rocksdb::EnvWrapper {
 public:
  FailingEnv() : EnvWrapper(rocksdb::Env::Default()) {}
  const char* Name() const override { return "FailingEnv"; }
  rocksdb::Status NewWritableFile(const std::string& name,
                                  std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& how) override {
    return wrap(EnvWrapper::NewWritableFile(name, file, how), file);
  }
  rocksdb::Status ReuseWritableFile(const std::string& name, const std::string& old,
                                    std::unique_ptr<rocksdb::WritableFile>* file,
                                    const rocksdb::EnvOptions& how) override {
    return wrap(EnvWrapper::ReuseWritableFile(name, old, file, how), file);
  }
  std::atomic<bool> fails{false};

 private:
  class File final : public rocksdb::WritableFileWrapper {
   public:
    File(std::unique_ptr<rocksdb::WritableFile> file, const std::atomic<bool>& its_fails)
        : WritableFileWrapper(file.get()),
          file_(std::move(file)),
          fails_(its_fails) {}
    rocksdb::Status Sync() override {
      return fails_ ? rocksdb::Status::IOError("injected") : WritableFileWrapper::Sync();
    }
    rocksdb::Status Fsync() override {
      return fails_ ? rocksdb::Status::IOError("injected") : WritableFileWrapper::Fsync();
    }

   private:
    std::unique_ptr<rocksdb::WritableFile> file_;
    const std::atomic<bool>& fails_;
  };
  rocksdb::Status wrap(rocksdb::Status status, std::unique_ptr<rocksdb::WritableFile>* file) {
    if (status.ok()) *file = std::make_unique<File>(std::move(*file), fails);
    return status;
  }
};

TEST_F(RocksTest, AFailedSyncIsFinalAndItsBatchInvisible) {
  FailingEnv env;
  options.env = &env;
  open();
  put(Family::users, "before", "1");
  env.fails = true;
  const auto batch = database->make_batch();
  batch->put(Family::users, "during", "1");
  const auto failed = database->commit(*batch);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::unavailable);
  EXPECT_EQ(read(Family::users, "during"), "no");
  env.fails = false;
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
      ASSERT_TRUE((*committer)->step());
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
