// Stores that former versions of the program have left.

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "store/journal.h"
#include "store/meta.h"
#include "tests/store/rocks_tail_fixture.h"

namespace tokend::store {
namespace {

class RocksFormerTest : public RocksWithLittleRoom {};

// Their removals lay in levels that a store of this size does not use now.
TEST_F(RocksFormerTest, AStoreWithLevelsOfAFixedSizeLosesItsRemovals) {
  options.idempotency_rewrite_after_s = 1;  // the keeper looks every second
  open();
  constexpr std::uint64_t kTokens = 2000;
  const auto batch = database->make_batch();
  for (std::uint64_t number = 0; number < kTokens; ++number) {
    batch->put(Family::tokens, token_key(number), "value");
    if (number % 500 != 499) continue;
    ASSERT_TRUE(database->commit(*batch));
    batch->clear();
  }
  ASSERT_TRUE(database->compact());
  const std::uint64_t bytes_before = database->bytes_of(Family::tokens);
  database.reset();

  const std::string path = options.directory + "/db";
  std::vector<std::string> names;
  ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, path, &names).ok());
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* former = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open({}, path, families, &handles, &former).ok());
  rocksdb::ColumnFamilyHandle* const tokens =
      handles[static_cast<std::size_t>(std::ranges::find(names, "tokens") - names.begin())];
  for (std::uint64_t number = 1; number < kTokens; ++number) {
    ASSERT_TRUE(former->Delete({}, tokens, token_key(number)).ok());
  }
  ASSERT_TRUE(former->Flush({}, tokens).ok());
  rocksdb::ColumnFamilyMetaData flushed;
  former->GetColumnFamilyMetaData(tokens, &flushed);
  ASSERT_EQ(flushed.levels[0].files.size(), 1U);
  ASSERT_TRUE(former->CompactFiles({}, tokens, {flushed.levels[0].files[0].name}, 1).ok());
  former->GetColumnFamilyMetaData(tokens, &flushed);
  ASSERT_EQ(flushed.levels[1].files.size(), 1U);
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    ASSERT_TRUE(former->DestroyColumnFamilyHandle(handle).ok());
  }
  ASSERT_TRUE(former->Close().ok());
  delete former;

  open();
  const auto is_left = [&] { return database->bytes_of(Family::tokens) > bytes_before / 4; };
  EXPECT_TRUE(is_left());
  for (int tenths = 0; is_left() && tenths < 300; ++tenths) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_FALSE(is_left());
  EXPECT_EQ(read(Family::tokens, token_key(0)), "value");
  EXPECT_EQ(read(Family::tokens, token_key(1)), "no");
}

// Version 2: the journal held RocksDB's own batches, tokens among them.
TEST_F(RocksFormerTest, AJournalOfTheFormerVersionIsReplayed) {
  open();
  put(Family::tokens, token_key(1), "one");
  const auto mark = decode_journal_mark(read(Family::meta, kMetaJournal));
  ASSERT_TRUE(mark);
  put(Family::meta, kMetaFormat, encode_format(kFormatVersionWithoutTail));
  database.reset();
  {
    auto journal = Journal::open(
        {.directory = options.directory + "/journal", .file_bytes = options.journal_file_bytes},
        *mark, true, [](std::uint64_t, std::string_view) { return core::Result<void>(); });
    ASSERT_TRUE(journal) << journal.error().message;
    // As RocksDB writes it: eight bytes of sequence number, u32 count; 5 puts into, 4 deletes from
    // the family that follows, 1: tokens.
    for (const std::string& change : {std::string("\5\1\14", 3) + token_key(2) + "\3two",
                                      std::string("\5\1\14", 3) + token_key(3) + "\5three",
                                      std::string("\4\1\14", 3) + token_key(2)}) {
      ASSERT_TRUE((*journal)->append(std::string(8, '\0') + std::string("\1\0\0\0", 4) + change));
      for (;;) {
        const auto collected = (*journal)->collect();
        ASSERT_TRUE(collected);
        if (*collected) break;
        (*journal)->wait();
      }
    }
  }
  for (int round = 0; round < 2; ++round) {
    open();
    EXPECT_EQ(read(Family::tokens, token_key(1)), "one");
    EXPECT_EQ(read(Family::tokens, token_key(2)), "no");
    EXPECT_EQ(read(Family::tokens, token_key(3)), "three");
    EXPECT_EQ(read(Family::meta, kMetaFormat), encode_format(kFormatVersion));
  }
}

}  // namespace
}  // namespace tokend::store
