// Stores that a disk has damaged, or another version of the program has written.

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "store/bootstrap.h"
#include "store/meta.h"
#include "tests/store/rocks_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

class RocksDamageTest : public RocksTest {
 protected:
  // As one of version 1 was left by SIGKILL: in RocksDB's own log are key0 ... key9.
  void make_former_store() const {
    std::filesystem::create_directories(options.directory);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_former_store_and_exit();
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }
  [[nodiscard]] std::string former_log() const {
    for (const auto& entry : std::filesystem::directory_iterator(options.directory + "/db")) {
      if (entry.path().extension() == ".log") return entry.path();
    }
    return {};
  }
  // Changes the first byte of the first place where `text` is found in the file.
  static bool change(const std::string& path, const std::string& text) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    const std::size_t at = content.find(text);
    if (at == std::string::npos) return false;
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(text[0] ^ 1));
    return true;
  }
  // Twice, because a refusal must leave the store as it is.
  void expect_refused_for_damage() const {
    for (int round = 0; round < 2; ++round) {
      const auto refused = RocksDatabase::open(options, clock);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, Errc::corrupt);
      EXPECT_NE(refused.error().message.find("--accept-log-damage"), std::string::npos);
    }
  }
  // Puts key0 ... key9, one batch each, ends as SIGKILL would, and changes the journal.
  void damage_journal_at(const std::string& text) {
    open();
    for (int i = 0; i < 10; ++i) put(Family::users, "key" + std::to_string(i), "value");
    const std::string killed = root_directory + "/killed";
    std::filesystem::copy(options.directory, killed, std::filesystem::copy_options::recursive);
    database.reset();
    options.directory = killed;
    std::size_t changed = 0;
    for (const auto& entry : std::filesystem::directory_iterator(killed + "/journal")) {
      changed += change(entry.path(), text);
    }
    ASSERT_EQ(changed, 1U);
  }

 private:
  [[noreturn]] void write_former_store_and_exit() const {
    rocksdb::DB* former = nullptr;
    rocksdb::Options create;
    create.create_if_missing = create.create_missing_column_families = true;
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const char* name :
         {"default", "tokens", "users", "usernames", "emails", "members", "permissions"}) {
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::WriteOptions synced;
    synced.sync = true;
    bool ok =
        rocksdb::DB::Open(create, options.directory + "/db", families, &handles, &former).ok() &&
        former->Put(synced, handles[0], "format", rocksdb::Slice("\1\0\0\0", 4)).ok();
    for (int i = 0; ok && i < 10; ++i) {
      ok = former->Put(synced, handles[2], "key" + std::to_string(i), "value").ok();
    }
    _exit(ok ? 0 : 1);
  }
};

TEST_F(RocksDamageTest, ADamagedJournalIsRefusedAndCanBeAccepted) {
  damage_journal_at("key5");
  expect_refused_for_damage();
  options.accept_log_damage = true;
  open();
  EXPECT_NE(database->warning().find("the journal is damaged: frame"), std::string::npos);
  EXPECT_EQ(read(Family::users, "key4"), "value");
  EXPECT_EQ(read(Family::users, "key5"), "no");
  EXPECT_EQ(read(Family::users, "key9"), "no");
  EXPECT_FALSE(std::filesystem::is_empty(options.directory + "/damaged-journal"));
  // As after a kill: what was accepted is settled by the opening itself.
  const std::string again = root_directory + "/again";
  std::filesystem::copy(options.directory, again, std::filesystem::copy_options::recursive);
  database.reset();
  options.directory = again;
  options.accept_log_damage = false;
  open();
  EXPECT_EQ(database->warning(), "");
  EXPECT_EQ(read(Family::users, "key4"), "value");
  put(Family::users, "later", "value");
  open();
  EXPECT_EQ(read(Family::users, "later"), "value");
}

TEST_F(RocksDamageTest, AStartThatFailsLeavesNoCheckpointBehind) {
  damage_journal_at("key5");
  options.accept_log_damage = true;
  std::ofstream(options.directory + "/damaged-journal") << "in the way";
  EXPECT_FALSE(RocksDatabase::open(options, clock)) << "the files could not be kept";
  options.accept_log_damage = false;
  const auto refused = RocksDatabase::open(options, clock);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("frame"), std::string::npos);
  std::filesystem::remove(options.directory + "/damaged-journal");
  options.accept_log_damage = true;
  open();
  EXPECT_EQ(read(Family::users, "key4"), "value");
}

TEST_F(RocksDamageTest, AFirstStartThatFailsCanBeRepeated) {
  std::atomic<bool> fail = true;
  options.journal_writes_fail = &fail;
  EXPECT_FALSE(RocksDatabase::open(options, clock));
  fail = false;
  open();
  put(Family::users, "key", "value");
  open();
  EXPECT_EQ(read(Family::users, "key"), "value");
}

TEST_F(RocksDamageTest, AJournalThatIsGoneCanBeAccepted) {
  open();
  put(Family::users, "key", "value");
  database.reset();
  std::filesystem::remove_all(options.directory + "/journal");
  EXPECT_FALSE(RocksDatabase::open(options, clock));
  options.accept_log_damage = true;
  open();
  EXPECT_NE(database->warning(), "");
  options.accept_log_damage = false;
  for (int round = 0; round < 2; ++round) {
    open();
    EXPECT_EQ(database->warning(), "");
    EXPECT_EQ(read(Family::users, "key"), "value");
  }
}

TEST_F(RocksDamageTest, AStoreWithoutItsJournalIsRefused) {
  open();
  put(Family::users, "key", "value");
  database.reset();
  std::filesystem::rename(options.directory + "/journal", root_directory + "/aside");
  const auto refused = RocksDatabase::open(options, clock);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::corrupt);
  EXPECT_NE(refused.error().message.find(options.directory + "/journal"), std::string::npos);
  std::filesystem::remove_all(options.directory + "/journal");
  std::filesystem::rename(root_directory + "/aside", options.directory + "/journal");
  open();
  EXPECT_EQ(read(Family::users, "key"), "value");
}

// Version 1 had RocksDB's own log, which may still hold what was written last, and no personal
// tokens.
TEST_F(RocksDamageTest, AStoreOfTheFormerVersionIsTakenOver) {
  make_former_store();
  for (int round = 0; round < 2; ++round) {
    open();
    EXPECT_EQ(read(Family::users, "key0"), "value");
    EXPECT_EQ(read(Family::users, "key9"), "value");
    EXPECT_EQ(read(Family::meta, kMetaFormat), encode_format(kFormatVersion));
  }
}

TEST_F(RocksDamageTest, ADamagedLogOfTheFormerVersionIsRefusedAndCanBeAccepted) {
  make_former_store();
  ASSERT_TRUE(change(former_log(), "key5"));
  expect_refused_for_damage();
  options.accept_log_damage = true;
  open();
  EXPECT_EQ(read(Family::users, "key4"), "value");
  EXPECT_EQ(read(Family::users, "key5"), "no");
}

TEST_F(RocksDamageTest, AStoreOfALaterVersionIsRefusedAndLeftAsItIs) {
  open();
  put(Family::meta, kMetaFormat, encode_format(kFormatVersion + 1));
  database.reset();
  for (int round = 0; round < 2; ++round) {
    const auto refused = RocksDatabase::open(options, clock);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::refused);
  }
}

}  // namespace
}  // namespace tokend::store
