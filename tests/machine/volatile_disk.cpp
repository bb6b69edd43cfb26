#include "tests/machine/volatile_disk.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <span>

#include "core/error.h"
#include "tests/support/child_process.h"

namespace tokend::tests {
namespace {

constexpr const char* kDevice = "/dev/nbd0";
constexpr const char* kDeviceSectors = "/sys/block/nbd0/size";
constexpr std::chrono::seconds kConnectTimeout{10};
constexpr std::chrono::seconds kUnmountTimeout{10};
constexpr std::chrono::milliseconds kGoing{20};
constexpr unsigned kTornOneIn = 4;
constexpr std::uint32_t kCommandMask = 0xffff;  // of a request's type; the rest are flags
constexpr std::uint32_t kForceUnitAccess = 1U << 16;
constexpr std::uint32_t kInputOutputError = 5;  // the protocol's number for EIO

// As they come and go, integers in network order.
struct [[gnu::packed]] Request {
  std::uint32_t magic;
  std::uint32_t type;
  char handle[8];
  std::uint64_t from;
  std::uint32_t length;
};
struct [[gnu::packed]] Reply {
  std::uint32_t magic;
  std::uint32_t error;
  char handle[8];
};
static_assert(sizeof(Request) == 28 && sizeof(Reply) == 16);

bool receive_all(int socket, std::span<char> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = recv(socket, bytes.data(), bytes.size(), 0);
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

bool send_all(int socket, std::span<const char> bytes, int flags) {
  while (!bytes.empty()) {
    const ssize_t count = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | flags);
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

bool send_reply(int socket, const char* handle, std::uint32_t error, int flags = 0) {
  Reply reply{.magic = htobe32(NBD_REPLY_MAGIC), .error = htobe32(error), .handle = {}};
  std::memcpy(reply.handle, handle, sizeof(reply.handle));
  return send_all(socket, {reinterpret_cast<const char*>(&reply), sizeof(reply)}, flags);
}

char* chars(const core::Mapping& mapping) { return reinterpret_cast<char*>(mapping.data()); }

void wait_for_sectors(std::size_t sectors) {
  const auto end = std::chrono::steady_clock::now() + kConnectTimeout;
  for (std::size_t found = 0; found != sectors;) {
    CHECK(std::chrono::steady_clock::now() < end);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::ifstream(kDeviceSectors) >> found;
  }
}

}  // namespace

VolatileDisk::VolatileDisk(std::size_t bytes, WriteCache cache)
    : bytes_(bytes),
      cache_(cache),
      flushed_(bytes),
      written_(bytes) {
  CHECK(bytes % kSectorBytes == 0);
  connect();
}

VolatileDisk::~VolatileDisk() {
  if (power_ == Power::cut) fail_requests();
  disconnect();
}

std::string VolatileDisk::device() const { return kDevice; }

void VolatileDisk::connect() {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  kernel_end_ = core::Descriptor(ends[0]);
  our_end_ = core::Descriptor(ends[1]);
  device_ = core::Descriptor(open(kDevice, O_RDWR | O_CLOEXEC));
  CHECK(device_.valid());
  unsigned long flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH;
  if (cache_ == WriteCache::flush_and_fua) flags |= NBD_FLAG_SEND_FUA;
  const int device = device_.get();
  CHECK(ioctl(device, NBD_SET_BLKSIZE, kSectorBytes) == 0);
  CHECK(ioctl(device, NBD_SET_SIZE_BLOCKS, bytes_ / kSectorBytes) == 0);
  CHECK(ioctl(device, NBD_SET_FLAGS, flags) == 0);
  CHECK(ioctl(device, NBD_SET_SOCK, kernel_end_.get()) == 0);
  server_ = std::thread([this] { serve(); });
  ioctl_thread_ = std::thread([device] { static_cast<void>(ioctl(device, NBD_DO_IT)); });
  wait_for_sectors(bytes_ / kSectorBytes);
}

void VolatileDisk::disconnect() {
  static_cast<void>(ioctl(device_.get(), NBD_DISCONNECT));
  server_.join();
  our_end_.close();
  ioctl_thread_.join();
  static_cast<void>(ioctl(device_.get(), NBD_CLEAR_SOCK));
  device_.close();
  kernel_end_.close();
}

void VolatileDisk::serve() {
  std::vector<char> data;
  while (serve_one(data)) {
  }
}

bool VolatileDisk::serve_one(std::vector<char>& data) {
  const int socket = our_end_.get();
  Request request;
  if (!receive_all(socket, {reinterpret_cast<char*>(&request), sizeof(request)})) return false;
  CHECK(be32toh(request.magic) == NBD_REQUEST_MAGIC);
  const std::uint32_t type = be32toh(request.type);
  const std::uint32_t command = type & kCommandMask;
  const std::size_t at = be64toh(request.from);
  const std::size_t length = be32toh(request.length);
  if (command == NBD_CMD_DISC) return false;
  const bool writes = command == NBD_CMD_WRITE;
  if (writes) {
    data.resize(length);
    if (!receive_all(socket, data)) return false;
  }
  CHECK(at + length <= bytes_);

  const std::lock_guard lock(mutex_);
  const bool forces = writes && (type & kForceUnitAccess) != 0;
  const bool flushes = command == NBD_CMD_FLUSH && !std::ranges::all_of(unflushed_, &Write::forced);
  if (power_ == Power::awaits_forcing && (forces || flushes)) {
    power_ = Power::going;
    changed_.notify_all();
  }
  if (power_ == Power::going || power_ == Power::cut) {
    if (writes && power_ == Power::going) unflushed_.push_back({at, data, false});
    unanswered_.push_back(std::to_array(request.handle));
    return true;
  }
  if (power_ == Power::failing) return send_reply(socket, request.handle, kInputOutputError);
  switch (command) {
    case NBD_CMD_READ:
      return send_reply(socket, request.handle, 0, MSG_MORE) &&
             send_all(socket, {chars(written_) + at, length}, 0);
    case NBD_CMD_WRITE:
      std::memcpy(chars(written_) + at, data.data(), length);
      unflushed_.push_back({at, data, forces && !ignores_flushes_});
      return send_reply(socket, request.handle, 0);
    case NBD_CMD_FLUSH:
      if (!ignores_flushes_) {
        for (const Write& write : unflushed_) persist(write);
        unflushed_.clear();
      }
      return send_reply(socket, request.handle, 0);
    default: return send_reply(socket, request.handle, kInputOutputError);
  }
}

void VolatileDisk::persist(const Write& write) {
  std::memcpy(chars(flushed_) + write.at, write.bytes.data(), write.bytes.size());
}

void VolatileDisk::draw(const Write& write, double kept, std::mt19937_64& random, Loss& loss) {
  if (write.forced) return persist(write);
  std::bernoulli_distribution keeps(kept);
  const bool torn = random() % kTornOneIn == 0;
  const bool whole = keeps(random);
  for (std::size_t from = 0; from < write.bytes.size(); from += kSectorBytes) {
    if (!(torn ? keeps(random) : whole)) {
      ++loss.lost;
      continue;
    }
    ++loss.kept;
    std::memcpy(chars(flushed_) + write.at + from, write.bytes.data() + from, kSectorBytes);
  }
}

VolatileDisk::Loss VolatileDisk::cut_power(double kept, std::mt19937_64& random,
                                           Milliseconds patience) {
  std::unique_lock lock(mutex_);
  power_ = Power::awaits_forcing;
  changed_.wait_for(lock, patience, [this] { return power_ == Power::going; });
  power_ = Power::going;
  lock.unlock();
  // What is under way beside it arrives.
  std::this_thread::sleep_for(kGoing);
  lock.lock();
  power_ = Power::cut;
  Loss loss;
  for (const Write& write : unflushed_) draw(write, kept, random, loss);
  unflushed_.clear();
  return loss;
}

void VolatileDisk::fail_requests() {
  const std::lock_guard lock(mutex_);
  CHECK(power_ == Power::cut);
  power_ = Power::failing;
  for (const auto& handle : unanswered_) {
    static_cast<void>(send_reply(our_end_.get(), handle.data(), kInputOutputError));
  }
  unanswered_.clear();
}

void VolatileDisk::power_on() {
  CHECK(power_ == Power::failing);
  disconnect();
  std::memcpy(chars(written_), chars(flushed_), bytes_);
  power_ = Power::on;
  connect();
}

void VolatileDisk::ignore_flushes(bool ignores) {
  const std::lock_guard lock(mutex_);
  ignores_flushes_ = ignores;
}

MountedDisk::MountedDisk(VolatileDisk& disk) : disk_(disk) {
  const Outcome made = run_to_end(
      {.program = "/sbin/mkfs.ext4",
       .arguments = {"-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk.device()},
       .environment = {},
       .stderr_path = {}});
  CHECK(made.status == 0);
  CHECK(mount() == 0);
}

MountedDisk::~MountedDisk() {
  if (mounted_) static_cast<void>(unmount());
}

int MountedDisk::mount() {
  if (::mount(disk_.device().c_str(), directory_.path().c_str(), "ext4", 0, nullptr) != 0) {
    return errno;
  }
  mounted_ = true;
  return 0;
}

int MountedDisk::unmount() {
  // The kernel closes what a process had open a little after its end.
  const auto end = std::chrono::steady_clock::now() + kUnmountTimeout;
  while (umount(directory_.path().c_str()) != 0) {
    if (errno != EBUSY || std::chrono::steady_clock::now() > end) return errno;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  mounted_ = false;
  return 0;
}

}  // namespace tokend::tests
