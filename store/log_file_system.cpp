#include "store/log_file_system.h"

#include <fcntl.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/log_list.h"

namespace tokend::store {
namespace {

using rocksdb::DataVerificationInfo;
using rocksdb::FileOptions;
using rocksdb::FileSystem;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr const char* kLogSuffix = ".log";

// How far ahead a log is filled, in one step. The sync that follows the step writes these zeros too
// and takes a millisecond longer; a step serves about 8,000 tokens.
constexpr std::size_t kAheadBytes = std::size_t{1} << 20;

class FilledLog final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FilledLog(std::unique_ptr<FSWritableFile>&& file, int descriptor)
      : FSWritableFileOwnerWrapper(std::move(file)),
        descriptor_(descriptor) {}
  ~FilledLog() override { close_descriptor(); }

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    fill_ahead_of(data.size());
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const DataVerificationInfo& info,
                  IODebugContext* debug) override {
    fill_ahead_of(data.size());
    return FSWritableFileOwnerWrapper::Append(data, options, info, debug);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    used_ = filled_ = size;
    return FSWritableFileOwnerWrapper::Truncate(size, options, debug);
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    // Only space is lost if this fails.
    if (descriptor_ >= 0 && filled_ > used_) {
      static_cast<void>(!ftruncate(descriptor_, static_cast<off_t>(used_)));
    }
    close_descriptor();
    return FSWritableFileOwnerWrapper::Close(options, debug);
  }

 private:
  // A disk that takes no zeros may still take the record, and if not, the append says so.
  void fill_ahead_of(std::size_t bytes) noexcept {
    used_ += bytes;
    while (descriptor_ >= 0 && used_ > filled_) {
      const ssize_t written =
          pwrite(descriptor_, zeros().data(), kAheadBytes, static_cast<off_t>(filled_));
      if (written != static_cast<ssize_t>(kAheadBytes)) return close_descriptor();
      filled_ += kAheadBytes;
    }
  }
  void close_descriptor() noexcept {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }
  static const std::vector<char>& zeros() {
    static const std::vector<char> bytes(kAheadBytes);
    return bytes;
  }

  int descriptor_;  // of the same file; -1: filled no further
  std::uint64_t used_ = 0;
  std::uint64_t filled_ = 0;
};

class LogFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit LogFileSystem(const std::shared_ptr<FileSystem>& base) : FileSystemWrapper(base) {}
  const char* Name() const override { return "TokendLogFileSystem"; }

  IOStatus NewWritableFile(const std::string& name, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) override {
    IOStatus status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
    if (status.ok() && name.ends_with(kLogSuffix)) {
      if (const auto listed = list_.add(name); !listed) {
        return IOStatus::IOError(listed.error().message);
      }
      const int descriptor = ::open(name.c_str(), O_WRONLY | O_CLOEXEC);
      *file = std::make_unique<FilledLog>(std::move(*file), descriptor);
    }
    return status;
  }
  IOStatus DeleteFile(const std::string& name, const IOOptions& options,
                      IODebugContext* debug) override {
    if (name.ends_with(kLogSuffix)) {
      if (const auto listed = list_.remove(name); !listed) {
        return IOStatus::IOError(listed.error().message);
      }
    }
    return FileSystemWrapper::DeleteFile(name, options, debug);
  }

 private:
  LogList list_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> make_log_file_system(
    const std::shared_ptr<rocksdb::FileSystem>& base) {
  return std::make_shared<LogFileSystem>(base);
}

}  // namespace tokend::store
