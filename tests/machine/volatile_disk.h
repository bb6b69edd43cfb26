#pragma once
// A block device whose power can be cut: what was written and not flushed is then lost, or any part
// of it, as it is with a real disk's volatile cache. A file system on it, the kernel's page cache
// and its block layer are the real ones.
//
// The device is one of Linux's network block devices (the nbd module; the protocol is that of the
// NBD project's doc/proto.md), which this process serves itself from its memory.
//
// Concurrency: one thread calls, and owns the disk; the device is used by any process.

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/descriptor.h"
#include "core/mapping.h"
#include "tests/support/child_process.h"

namespace tokend::tests {

class VolatileDisk {
 public:
  static constexpr std::size_t kSectorBytes = 512;

  // How what was written is made safe: by a flush only, or also by a single write that says so
  // (FUA, "force unit access").
  enum class WriteCache : std::uint8_t { flush_only, flush_and_fua };

  // `bytes`: a multiple of a sector. The device is there from now on, all zeros.
  VolatileDisk(std::size_t bytes, WriteCache cache);
  ~VolatileDisk();
  VolatileDisk(const VolatileDisk&) = delete;
  VolatileDisk& operator=(const VolatileDisk&) = delete;

  [[nodiscard]] std::string device() const;  // its path

  // In the middle of the next flush that has something to flush, or of a write that forces itself,
  // or if none comes within the patience, then: that, and what comes in the moment after it, is
  // answered no more. Of what was written and not flushed each write is kept as a whole with this
  // probability, one in four is torn and has each of its sectors kept with it; older ones first.
  // Nothing else is answered from then on.
  struct Loss {
    std::size_t kept = 0;  // sectors, as often as they were written
    std::size_t lost = 0;
  };
  Loss cut_power(double kept, std::mt19937_64& random, Milliseconds patience);
  // After cut_power(): what waits for an answer, and all that comes, fails. Only then can the
  // processes end that have used it.
  void fail_requests();
  // After that, and when nobody has the device open: a device with what was kept.
  void power_on();

  // A disk that lies: it says that it has flushed and has not.
  void ignore_flushes(bool ignores);

 private:
  struct Write {
    std::size_t at;
    std::vector<char> bytes;
    bool forced;
  };
  // going: nothing is answered any more, but what is written may still be kept.
  enum class Power : std::uint8_t { on, awaits_forcing, going, cut, failing };

  void connect();
  void disconnect();
  void serve();
  // False: the kernel has hung up.
  bool serve_one(std::vector<char>& data);
  void persist(const Write& write);
  void draw(const Write& write, double kept, std::mt19937_64& random, Loss& loss);

  const std::size_t bytes_;
  const WriteCache cache_;
  core::Descriptor device_;
  core::Descriptor kernel_end_;
  core::Descriptor our_end_;
  std::thread server_;
  std::thread ioctl_thread_;  // inside one as long as the device is there

  std::mutex mutex_;
  std::condition_variable changed_;
  Power power_ = Power::on;
  bool ignores_flushes_ = false;
  core::Mapping flushed_;         // what is safe
  core::Mapping written_;         // that, and what was written since
  std::vector<Write> unflushed_;  // in order; the forced ones, which are safe, in their place
  std::vector<std::array<char, 8>> unanswered_;  // handles of requests
};

// An ext4 file system on a VolatileDisk, mounted at a directory of its own.
class MountedDisk {
 public:
  // Makes the file system. Trips a CHECK where it can't.
  explicit MountedDisk(VolatileDisk& disk);
  ~MountedDisk();
  MountedDisk(const MountedDisk&) = delete;
  MountedDisk& operator=(const MountedDisk&) = delete;

  [[nodiscard]] const std::string& path() const { return directory_.path(); }
  // 0, or an errno.
  [[nodiscard]] int mount();
  [[nodiscard]] int unmount();

 private:
  VolatileDisk& disk_;
  TemporaryDirectory directory_;
  bool mounted_ = false;
};

}  // namespace tokend::tests
