#include "store/log_list.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

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

}  // namespace

Result<std::vector<std::string>> missing_logs(const std::string& directory) {
  std::vector<std::string> missing;
  const std::filesystem::path list = std::filesystem::path(directory) / kLogListName;
  std::error_code error;
  if (!std::filesystem::exists(list, error)) return missing;
  std::ifstream lines(list);
  std::string name;
  while (std::getline(lines, name)) {
    if (!std::filesystem::exists(std::filesystem::path(directory) / name, error)) {
      missing.push_back(name);
    }
  }
  if (lines.bad() || !lines.eof()) return fail(Errc::io, "cannot read " + list.string());
  return missing;
}

Result<void> LogList::add(const std::string& path) {
  const std::filesystem::path log(path);
  const std::lock_guard lock(mutex_);
  const std::string directory = log.parent_path().string();
  if (auto adopted = adopt(directory); !adopted) return adopted;
  names_.insert(log.filename().string());
  return save(directory);
}

Result<void> LogList::remove(const std::string& path) {
  const std::filesystem::path log(path);
  const std::lock_guard lock(mutex_);
  const std::string directory = log.parent_path().string();
  if (auto adopted = adopt(directory); !adopted) return adopted;
  if (names_.erase(log.filename().string()) == 0) return {};
  return save(directory);
}

Result<void> LogList::adopt(const std::string& directory) {
  if (adopted_) return {};
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".log") names_.insert(entry.path().filename().string());
  }
  if (error) return fail(Errc::io, "cannot read " + directory + ": " + error.message());
  adopted_ = true;
  return {};
}

Result<void> LogList::save(const std::string& directory) {
  std::string text;
  for (const std::string& name : names_) text += name + "\n";
  const std::string path = directory + "/" + kLogListName;
  const std::string fresh = path + ".new";
  if (auto written = write_file(fresh, text); !written) return written;
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return failed("cannot rename " + fresh);
  return sync_directory(directory);
}

}  // namespace tokend::store
