#include "store/log_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "store/crc32c.h"
#include "store/log_list.h"

namespace tokend::store {
namespace {

using core::Errc;
using core::fail;
using core::Result;

constexpr std::size_t kBlockBytes = 32768;
constexpr std::size_t kHeaderBytes = 7;  // masked checksum, length, type
constexpr std::size_t kLengthAt = 4;
constexpr std::size_t kTypeAt = 6;
constexpr std::size_t kBatchHeaderBytes = 12;  // sequence number, number of changes
constexpr std::size_t kBatchCountAt = 8;

enum class Piece : std::uint8_t { full = 1, first = 2, middle = 3, last = 4 };

struct Record {
  Piece piece;
  std::string_view payload;
  [[nodiscard]] std::size_t bytes() const noexcept { return kHeaderBytes + payload.size(); }
  [[nodiscard]] bool begins() const noexcept {
    return piece == Piece::full || piece == Piece::first;
  }
  [[nodiscard]] bool ends() const noexcept { return piece == Piece::full || piece == Piece::last; }
  // RocksDB begins a log with a batch without changes. A piece too short for its header is what
  // fits at the end of a block.
  [[nodiscard]] bool begins_changes() const noexcept {
    if (!begins()) return false;
    if (payload.size() < kBatchHeaderBytes) return true;
    std::uint32_t count = 0;
    std::memcpy(&count, payload.data() + kBatchCountAt, sizeof(count));
    return count > 0;
  }
};

// RocksDB stores checksums so, because a checksum of bytes that hold checksums is a poor one.
std::uint32_t masked(std::uint32_t crc) noexcept {
  return ((crc >> 15U) | (crc << 17U)) + 0xa282ead8U;
}

// The record at the beginning of `bytes`, if one lies there intact.
std::optional<Record> read_record(std::string_view bytes) noexcept {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const auto type = static_cast<unsigned char>(bytes[kTypeAt]);
  if (type < 1 || type > 4) return std::nullopt;
  std::uint32_t crc = 0;
  std::uint16_t length = 0;
  std::memcpy(&crc, bytes.data(), sizeof(crc));
  std::memcpy(&length, bytes.data() + kLengthAt, sizeof(length));
  if (bytes.size() - kHeaderBytes < length) return std::nullopt;
  if (masked(crc32c(bytes.substr(kTypeAt, 1 + std::size_t{length}))) != crc) return std::nullopt;
  return Record{static_cast<Piece>(type), bytes.substr(kHeaderBytes, length)};
}

// One pass over one log.
class LogReader {
 public:
  // False: the file can't be read.
  [[nodiscard]] bool read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::array<char, kBlockBytes> block{};
    while (file) {
      file.read(block.data(), block.size());
      const auto bytes = static_cast<std::size_t>(file.gcount());
      read_block({block.data(), bytes});
      offset_ += bytes;
    }
    if (in_record_) stop_at(record_at_);
    return file.eof();
  }

  [[nodiscard]] std::size_t batches() const noexcept { return batches_; }
  [[nodiscard]] std::size_t batches_behind() const noexcept { return batches_behind_; }
  [[nodiscard]] std::uint64_t stopped_at() const noexcept { return stopped_at_.value_or(offset_); }
  // It ends with a whole record, or with zeros behind one: the file is filled with them ahead.
  [[nodiscard]] bool is_whole() const noexcept { return !cut_; }

