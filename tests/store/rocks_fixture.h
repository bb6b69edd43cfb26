#pragma once
// A database in a directory of its own, opened again and again.

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "store/rocks.h"
#include "store/token.h"
#include "tests/store/store_fixture.h"

namespace tokend::store {

class RocksTest : public testing::Test {
 protected:
  RocksTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tokend-rocks-XXXXXX").string();
    root_directory = mkdtemp(pattern.data());
    options.directory = root_directory + "/data";
    options.block_cache_bytes = 1U << 20;
    options.journal_file_bytes = 1U << 20;
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

}  // namespace tokend::store
