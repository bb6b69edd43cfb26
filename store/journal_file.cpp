#include "store/journal_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "store/journal_frame.h"

namespace tokend::store {

using core::Descriptor;
using core::Errc;
using core::fail;
using core::Result;

namespace {

constexpr std::size_t kFillBytes = 1U << 20;  // zeros of one write
// A quiet filling rests so many times as long as its last write took, within kQuietFillRestMin and
// kQuietFillRestMax.
constexpr int kRestTimesWrite = 3;
constexpr std::string_view kUnfinished = ".new";

// Not every file system knows O_DIRECT.
Descriptor open_file(const std::string& path, int flags) noexcept {
  Descriptor file(::open(path.c_str(), flags | O_DIRECT | O_CLOEXEC, 0600));
  if (!file.valid() && errno == EINVAL) {
    file = Descriptor(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  }
  return file;
}

bool sync_directory(const std::string& path) noexcept {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.valid() && fsync(directory.get()) == 0;
}

// errno says why not.
bool fill(int descriptor, std::size_t bytes, const std::function<bool()>& is_urgent) {
  using Clock = std::chrono::steady_clock;
  const AlignedBuffer zeros(std::min(kFillBytes, bytes));
  bool quiet = static_cast<bool>(is_urgent);
  for (std::size_t at = 0; at < bytes;) {
    quiet = quiet && !is_urgent();
    const std::size_t wanted = std::min(quiet ? kQuietFillBytes : zeros.size(), bytes - at);
    const Clock::time_point began = Clock::now();
    const ssize_t written = pwrite(descriptor, zeros.data(), wanted, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += static_cast<std::size_t>(written);
    if (!quiet || at == bytes) continue;
    std::this_thread::sleep_for(std::clamp<Clock::duration>(
        kRestTimesWrite * (Clock::now() - began), kQuietFillRestMin, kQuietFillRestMax));
  }
  return fsync(descriptor) == 0;
}

}  // namespace

AlignedBuffer::AlignedBuffer(std::size_t bytes)
    : bytes_(static_cast<char*>(std::aligned_alloc(kJournalBlockBytes, journal_blocks(bytes)))),
      size_(journal_blocks(bytes)) {
  CHECK(bytes_);
  std::memset(bytes_.get(), 0, size_);
}

Result<std::size_t> JournalFile::read_at(char* out, std::size_t wanted, std::size_t offset) const {
  std::size_t done = 0;
  while (done < wanted) {
    const ssize_t count =
        pread(descriptor.get(), out + done, wanted - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Errc::io, core::with_errno("cannot read " + path, errno));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Result<std::vector<std::unique_ptr<JournalFile>>> open_journal_files(const std::string& directory,
                                                                     std::uint64_t& next_number) {
  std::error_code error;
  const bool made = std::filesystem::create_directory(directory, error);
  if (error) {
    return fail(Errc::io, "cannot make the directory " + directory + ": " + error.message());
  }
  const std::string parent = std::filesystem::path(directory).parent_path();
  if (made && !sync_directory(parent))
    return fail(Errc::io, core::with_errno("cannot sync " + parent, errno));
  std::vector<std::string> names;
  next_number = 1;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == kUnfinished) {
      std::filesystem::remove(entry->path(), error);
      if (error) break;
      continue;
    }
    const std::string name = entry->path().filename().string();
    if (name.empty() || !std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) {
      continue;
    }
    names.push_back(name);
    next_number =
        std::max<std::uint64_t>(next_number, std::strtoull(name.c_str(), nullptr, 10) + 1);
  }
  if (error) return fail(Errc::io, "cannot list " + directory + ": " + error.message());
  std::ranges::sort(names);
  std::vector<std::unique_ptr<JournalFile>> files;
  for (const std::string& name : names) {
    auto file = std::make_unique<JournalFile>();
    file->path = directory + "/" + name;
    file->descriptor = open_file(file->path, O_RDWR | O_DSYNC);
    struct stat status{};
    // Synced, because where O_DIRECT is not known a killed process leaves frames in memory only,
    // and what is replayed here is taken for durable.
    if (!file->descriptor.valid() || fdatasync(file->descriptor.get()) != 0 ||
        fstat(file->descriptor.get(), &status) != 0) {
      return fail(Errc::io, core::with_errno("cannot open " + file->path, errno));
    }
    file->bytes =
        static_cast<std::size_t>(status.st_size) / kJournalBlockBytes * kJournalBlockBytes;
    files.push_back(std::move(file));
  }
  return files;
}

Result<std::unique_ptr<JournalFile>> make_journal_file(const std::string& directory,
                                                       std::uint64_t number, std::size_t bytes,
                                                       const std::function<bool()>& is_urgent) {
  std::string name = std::to_string(number);
  name.insert(0, 10 - std::min<std::size_t>(name.size(), 10), '0');
  auto file = std::make_unique<JournalFile>();
  file->path = directory + "/" + name;
  file->bytes = bytes;
  const std::string unfinished = file->path + std::string(kUnfinished);
  const auto cannot_make = [&] {
    const int error = errno;
    unlink(unfinished.c_str());
    return fail(Errc::io, core::with_errno("cannot make " + file->path, error));
  };
  {
    const Descriptor filled = open_file(unfinished, O_RDWR | O_CREAT | O_TRUNC);
    if (!filled.valid() || !fill(filled.get(), bytes, is_urgent)) return cannot_make();
  }
  if (rename(unfinished.c_str(), file->path.c_str()) != 0) return cannot_make();
  if (!sync_directory(directory)) return cannot_make();
  file->descriptor = open_file(file->path, O_RDWR | O_DSYNC);
  if (!file->descriptor.valid()) return cannot_make();
  return file;
}

}  // namespace tokend::store
