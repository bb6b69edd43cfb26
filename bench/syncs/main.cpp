// What a synced write costs on a disk: the floor of every durable answer that waits for one.
//
// usage: syncs DIRECTORY
// Writes 4 KiB and calls fdatasync, again and again: behind the end of a file that grows, and into
// a file that was filled before. Prints the percentiles of write and sync together, in
// microseconds, as JSON. Errors go to standard error, with exit code 1; 64 for a wrong usage.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kBlockBytes = 4096;
constexpr std::size_t kWrites = 2000;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 64;

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

double percentile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void print(const char* name, std::vector<double> took) {
  std::ranges::sort(took);
  std::printf("\"%s_us\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, percentile(took, 0.5),
              percentile(took, 0.99), took.back());
}

int run(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return kExitFailed;
  unlink(path.c_str());
  const std::vector<char> block(kBlockBytes, 'x');
  const std::vector<double> appended = measure(file, block, kWrites);
  if (appended.size() < kWrites || ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0 ||
      !fill(file, block)) {
    return kExitFailed;
  }
  const std::vector<double> rewritten = measure(file, block, kFilledBlocks);
  if (rewritten.size() < kWrites) return kExitFailed;
  close(file);
  std::printf("{");
  print("append", appended);
  std::printf(",");
  print("rewrite", rewritten);
  std::printf("}\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
    return kExitUsage;
  }
  const std::string path = std::string(argv[1]) + "/tokend-syncs." + std::to_string(getpid());
  const int code = run(path);
  if (code != 0) std::fprintf(stderr, "%s: %s\n", path.c_str(), std::strerror(errno));
  return code;
}
