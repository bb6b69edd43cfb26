#pragma once
// The files of a journal: numbered, of zeros when they are made, read and written past the page
// cache. Any thread, one at a time a file; everything blocks for the disk.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/descriptor.h"
#include "core/error.h"

namespace tokend::store {

// Memory as O_DIRECT wants it; zeros.
class AlignedBuffer {
 public:
  AlignedBuffer() noexcept = default;
  explicit AlignedBuffer(std::size_t bytes);
  [[nodiscard]] char* data() const noexcept { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  struct Free {
    void operator()(char* bytes) const noexcept { std::free(bytes); }
  };
  std::unique_ptr<char, Free> bytes_;
  std::size_t size_ = 0;
};

struct JournalFile {
  std::string path;
  core::Descriptor descriptor;
  std::size_t bytes = 0;            // a multiple of kJournalBlockBytes
  std::uint64_t last_sequence = 0;  // 0: nothing in it is needed

  // As many bytes as there are; Errc::io.
  [[nodiscard]] core::Result<std::size_t> read_at(char* out, std::size_t wanted,
                                                  std::size_t offset) const;
};

// In the order of their numbers; the directory is made if need be. `next_number`: of a new one.
[[nodiscard]] core::Result<std::vector<std::unique_ptr<JournalFile>>> open_journal_files(
    const std::string& directory, std::uint64_t& next_number);

// A file that is filled beside synced writes is filled in pieces of this many bytes, with a rest
// behind each: a sync waits for all that its disk was given before, and many disks do one thing at
// a time.
inline constexpr std::size_t kQuietFillBytes = 64U << 10;
inline constexpr std::chrono::microseconds kQuietFillRestMin{250};
inline constexpr std::chrono::microseconds kQuietFillRestMax{5000};

// Durably there, `bytes` of zeros long. Filled at once; with `is_urgent` quietly, until that says
// yes, which it is asked before each piece.
[[nodiscard]] core::Result<std::unique_ptr<JournalFile>> make_journal_file(
    const std::string& directory, std::uint64_t number, std::size_t bytes,
    const std::function<bool()>& is_urgent = {});

}  // namespace tokend::store
