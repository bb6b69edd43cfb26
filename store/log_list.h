#pragma once
// Which write-ahead logs there have to be: a small file beside them, `LOGS`, one name a line. A
// database whose log was lost would otherwise start as if nothing had been in it.
//
// Order: a log exists before it is listed, and it is listed before its first record is written; it
// is taken off the list before it is deleted. So after a crash at any moment a listed log that is
// not there was lost.
//
// Concurrency: any thread; RocksDB makes logs on the committer's and deletes them on its own.

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"

namespace tokend::store {

inline constexpr const char* kLogListName = "LOGS";

// The listed logs of a database's directory that are not there; none where no list is kept yet.
// Errc::io: the list can't be read.
[[nodiscard]] core::Result<std::vector<std::string>> missing_logs(const std::string& directory);

class LogList {
 public:
  // `name` is a log's path. Durable when it returns.
  [[nodiscard]] core::Result<void> add(const std::string& path);
  [[nodiscard]] core::Result<void> remove(const std::string& path);

 private:
  core::Result<void> adopt(const std::string& directory);
  core::Result<void> save(const std::string& directory);

  std::mutex mutex_;
  std::set<std::string> names_;
  bool adopted_ = false;  // the logs that lay there at the first change are part of the list
};

}  // namespace tokend::store
