#pragma once
// Which write-ahead logs there have to be: a small file beside them, `LOGS`, one name a line. A
// database whose log was lost would otherwise start as if nothing had been in it.
//
// Order: a log exists before it is listed, and it is listed before its first record is written; it
// is taken off the list before it is deleted. So after a crash at any moment a listed log that is
// not there was lost, and one that is there and not listed holds nothing that is needed.
//
// Concurrency: LogList: any thread; RocksDB makes logs on the committer's and deletes them on its
// own. The rest: before the database is open.

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"

namespace tokend::store {

inline constexpr const char* kLogListName = "LOGS";

struct ListedLogs {
  std::vector<std::string> present;  // paths, in order of their numbers
  std::vector<std::string> missing;  // names
};

// The logs of a database's directory that are needed: those on the list, or where no list is kept
// yet all that are there. Errc::io: they can't be read.
[[nodiscard]] core::Result<ListedLogs> listed_logs(const std::string& directory);

// The list becomes what is there. Durable when it returns, as are all changes of the directory
// before it.
[[nodiscard]] core::Result<void> list_present_logs(const std::string& directory);

// Of names or paths in one directory: their numbers have leading zeros up to six digits.
struct LogOrder {
  [[nodiscard]] bool operator()(const std::string& left, const std::string& right) const noexcept {
    return left.size() != right.size() ? left.size() < right.size() : left < right;
  }
};

class LogList {
 public:
  // Durable when they return. remove() takes all older logs off as well: RocksDB deletes what is
  // older than the oldest one that it needs, in any order.
  [[nodiscard]] core::Result<void> add(const std::string& path);
  [[nodiscard]] core::Result<void> remove(const std::string& path);

 private:
  core::Result<void> adopt(const std::string& directory);

  std::mutex mutex_;
  std::set<std::string, LogOrder> names_;
  bool adopted_ = false;  // what was needed at the first change is part of the list
};

}  // namespace tokend::store
