#include "store/log_list.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

namespace tokend::store {
namespace {

using core::Errc;
using core::fail;
using core::Result;

std::unexpected<core::Error> failed(const std::string& what) {
  const int error = errno;
  return fail(Errc::io, what + ": " + std::strerror(error));
}

Result<void> sync_directory(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failed("cannot open " + directory);
  const bool synced = fsync(descriptor) == 0;
  const auto result = synced ? Result<void>{} : failed("cannot sync " + directory);
  ::close(descriptor);
  return result;
}

Result<void> write_file(const std::string& path, const std::string& text) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return failed("cannot make " + path);
  errno = 0;
  const bool written =
      ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      fsync(descriptor) == 0;
  if (!written && errno == 0) errno = ENOSPC;  // a short write
  const auto result = written ? Result<void>{} : failed("cannot write " + path);
  ::close(descriptor);
  return result;
}

Result<std::vector<std::string>> names_on_disk(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  if (!std::filesystem::exists(directory, error)) return names;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".log") names.push_back(entry.path().filename().string());
  }
  if (error) return fail(Errc::io, "cannot read " + directory + ": " + error.message());
  std::ranges::sort(names, LogOrder());
  return names;
}

template <class Names>
Result<void> save(const std::string& directory, const Names& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  const std::string path = directory + "/" + kLogListName;
  const std::string fresh = path + ".new";
  if (auto written = write_file(fresh, text); !written) return written;
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return failed("cannot rename " + fresh);
  return sync_directory(directory);
}

}  // namespace

Result<ListedLogs> listed_logs(const std::string& directory) {
  const auto on_disk = names_on_disk(directory);
  if (!on_disk) return std::unexpected(on_disk.error());
  const auto path_of = [&](const std::string& name) { return directory + "/" + name; };
  ListedLogs logs;
  std::error_code error;
  const std::string list = path_of(kLogListName);
  if (!std::filesystem::exists(list, error)) {
    for (const std::string& name : *on_disk) logs.present.push_back(path_of(name));
    return logs;
  }
  std::ifstream lines(list);
  for (std::string name; std::getline(lines, name);) {
    if (std::ranges::find(*on_disk, name) != on_disk->end()) {
      logs.present.push_back(path_of(name));
    } else {
      logs.missing.push_back(name);
    }
  }
  if (lines.bad() || !lines.eof()) return fail(Errc::io, "cannot read " + list);
  return logs;
}

Result<void> list_present_logs(const std::string& directory) {
  const auto names = names_on_disk(directory);
  if (!names) return std::unexpected(names.error());
  return save(directory, *names);
}

Result<void> LogList::add(const std::string& path) {
  const std::filesystem::path log(path);
  const std::lock_guard lock(mutex_);
  const std::string directory = log.parent_path().string();
  if (auto adopted = adopt(directory); !adopted) return adopted;
  names_.insert(log.filename().string());
  return save(directory, names_);
}

Result<void> LogList::remove(const std::string& path) {
  const std::filesystem::path log(path);
  const std::lock_guard lock(mutex_);
  const std::string directory = log.parent_path().string();
  if (auto adopted = adopt(directory); !adopted) return adopted;
  const auto end = names_.upper_bound(log.filename().string());
  if (end == names_.begin()) return {};
  names_.erase(names_.begin(), end);
  return save(directory, names_);
}

Result<void> LogList::adopt(const std::string& directory) {
  if (adopted_) return {};
  const auto logs = listed_logs(directory);
  if (!logs) return std::unexpected(logs.error());
  for (const std::string& path : logs->present) {
    names_.insert(std::filesystem::path(path).filename().string());
  }
  adopted_ = true;
  return {};
}

}  // namespace tokend::store
