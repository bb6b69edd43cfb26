#pragma once
// Tells a write-ahead log that a crash cut short from one that was damaged. RocksDB recovers up to
// the first record that it can't read and drops the rest without a word; this looks at the rest
// first.
//
// The argument: a batch is one record, and the next one is written only after its sync. So whatever
// a crash or a power failure leaves behind the first unreadable place belongs to one record: pieces
// of it, but never the beginning of another. An intact beginning behind an unreadable place proves
// that something was lost which had been synced, and so perhaps acknowledged. So does a batch whose
// sequence number does not follow the one before it, in the same log or from one log to the next:
// RocksDB numbers all changes without a gap.
//
// What this can't notice: damage that reaches to the end of the newest log, be it one record or
// many, which looks like a crash; damage to the list of logs itself.
//
// Format: "Write Ahead Log File Format" of RocksDB's documentation; the log files of LevelDB.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"

namespace tokend::store {

struct LogReport {
  std::vector<std::string> missing;  // names of logs that have to be there
  std::string cut_file;              // the log in which reading stops; empty: all are whole
  std::uint64_t cut_at = 0;          // where, in bytes
  std::size_t batches_behind = 0;    // intact ones behind that place
  [[nodiscard]] bool is_damage() const noexcept { return !missing.empty() || batches_behind > 0; }
};

// Reads all needed logs of a database's directory that is not open; linear in their size. Errc::io:
// one can't be read.
[[nodiscard]] core::Result<LogReport> check_logs(const std::string& directory);

// Cuts the log off where reading stops, and deletes the ones behind it. Without this a cut log
// whose beginning held nothing stays beside its successor, and after another crash the changes in
// the successor would look like the proof of damage. Durable when it returns.
[[nodiscard]] core::Result<void> cut_logs(const std::string& directory, const LogReport& report);

// The damage, for the operator.
[[nodiscard]] std::string describe(const LogReport& report);

}  // namespace tokend::store
