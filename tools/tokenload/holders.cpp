#include "tools/tokenload/holders.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace tokend::load {

using core::Errc;
using core::fail;
using core::Result;

Result<std::vector<Credentials>> read_holders(const std::string& file) {
  std::ifstream in(file);
  if (!in) return fail(Errc::not_found, file + ": can't be read");
  std::vector<Credentials> holders;
  std::string line;
  while (std::getline(in, line)) {
    const std::size_t space = line.find(' ');
    // The line itself is not shown: a token may be in it.
    if (space == 0 || space == std::string::npos || !is_token(line.substr(space + 1))) {
      return fail(Errc::invalid,
                  file + ':' + std::to_string(holders.size() + 1) + ": expected `USERID TOKEN`");
    }
    if (holders.size() == kHoldersMax) {
      return fail(Errc::full, file + ": more than " + std::to_string(kHoldersMax) + " tokens");
    }
    holders.push_back({.user_id = line.substr(0, space), .token = line.substr(space + 1)});
  }
  if (holders.empty()) return fail(Errc::invalid, file + ": no tokens in it");
  return holders;
}

TokensFile::~TokensFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<void> TokensFile::create(const std::string& file) {
  CHECK(descriptor_ < 0);
  name_ = file;
  descriptor_ = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor_ < 0) return fail(Errc::io, file + ": " + std::strerror(errno));
  return {};
}

Result<void> TokensFile::write(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t written = ::write(descriptor_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail(Errc::io, name_ + ": " + std::strerror(errno));
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace tokend::load