 private:
  void read_block(std::string_view block) {
    std::size_t at = 0;
    while (block.size() - at >= kHeaderBytes) {
      const std::string_view rest = block.substr(at);
      if (const auto record = read_record(rest)) {
        take(*record, offset_ + at);
        at += record->bytes();
        continue;
      }
      stop_at(in_record_ ? record_at_ : offset_ + at);
      cut_ = cut_ || in_record_ || rest.find_first_not_of('\0') != std::string_view::npos;
      in_record_ = false;
      // A length can't be trusted here, so every place may be the next record's.
      do {
        ++at;
      } while (block.size() - at >= kHeaderBytes && !read_record(block.substr(at)));
    }
    // Less than a header fits behind the last record of a block, and is zero. The end of the file
    // may lie within a header.
    if (block.substr(at).find_first_not_of('\0') != std::string_view::npos) {
      stop_at(in_record_ ? record_at_ : offset_ + at);
      cut_ = true;
    }
  }
  void take(const Record& record, std::uint64_t at) {
    const bool expected = in_record_ ? !record.begins() : record.begins();
    if (!stopped_at_ && !expected) {
      stop_at(in_record_ ? record_at_ : at);
      cut_ = true;
    }
    if (stopped_at_) {
      cut_ = true;
      if (record.begins_changes()) ++batches_behind_;
      return;
    }
    if (record.begins()) {
      record_at_ = at;
      if (record.begins_changes()) ++batches_;
    }
    in_record_ = !record.ends();
  }
  void stop_at(std::uint64_t offset) {
    if (!stopped_at_) {
      stopped_at_ = offset;
      cut_ = in_record_;
    }
  }

  std::uint64_t offset_ = 0;     // of the block
  std::uint64_t record_at_ = 0;  // of the record whose pieces are being read
  bool in_record_ = false;
  std::optional<std::uint64_t> stopped_at_;
  bool cut_ = false;  // where it stopped there was something
  std::size_t batches_ = 0;
  std::size_t batches_behind_ = 0;
};

Result<std::vector<std::string>> logs_of(const std::string& directory) {
  std::vector<std::string> logs;
  std::error_code error;
  if (!std::filesystem::exists(directory, error)) return logs;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".log") logs.push_back(entry.path().string());
  }
  if (error) return fail(Errc::io, "cannot read " + directory + ": " + error.message());
  // Their numbers have leading zeros.
  std::ranges::sort(logs);
  return logs;
}

}  // namespace

Result<LogReport> check_logs(const std::string& directory) {
  LogReport report;
  auto missing = missing_logs(directory);
  if (!missing) return std::unexpected(std::move(missing).error());
  report.missing = *std::move(missing);
  const auto logs = logs_of(directory);
  if (!logs) return std::unexpected(logs.error());
  for (const std::string& log : *logs) {
    LogReader reader;
    if (!reader.read(log)) return fail(Errc::io, "cannot read the write-ahead log " + log);
    if (!report.cut_file.empty()) {
      report.batches_behind += reader.batches() + reader.batches_behind();
    } else if (!reader.is_whole()) {
      report.cut_file = log;
      report.cut_at = reader.stopped_at();
      report.batches_behind = reader.batches_behind();
    }
  }
  return report;
}

Result<void> cut_logs(const std::string& directory, const LogReport& report) {
  if (report.cut_file.empty()) return {};
  const auto logs = logs_of(directory);
  if (!logs) return std::unexpected(logs.error());
  std::error_code error;
  // From the last one on: what is left after a crash meanwhile is still a beginning.
  for (auto log = logs->rbegin(); log != logs->rend() && *log > report.cut_file; ++log) {
    std::filesystem::remove(*log, error);
    if (error) return fail(Errc::io, "cannot remove " + *log + ": " + error.message());
  }
  const int file = ::open(report.cut_file.c_str(), O_WRONLY | O_CLOEXEC);
  const bool done =
      file >= 0 && ftruncate(file, static_cast<off_t>(report.cut_at)) == 0 && fsync(file) == 0;
  const int failed = errno;
  if (file >= 0) ::close(file);
  if (!done) return fail(Errc::io, "cannot cut " + report.cut_file + ": " + std::strerror(failed));
  return {};
}

std::string describe(const LogReport& report) {
  if (!report.missing.empty()) {
    return "the write-ahead log " + report.missing.front() + " is missing";
  }
  return "the write-ahead log " + report.cut_file + " is damaged at byte " +
         std::to_string(report.cut_at) + ": behind it lie " +
         std::to_string(report.batches_behind) + " intact batches, whose writes were acknowledged";
}

}  // namespace tokend::store
