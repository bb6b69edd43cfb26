// The disk loses power under load, many times over, and with it any part of what was written to it
// and not flushed: what was acknowledged holds all the same (ARCHITECTURE, invariant 1), and so
// does everything else that the crash tests ask. Unlike a kill this finds what was left to the
// kernel's memory or to the disk's. Runs as root in tests/machine/boot's machine.
//
// TOKEND_CRASH_CYCLES: how many times (5). TOKEND_CRASH_SEED: repeats a run's choices.

#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/crash/bulk_load.h"
#include "tests/crash/load.h"
#include "tests/machine/volatile_disk.h"

namespace tokend::tests {
namespace {

constexpr std::size_t kDiskBytes = std::size_t{640} << 20;
// The emulated processor is slow; there has to be something to lose.
constexpr std::uint64_t kBulkAnswersMin = 2;
constexpr Milliseconds kLoadTimeout{60'000};
constexpr int kLoadMsMax = 2'000;  // from then on
constexpr Milliseconds kPatience{500};

class PowerLoss : public testing::Test {
 protected:
  // The server's data is on the disk, and so small that it is written over soon.
  void begin(VolatileDisk::WriteCache cache) {
    disk_ = std::make_unique<VolatileDisk>(kDiskBytes, cache);
    mounted_ = std::make_unique<MountedDisk>(*disk_);
    server_ = std::make_unique<ServerProcess>(
        ServerSettings{.flags = {"--data", mounted_->path() + "/data", "--journal-bytes", "16MiB",
                                 "--write-buffer-bytes", "1MiB"}});
    ASSERT_TRUE(server_->start()) << server_->report();
    load_ = std::make_unique<CrashLoad>(*server_, random_);
    bulk_ = std::make_unique<BulkLoad>(*server_, load_->admin());
  }

  // Returns the answers that no living server may give.
  std::vector<std::string> run_until_power_is_cut(int cycle, double kept) {
    std::thread bulk;
    auto problems = load_->run(cycle, [&] {
      const auto end = std::chrono::steady_clock::now() + kLoadTimeout;
      const std::uint64_t before = bulk_->answers();
      bulk = std::thread([this] { bulk_->run(); });
      while (bulk_->answers() < before + kBulkAnswersMin &&
             std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(Milliseconds(10));
      }
      std::this_thread::sleep_for(Milliseconds(random_() % kLoadMsMax));
      loss_ = disk_->cut_power(kept, random_, kPatience);
      // A process that waits for the disk ends when the disk answers, and not before.
      server_->send_signal(SIGKILL);
      disk_->fail_requests();
      server_->kill();
    });
    bulk.join();
    problems.insert(problems.end(), bulk_->problems().begin(), bulk_->problems().end());
    return problems;
  }

  void power_on() {
    ASSERT_EQ(mounted_->unmount(), 0);
    disk_->power_on();
    ASSERT_EQ(mounted_->mount(), 0);
    ASSERT_TRUE(server_->start()) << server_->report();
  }

  void lose_power_under_load(int cycle) {
    // All of what was not flushed, none of it, or any part.
    constexpr std::array kKept = {0.0, 0.3, 0.5, 0.7, 0.9, 1.0};
    const double kept = kKept[random_() % kKept.size()];
    const auto problems = run_until_power_is_cut(cycle, kept);
    ASSERT_TRUE(problems.empty()) << joined(problems) << server_->report();
    unflushed_sectors_ += loss_.kept + loss_.lost;
    std::cout << "cycle " << cycle << ": of the sectors that were not flushed " << loss_.kept
              << " are kept and " << loss_.lost << " lost\n";
    ASSERT_NO_FATAL_FAILURE(power_on());
    check(cycle);
  }

  void check(int cycle) {
    const auto found = load_->contradictions(cycle);
    ASSERT_TRUE(found.empty()) << "cycle " << cycle << ", seed " << seed_ << ":\n"
                               << joined(found) << server_->report();
    ASSERT_EQ(bulk_->contradictions().lost, 0U) << "cycle " << cycle << ", seed " << seed_ << ":\n"
                                                << server_->report();
  }

  void lose_power_again_and_again(VolatileDisk::WriteCache cache) {
    ASSERT_NO_FATAL_FAILURE(begin(cache));
    const int cycles = crash_cycles(5);
    for (int cycle = 1; cycle <= cycles; ++cycle) {
      ASSERT_NO_FATAL_FAILURE(lose_power_under_load(cycle));
    }
    ASSERT_NO_FATAL_FAILURE(check(CrashLoad::kAll));
    // A load that issued nothing would prove nothing, nor would power that was cut while the disk
    // had nothing to lose.
    EXPECT_GT(load_->acknowledged(), static_cast<std::uint64_t>(cycles) * 20);
    EXPECT_GE(bulk_->answers(), static_cast<std::uint64_t>(cycles) * kBulkAnswersMin);
    EXPECT_GT(unflushed_sectors_, 0U);
    std::cout << load_->acknowledged() << " single tokens and " << bulk_->acknowledged()
              << " in bulk were acknowledged\n";
    EXPECT_EQ(server_->stop(), 0) << server_->report();
  }

  const std::uint64_t seed_ = crash_seed();
  std::mt19937_64 random_{seed_};
  std::unique_ptr<VolatileDisk> disk_;
  std::unique_ptr<MountedDisk> mounted_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<CrashLoad> load_;
  std::unique_ptr<BulkLoad> bulk_;
  VolatileDisk::Loss loss_;  // the last one's
  std::size_t unflushed_sectors_ = 0;
};

TEST_F(PowerLoss, WhatWasAcknowledgedHolds) {
  lose_power_again_and_again(VolatileDisk::WriteCache::flush_only);
}

TEST_F(PowerLoss, WhatWasAcknowledgedHoldsWhereTheDiskCanForceSingleWrites) {
  lose_power_again_and_again(VolatileDisk::WriteCache::flush_and_fua);
}

// A test that cannot fail would find nothing for ever: nobody can keep a promise on a disk that
// breaks its own.
TEST_F(PowerLoss, ADiskThatDoesNotFlushIsFound) {
  ASSERT_NO_FATAL_FAILURE(begin(VolatileDisk::WriteCache::flush_only));
  disk_->ignore_flushes(true);
  const auto problems = run_until_power_is_cut(1, 0.0);
  ASSERT_TRUE(problems.empty()) << joined(problems);
  EXPECT_GT(loss_.lost, 0U);
  ASSERT_NO_FATAL_FAILURE(power_on());
  EXPECT_FALSE(load_->contradictions(1).empty());
  EXPECT_GT(bulk_->contradictions().lost, 0U);
}

}  // namespace
}  // namespace tokend::tests
