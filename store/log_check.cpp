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
};

// The first bytes of a batch.
struct BatchHeader {
  std::uint64_t sequence = 0;  // of its first change
  std::uint32_t changes = 0;
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

bool is_zero(std::string_view bytes) noexcept {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

// One pass over all logs, the oldest first. It goes on behind the place where recovery stops, to
// see what lies there.
class LogReader {
 public:
  // False: the file can't be read.
  [[nodiscard]] bool read(const std::string& path) {
    path_ = path;
    offset_ = 0;
    std::ifstream file(path, std::ios::binary);
    std::array<char, kBlockBytes> block{};
    while (file) {
      file.read(block.data(), block.size());
      const auto bytes = static_cast<std::size_t>(file.gcount());
      read_block({block.data(), bytes});
      offset_ += bytes;
    }
    if (in_record_) give_up(record_at_);
    zeros_at_.reset();
    return file.eof();
  }
  void report(LogReport& report) const {
    report.cut_file = cut_file_;
    report.cut_at = cut_at_;
    report.batches_behind = batches_behind_;
  }

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
      stop_reading(rest, offset_ + at);
      // A length can't be trusted here, so every place may be the next record's.
      do {
        ++at;
      } while (block.size() - at >= kHeaderBytes && !read_record(block.substr(at)));
    }
    // Less than a header fits behind the last record of a block, and is zero. The end of the file
    // may lie within a header.
    const std::string_view rest = block.substr(at);
    if (!is_zero(rest)) stop_reading(rest, offset_ + at);
  }
  // No record begins here. Zeros are the end of a log, unless something follows.
  void stop_reading(std::string_view rest, std::uint64_t at) {
    if (in_record_ || !is_zero(rest)) {
      give_up(in_record_ ? record_at_ : zeros_at_.value_or(at));
    } else if (!zeros_at_) {
      zeros_at_ = at;
    }
  }
  void take(const Record& record, std::uint64_t at) {
    if (zeros_at_) give_up(*zeros_at_);
    if (in_record_ == record.begins()) give_up(in_record_ ? record_at_ : at);
    if (record.begins()) {
      record_at_ = at;
      header_.clear();
    } else if (!in_record_) {
      return;
    }
    in_record_ = !record.ends();
    if (header_.size() == kBatchHeaderBytes) return;
    header_ += record.payload.substr(0, kBatchHeaderBytes - header_.size());
    if (header_.size() == kBatchHeaderBytes) take(header());
  }
  void take(const BatchHeader& batch) {
    // RocksDB begins some logs with a batch without changes.
    if (batch.changes == 0) return;
    if (is_cut()) {
      // A piece of the record that was cut may hold what looks like a record; it is no later batch.
      // Where not even one batch is readable before it, a start too many is refused rather than one
      // too few.
      if (!next_sequence_ || batch.sequence > *next_sequence_) ++batches_behind_;
      return;
    }
    if (next_sequence_ && batch.sequence != *next_sequence_) {
      give_up(record_at_);
      ++batches_behind_;
      return;
    }
    next_sequence_ = batch.sequence + batch.changes;
  }
  [[nodiscard]] BatchHeader header() const noexcept {
    BatchHeader batch;
    std::memcpy(&batch.sequence, header_.data(), sizeof(batch.sequence));
    std::memcpy(&batch.changes, header_.data() + kBatchCountAt, sizeof(batch.changes));
    return batch;
  }
  [[nodiscard]] bool is_cut() const noexcept { return !cut_file_.empty(); }
  // Nothing from here on would be recovered, in this log and the later ones.
  void give_up(std::uint64_t at) {
    in_record_ = false;
    zeros_at_.reset();
    if (is_cut()) return;
    cut_file_ = path_;
    cut_at_ = at;
  }

  std::string path_;
  std::uint64_t offset_ = 0;  // of the block
  // Of the record whose pieces are being read.
  bool in_record_ = false;
  std::uint64_t record_at_ = 0;
  std::string header_;
  std::optional<std::uint64_t> zeros_at_;  // of this log
  std::optional<std::uint64_t> next_sequence_;
  std::string cut_file_;
  std::uint64_t cut_at_ = 0;
  std::size_t batches_behind_ = 0;
};

}  // namespace

Result<LogReport> check_logs(const std::string& directory) {
  auto logs = listed_logs(directory);
  if (!logs) return std::unexpected(std::move(logs).error());
  LogReader reader;
  for (const std::string& log : logs->present) {
    if (!reader.read(log)) return fail(Errc::io, "cannot read the write-ahead log " + log);
  }
  LogReport report;
  reader.report(report);
  report.missing = std::move(logs->missing);
  return report;
}

Result<void> cut_logs(const std::string& directory, const LogReport& report) {
  if (!report.cut_file.empty()) {
    const auto logs = listed_logs(directory);
    if (!logs) return std::unexpected(logs.error());
    std::error_code error;
    // From the last one on: what is left after a crash meanwhile is still a beginning.
    for (auto log = logs->present.rbegin(); log != logs->present.rend() && *log != report.cut_file;
         ++log) {
      std::filesystem::remove(*log, error);
      if (error) return fail(Errc::io, "cannot remove " + *log + ": " + error.message());
    }
    const int file = ::open(report.cut_file.c_str(), O_WRONLY | O_CLOEXEC);
    const bool done =
        file >= 0 && ftruncate(file, static_cast<off_t>(report.cut_at)) == 0 && fsync(file) == 0;
    const int code = errno;
    if (file >= 0) ::close(file);
    if (!done) return fail(Errc::io, "cannot cut " + report.cut_file + ": " + std::strerror(code));
  }
  // Only now: until then a crash leaves something to refuse.
  return report.is_damage() ? list_present_logs(directory) : Result<void>{};
}

std::string describe(const LogReport& report) {
  std::string text;
  for (const std::string& name : report.missing) {
    text += (text.empty() ? "the write-ahead log " : ", ") + name;
  }
  if (!text.empty()) text += report.missing.size() == 1 ? " is missing" : " are missing";
  if (report.batches_behind > 0) {
    if (!text.empty()) text += "; ";
    text += "the write-ahead log " + report.cut_file + " is damaged at byte " +
            std::to_string(report.cut_at) + ": behind that place lie " +
            std::to_string(report.batches_behind) + " intact batches";
  }
  return text;
}

}  // namespace tokend::store
