#include "store/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace tokend::store {

using core::Descriptor;
using core::Errc;
using core::fail;
using core::Result;

Result<Descriptor> lock_directory(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(Errc::io, core::with_errno("cannot make the data directory " + directory, errno));
  }
  const std::string path = directory + "/LOCK";
  Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) {
    return fail(Errc::io,
                core::with_errno("cannot write to the data directory " + directory, errno));
  }
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    const bool taken = errno == EWOULDBLOCK;
    std::string message =
        taken ? "the data directory " + directory + " is in use by another process"
              : core::with_errno("cannot lock the data directory " + directory, errno);
    return fail(taken ? Errc::unavailable : Errc::io, std::move(message));
  }
  return lock;
}

Result<void> check_space(const std::string& directory, std::uintmax_t spare_bytes,
                         std::uintmax_t journal_file_bytes) {
  std::error_code error;
  std::uintmax_t wanted = spare_bytes;
  const auto add_files = [&](const std::string& folder, std::string_view extension) {
    std::filesystem::directory_iterator entry(folder, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      if (entry->path().extension() != extension) continue;
      std::error_code unknown;
      const std::uintmax_t bytes = entry->file_size(unknown);
      if (!unknown) wanted += bytes;
    }
  };
  add_files(directory + "/db", ".log");
  if (std::filesystem::exists(directory + "/journal", error)) {
    add_files(directory + "/journal", "");
  } else {
    wanted += journal_file_bytes;
  }
  const std::filesystem::space_info space = std::filesystem::space(directory, error);
  if (error || space.available >= wanted) return {};
  return fail(Errc::io, "the disk of the data directory " + directory + " is full: " +
                            std::to_string(space.available >> 10) + " KiB are free, " +
                            std::to_string(wanted >> 10) + " KiB are needed to start");
}

Result<void> keep_copies(const std::string& directory, const std::string& folder,
                         const std::string& kept) {
  const std::filesystem::path target = std::filesystem::path(directory) / kept;
  std::error_code error;
  std::filesystem::create_directory(target, error);
  std::filesystem::directory_iterator files;
  if (!error) files = std::filesystem::directory_iterator(directory + "/" + folder, error);
  while (!error && files != std::filesystem::directory_iterator()) {
    std::filesystem::copy_file(files->path(), target / files->path().filename(),
                               std::filesystem::copy_options::overwrite_existing, error);
    if (!error) files.increment(error);
  }
  std::string message = error.message();
  if (!error) {
    const Descriptor written(::open(target.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (written.valid() && syncfs(written.get()) == 0) return {};
    message = std::strerror(errno);
  }
  return fail(Errc::io,
              "cannot keep the files of " + folder + " in " + target.string() + ": " + message);
}

}  // namespace tokend::store
