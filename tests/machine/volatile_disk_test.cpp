// That the disk of the power-loss tests loses what it should, and nothing else.

#include "tests/machine/volatile_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/uio.h>
#include <unistd.h>

#include <memory>
#include <thread>

namespace tokend::tests {
namespace {

using WriteCache = VolatileDisk::WriteCache;

constexpr std::size_t kBytes = std::size_t{16} << 20;
constexpr std::size_t kBlock = 4096;

class VolatileDiskTest : public testing::TestWithParam<WriteCache> {
 protected:
  // Past the kernel's cache of the device.
  void write(std::size_t block, char letter, int flags = 0) {
    const core::Descriptor file(open(disk_.device().c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
    std::fill_n(buffer_.get(), kBlock, letter);
    iovec piece{buffer_.get(), kBlock};
    ASSERT_EQ(pwritev2(file.get(), &piece, 1, static_cast<off_t>(block * kBlock), flags),
              static_cast<ssize_t>(kBlock));
  }
  void flush() {
    const core::Descriptor file(open(disk_.device().c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(fsync(file.get()), 0);
  }
  // The letter of the block's sectors, and how many of them have it.
  std::pair<char, std::size_t> read(std::size_t block) {
    const core::Descriptor file(open(disk_.device().c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
    EXPECT_EQ(pread(file.get(), buffer_.get(), kBlock, static_cast<off_t>(block * kBlock)),
              static_cast<ssize_t>(kBlock));
    char letter = 0;
    std::size_t count = 0;
    for (std::size_t at = 0; at < kBlock; at += VolatileDisk::kSectorBytes) {
      if (buffer_[at] == 0) continue;
      letter = buffer_[at];
      ++count;
    }
    return {letter, count};
  }
  void lose_power(double keeps) {
    loss_ = disk_.cut_power(keeps, random_, Milliseconds(0));
    disk_.fail_requests();
    disk_.power_on();
  }

  static constexpr std::size_t kSectors = kBlock / VolatileDisk::kSectorBytes;
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<char[], Free> buffer_{static_cast<char*>(std::aligned_alloc(kBlock, kBlock))};
  std::mt19937_64 random_{1};
  VolatileDisk disk_{kBytes, GetParam()};
  VolatileDisk::Loss loss_;
};

TEST_P(VolatileDiskTest, WhatWasFlushedIsKeptAndTheRestIsLost) {
  write(1, 'a');
  write(2, 'b');
  flush();
  write(2, 'c');
  write(3, 'd');
  EXPECT_EQ(read(2), std::pair('c', kSectors));
  lose_power(0);
  EXPECT_EQ(loss_.lost, 2 * kSectors);
  EXPECT_EQ(read(1), std::pair('a', kSectors));
  EXPECT_EQ(read(2), std::pair('b', kSectors));
  EXPECT_EQ(read(3).second, 0U);
}

TEST_P(VolatileDiskTest, AForcedWriteIsKept) {
  write(1, 'a');
  write(1, 'b', RWF_DSYNC);
  write(2, 'c');
  lose_power(1);
  EXPECT_EQ(read(1), std::pair('b', kSectors)) << "nothing older comes to light again";
  EXPECT_EQ(read(2), std::pair('c', kSectors));
  write(2, 'd', RWF_DSYNC);
  lose_power(0);
  EXPECT_EQ(read(2), std::pair('d', kSectors));
}

TEST_P(VolatileDiskTest, ABlockMayBeTorn) {
  for (std::size_t block = 0; block < 100; ++block) write(block, 'a');
  lose_power(0.5);
  EXPECT_EQ(loss_.kept + loss_.lost, 100 * kSectors);
  std::size_t torn = 0;
  for (std::size_t block = 0; block < 100; ++block) {
    const std::size_t count = read(block).second;
    torn += count > 0 && count < kSectors;
  }
  EXPECT_GT(torn, 10U);
}

TEST_P(VolatileDiskTest, AFlushDoesNotComeThrough) {
  // How many blocks were flushed; the next one's flush fails.
  std::size_t flushed = 0;
  std::thread flusher([&] {
    const core::Descriptor file(open(disk_.device().c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
    std::fill_n(buffer_.get(), kBlock, 'a');
    while (pwrite(file.get(), buffer_.get(), kBlock, static_cast<off_t>(flushed * kBlock)) > 0 &&
           fsync(file.get()) == 0) {
      ++flushed;
    }
  });
  loss_ = disk_.cut_power(0, random_, Milliseconds(60'000));
  disk_.fail_requests();
  flusher.join();
  EXPECT_EQ(loss_.lost, kSectors);
  disk_.power_on();
  if (flushed > 0) {
    EXPECT_EQ(read(flushed - 1), std::pair('a', kSectors));
  }
  EXPECT_EQ(read(flushed).second, 0U);
}

TEST_P(VolatileDiskTest, AForcedWriteMayBeTorn) {
  if (GetParam() != WriteCache::flush_and_fua) GTEST_SKIP() << "there is no such write";
  for (std::size_t round = 0; round < 40; ++round) {
    std::thread writer([&] {
      const core::Descriptor file(open(disk_.device().c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
      std::fill_n(buffer_.get(), kBlock, 'a');
      iovec piece{buffer_.get(), kBlock};
      while (pwritev2(file.get(), &piece, 1, static_cast<off_t>(round * kBlock), RWF_DSYNC) > 0) {
        std::fill_n(buffer_.get(), kBlock, ++buffer_[0]);
      }
    });
    loss_ = disk_.cut_power(0.5, random_, Milliseconds(60'000));
    disk_.fail_requests();
    writer.join();
    disk_.power_on();
    if (loss_.kept > 0 && loss_.lost > 0) return;
  }
  FAIL() << "in 40 rounds none was torn";
}

TEST_P(VolatileDiskTest, WithoutPowerRequestsFail) {
  loss_ = disk_.cut_power(0, random_, Milliseconds(0));
  disk_.fail_requests();
  const core::Descriptor file(open(disk_.device().c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
  EXPECT_EQ(pread(file.get(), buffer_.get(), kBlock, 0), -1);
  EXPECT_EQ(errno, EIO);
}

INSTANTIATE_TEST_SUITE_P(WriteCaches, VolatileDiskTest,
                         testing::Values(WriteCache::flush_only, WriteCache::flush_and_fua),
                         [](const auto& parameter) {
                           return parameter.param == WriteCache::flush_only ? "FlushOnly"
                                                                            : "FlushAndFua";
                         });

}  // namespace
}  // namespace tokend::tests
