// What a synced write costs on a disk: the floor of every durable answer that waits for one.
//
// usage: syncs DIRECTORY [SECONDS]
// Writes 4 KiB and calls fdatasync, again and again: behind the end of a file that grows, and into
// a file that was filled before. Prints the percentiles of write and sync together, in
// microseconds, as JSON; then what the journal does: writes with O_DIRECT | O_DSYNC into a filled
// file, several at once, each by a thread of its own. With SECONDS it writes like that for so long
// instead, one after the other, and prints what requests would wait for (bench/syncs/waits.h).
// Errors go to standard error, with exit code 1; 64 for a wrong usage.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "bench/syncs/waits.h"

namespace {

constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kWrites = 2000;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 64;
constexpr double kSecondsMax = 3600;

// Not in the order of the file's blocks alone: a journal starts over too.
constexpr std::size_t kFilledBlocks = 512;

bool fill(int file, const std::vector<char>& block) {
  for (std::size_t i = 0; i < kFilledBlocks; ++i) {
    if (write(file, block.data(), block.size()) != static_cast<ssize_t>(block.size())) return false;
  }
  return fsync(file) == 0;
}

// Microseconds of each write; fewer than kWrites when one failed.
std::vector<double> measure(int file, const std::vector<char>& block, std::size_t blocks) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> took;
  for (std::size_t i = 0; i < kWrites; ++i) {
    const auto begin = Clock::now();
    const auto at = static_cast<off_t>(i % blocks * block.size());
    if (pwrite(file, block.data(), block.size(), at) != static_cast<ssize_t>(block.size()) ||
        fdatasync(file) != 0) {
      break;
    }
    took.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  return took;
}

// What is written at once, and by how many; tokend's journal has four writes under way.
struct Shape {
  std::size_t bytes;
  std::size_t depth;
};
constexpr std::array kShapes{Shape{4096, 1},      Shape{4096, 4},      Shape{4096, 16},
                             Shape{64 * 1024, 1}, Shape{64 * 1024, 4}, Shape{64 * 1024, 16}};
constexpr std::size_t kAreaBytes = 2U << 20;  // of each thread; all of them are filled
constexpr std::size_t kDepthMax = 16;
constexpr std::chrono::milliseconds kShapeTime{500};

// Microseconds of each write, in no order; nothing when one failed.
std::vector<double> measure_direct(int file, const Shape& shape) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::vector<double>> took(shape.depth);
  std::atomic<bool> failed = false;
  const auto end = Clock::now() + kShapeTime;
  const auto write_on = [&](std::size_t writer) {
    void* block = std::aligned_alloc(kBlockBytes, shape.bytes);
    if (!block) failed = true;
    if (block) std::memset(block, 'y', shape.bytes);
    for (std::size_t i = 0; !failed && Clock::now() < end; ++i) {
      const auto begin = Clock::now();
      const std::size_t at = writer * kAreaBytes + i * shape.bytes % kAreaBytes;
      if (pwrite(file, block, shape.bytes, static_cast<off_t>(at)) !=
          static_cast<ssize_t>(shape.bytes)) {
        failed = true;
      }
      took[writer].push_back(
          std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
    std::free(block);
  };
  std::vector<std::thread> writers;
  for (std::size_t i = 0; i < shape.depth; ++i) writers.emplace_back(write_on, i);
  for (std::thread& writer : writers) writer.join();
  std::vector<double> all;
  for (const auto& its : took) all.insert(all.end(), its.begin(), its.end());
  if (failed) all.clear();
  return all;
}

double percentile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void print(const char* name, std::vector<double> took) {
  std::ranges::sort(took);
  std::printf("\"%s_us\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, percentile(took, 0.5),
              percentile(took, 0.99), took.back());
}

// One file, opened twice. It has no name any more.
struct File {
  int buffered;
  int direct;  // with O_DIRECT | O_DSYNC
};

// A descriptor that is less than 0 could not be opened.
File open_file(const std::string& path) {
  File file{};
  file.buffered = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file.buffered < 0) return {-1, -1};
  file.direct = open(path.c_str(), O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
  unlink(path.c_str());
  return file;
}

int run(const std::string& path) {
  const auto [file, direct] = open_file(path);
  if (direct < 0) return kExitFailed;
  const std::vector<char> block(kBlockBytes, 'x');
  const std::vector<double> appended = measure(file, block, kWrites);
  if (appended.size() < kWrites || ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0 ||
      !fill(file, block)) {
    return kExitFailed;
  }
  const std::vector<double> rewritten = measure(file, block, kFilledBlocks);
  if (rewritten.size() < kWrites) return kExitFailed;
  if (ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0) return kExitFailed;
  for (std::size_t i = 0; i < kDepthMax * kAreaBytes / (kFilledBlocks * kBlockBytes); ++i) {
    if (!fill(file, block)) return kExitFailed;
  }
  std::array<std::vector<double>, kShapes.size()> direct_took;
  for (std::size_t i = 0; i < kShapes.size(); ++i) {
    direct_took[i] = measure_direct(direct, kShapes[i]);
    if (direct_took[i].empty()) return kExitFailed;
  }
  close(direct);
  close(file);
  std::printf("{");
  print("append", appended);
  std::printf(",");
  print("rewrite", rewritten);
  for (std::size_t i = 0; i < kShapes.size(); ++i) {
    std::printf(",\"direct_%zu_by_%zu\":{\"per_second\":%.0f,", kShapes[i].bytes, kShapes[i].depth,
                static_cast<double>(direct_took[i].size()) /
                    std::chrono::duration<double>(kShapeTime).count());
    print("took", direct_took[i]);
    std::printf("}");
  }
  std::printf("}\n");
  return 0;
}

int run_for(const std::string& path, double seconds) {
  using Clock = std::chrono::steady_clock;
  using Microseconds = std::chrono::duration<double, std::micro>;
  constexpr double kRequestEveryUs = 10;
  constexpr std::size_t kWritesMin = 3;
  const auto [file, direct] = open_file(path);
  if (direct < 0 || !fill(file, std::vector<char>(kBlockBytes, 'x'))) return kExitFailed;
  void* const block = std::aligned_alloc(kBlockBytes, kBlockBytes);
  if (!block) return kExitFailed;
  std::memset(block, 'y', kBlockBytes);
  std::vector<double> ends_us;
  const auto begin = Clock::now();
  bool written = true;
  bool was_last = false;
  // One more when the time is over: who comes during a write waits for the next one.
  for (std::size_t i = 0; written && !was_last; ++i) {
    was_last = i >= kWritesMin && ends_us.back() >= seconds * 1e6;
    const auto at = static_cast<off_t>(i % kFilledBlocks * kBlockBytes);
    written = pwrite(direct, block, kBlockBytes, at) == static_cast<ssize_t>(kBlockBytes);
    ends_us.push_back(Microseconds(Clock::now() - begin).count());
  }
  std::free(block);
  close(direct);
  close(file);
  const std::vector<double> waits = tokend::syncs::waits_us(ends_us, kRequestEveryUs);
  if (!written || waits.empty()) return kExitFailed;
  std::printf("{\"waits_us\":{\"p50\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,\"max\":%.1f}}\n",
              percentile(waits, 0.5), percentile(waits, 0.99), percentile(waits, 0.999),
              waits.back());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  char* end = nullptr;
  const double seconds = argc == 3 ? std::strtod(argv[2], &end) : 0;
  if ((argc != 2 && argc != 3) ||
      (argc == 3 && (*end != '\0' || !(seconds > 0 && seconds <= kSecondsMax)))) {
    std::fprintf(stderr, "usage: %s DIRECTORY [SECONDS]\n", argv[0]);
    return kExitUsage;
  }
  const std::string path = std::string(argv[1]) + "/tokend-syncs." + std::to_string(getpid());
  const int code = argc == 3 ? run_for(path, seconds) : run(path);
  if (code != 0) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(),
                 errno != 0 ? std::strerror(errno) : "less was written than asked for");
  }
  return code;
}
