#pragma once
// The directory of a store: whose it is, and whether its disk has room for a start.
// Any thread; both block for the file system.

#include <cstdint>
#include <string>

#include "core/descriptor.h"
#include "core/error.h"

namespace tokend::store {

// Made if need be, with mode 0700, and held for this process alone while the descriptor is open.
// Errc::unavailable: another process holds it; Errc::io: it can't be made or written.
[[nodiscard]] core::Result<core::Descriptor> lock_directory(const std::string& directory);

// Opening writes what the logs hold into tables, and a manifest. RocksDB 7 trips over itself when
// the disk is full meanwhile, so a disk that may become full is refused before: Errc::io. There
// have to be `spare_bytes` beside what the logs take, and where there is no journal yet room for
// its first file.
[[nodiscard]] core::Result<void> check_space(const std::string& directory,
                                             std::uintmax_t spare_bytes,
                                             std::uintmax_t journal_file_bytes);

// Copies the files of `folder` in the directory to `kept` in it, durably. Errc::io.
[[nodiscard]] core::Result<void> keep_copies(const std::string& directory,
                                             const std::string& folder, const std::string& kept);

}  // namespace tokend::store
