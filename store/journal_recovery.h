#pragma once
// What a journal's files hold, read at the start: which frames there are, where a crash tore them,
// and whether something is missing that somebody was told of. The argument is in store/journal.h.
// Any thread; blocks for the disk.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "store/journal_file.h"

namespace tokend::store {

class JournalRecovery {
 public:
  using Replay =
      std::function<core::Result<void>(std::uint64_t sequence, std::string_view payload)>;

  // Behind the newest frame.
  struct End {
    std::size_t file = 0;
    std::size_t offset = 0;
    std::uint64_t sequence = 0;
  };

  // Errc::io: a file can't be read. Not copied: `files` must outlive this.
  [[nodiscard]] core::Result<void> scan(const std::vector<std::unique_ptr<JournalFile>>& files,
                                        std::uint64_t journal);

  // Hands what lies behind the checkpoint to `visit`, in order, up to the first frame that is
  // missing or damaged. Returns the damage; empty where that was the tear of a crash. An error is
  // the visitor's, or Errc::io.
  [[nodiscard]] core::Result<std::string> replay(std::uint64_t checkpoint, const Replay& visit);

  [[nodiscard]] bool empty() const noexcept { return frames_.empty(); }
  // Not empty.
  [[nodiscard]] End end() const noexcept;

 private:
  struct Place {
    std::size_t file;
    std::size_t offset;
    std::size_t payload_bytes;
  };

  [[nodiscard]] core::Result<void> scan_file(std::size_t number);
  [[nodiscard]] std::string place_behind(std::uint64_t sequence) const;

  const std::vector<std::unique_ptr<JournalFile>>* files_ = nullptr;
  std::map<std::uint64_t, Place> frames_;
  std::uint64_t journal_ = 0;
  std::uint64_t told_durable_ = 0;
};

}  // namespace tokend::store
