#include "tools/tokend/first_admin.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace tokend::tools {
namespace {

using core::Errc;
using core::fail;
using core::Result;

constexpr const char* kFileName = "initial-admin-password";

std::string make_password(store::RandomBytes& random) {
  // Two ids: 34 characters of an alphabet without look-alikes, about 196 bits.
  const store::UserId first = store::make_id(random);
  const store::UserId second = store::make_id(random);
  return std::string(first.view()) + std::string(second.view());
}

// Both the file and its name must outlive a power cut.
bool sync_folder_of(const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool synced = fsync(descriptor) == 0;
  close(descriptor);
  return synced;
}

Result<std::string> read_password(const std::string& path) {
  std::ifstream file(path);
  std::string password;
  if (!std::getline(file, password) || password.empty()) {
    return fail(Errc::io, path + " is there but holds no password: remove it");
  }
  return password;
}

}  // namespace

Result<void> write_private_file(const std::string& path, const std::string& content) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    const int error = errno;
    return fail(error == EEXIST ? Errc::exists : Errc::io, path + ": " + std::strerror(error));
  }
  const std::string line = content + "\n";
  const bool written =
      write(descriptor, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
      fsync(descriptor) == 0;
  const int error = errno;
  close(descriptor);
  if (!written || !sync_folder_of(path)) {
    unlink(path.c_str());
    return fail(Errc::io, path + ": " + std::strerror(error));
  }
  return {};
}

Result<AdminPlan> plan_first_admin(const Config& config, const store::Database& database,
                                   store::RandomBytes& random) {
  AdminPlan plan;
  plan.admin = {.username = config.admin_username,
                .password = config.admin_pass,
                .email = config.admin_email,
                .name = config.admin_name};
  const auto last_user = database.last_key(store::Family::users);
  if (!last_user) return std::unexpected(last_user.error());
  if (!last_user->empty() || !plan.admin.password.empty()) return plan;

  plan.password_file = config.data + "/" + kFileName;
  std::string password = make_password(random);
  const auto written = write_private_file(plan.password_file, password);
  if (!written && written.error().code == Errc::exists) {
    auto read = read_password(plan.password_file);
    if (!read) return std::unexpected(read.error());
    password = std::move(*read);
  } else if (!written) {
    return std::unexpected(written.error());
  }
  plan.admin.password = std::move(password);
  return plan;
}

}  // namespace tokend::tools
