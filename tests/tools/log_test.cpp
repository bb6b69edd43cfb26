#include "tools/tokend/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

namespace tokend::tools {
namespace {

using core::Severity;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FixedClock final : public core::Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return 0; }
  std::int64_t wall_ms() const noexcept override { return 1'700'000'000'123; }
};

class LogTest : public ::testing::Test {
 protected:
  LogOptions options(Severity least, bool json) {
    return {.least = least, .json = json, .sink = [this](std::string_view line) {
              lines_.emplace_back(line);
            }};
  }

  const FixedClock clock_;
  std::vector<std::string> lines_;  // the log thread's until it was stopped
};

TEST_F(LogTest, LinesAreWrittenInOrderWithTimeAndSeverity) {
  LogThread thread(options(Severity::info, false), clock_);
  CoreLog& log = thread.add_core();
  thread.start();
  log.write(Severity::debug, "below the level");
  log.write(Severity::info, "one");
  log.write(Severity::error, "two");
  thread.stop();
  EXPECT_THAT(lines_, ElementsAre("2023-11-14T22:13:20.123Z info one",
                                  "2023-11-14T22:13:20.123Z error two"));
}

TEST_F(LogTest, NoTextCanForgeALine) {
  LogThread thread(options(Severity::info, false), clock_);
  CoreLog& log = thread.add_core();
  thread.start();
  log.write(Severity::info, "a\nb\x1b[0m%n{}");
  thread.stop();
  EXPECT_THAT(lines_, ElementsAre("2023-11-14T22:13:20.123Z info a\\x0ab\\x1b[0m%n{}"));
}

TEST_F(LogTest, JsonLinesAreEscaped) {
  LogThread thread(options(Severity::info, true), clock_);
  CoreLog& log = thread.add_core();
  thread.start();
  log.write(Severity::warning, "say \"hi\" \\ \n");
  thread.stop();
  EXPECT_THAT(lines_, ElementsAre(R"({"time":"2023-11-14T22:13:20.123Z","level":"warning",)"
                                  R"("message":"say \"hi\" \\ \u000a"})"));
}

TEST_F(LogTest, ALongLineIsCut) {
  LogThread thread(options(Severity::info, false), clock_);
  CoreLog& log = thread.add_core();
  thread.start();
  log.write(Severity::info, std::string(CoreLog::kLineBytes + 1, 'x'));
  thread.stop();
  ASSERT_EQ(lines_.size(), 1U);
  EXPECT_EQ(std::ranges::count(lines_[0], 'x'), static_cast<std::ptrdiff_t>(CoreLog::kLineBytes));
}

TEST_F(LogTest, WhatFindsNoRecordIsDroppedAndTheDropsAreTold) {
  LogThread thread(options(Severity::info, false), clock_);
  CoreLog& log = thread.add_core();
  // Nothing is written before the start, so exactly the pool fits.
  for (std::size_t line = 0; line < CoreLog::kRecords + 7; ++line) {
    log.write(Severity::info, std::to_string(line));
  }
  thread.start();
  thread.stop();
  ASSERT_EQ(lines_.size(), CoreLog::kRecords + 1);
  EXPECT_THAT(lines_[CoreLog::kRecords - 1], HasSubstr("info 255"));
  EXPECT_THAT(lines_.back(), HasSubstr("warning 7 lines of the log were dropped"));
}

TEST_F(LogTest, ManyCoresLoseNothingSilently) {
  constexpr int kCores = 3;
  constexpr std::uint64_t kLines = 5'000;
  LogThread thread(options(Severity::info, false), clock_);
  std::vector<CoreLog*> logs;
  for (int core = 0; core < kCores; ++core) logs.push_back(&thread.add_core());
  thread.start();
  std::vector<std::thread> writers;
  for (CoreLog* log : logs) {
    writers.emplace_back([log] {
      for (std::uint64_t line = 0; line < kLines; ++line) log->write(Severity::info, "line");
    });
  }
  for (std::thread& writer : writers) writer.join();
  thread.stop();
  std::uint64_t written = 0;
  std::uint64_t dropped = 0;
  for (const std::string& line : lines_) {
    const std::size_t at = line.find(" warning ");
    if (at == std::string::npos) {
      ++written;
    } else {
      dropped += std::stoull(line.substr(at + 9));
    }
  }
  EXPECT_EQ(written + dropped, kCores * kLines);
}

}  // namespace
}  // namespace tokend::tools
