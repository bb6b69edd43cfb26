#pragma once
// A database that was killed, and ways to damage what it left.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "store/log_check.h"
#include "store/log_list.h"
#include "store/rocks.h"

namespace tokend::store {

namespace fs = std::filesystem;
inline constexpr int kBatches = 30;

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
    // Open, as SIGKILL would find it: a new database has nothing to do in the background yet.
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

}  // namespace tokend::store
