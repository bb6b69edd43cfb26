#include "tests/support/front_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <utility>

#include "core/error.h"
#include "tests/support/http_client.h"

namespace tokend::tests {
namespace {

constexpr Milliseconds kStartTimeout{20'000};
constexpr int kAttemptsMax = 5;

// A loopback port that was free a moment ago.
std::uint16_t free_port() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  CHECK(probe >= 0 && bind(probe, plain, size) == 0 && getsockname(probe, plain, &size) == 0);
  close(probe);
  return ntohs(address.sin_port);
}

}  // namespace

void replace_all(std::string& text, const std::string& word, const std::string& value) {
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += value.size()) {
    text.replace(at, word.size(), value);
  }
}

FrontProcess::FrontProcess(
    std::string program, std::string configuration,
    std::function<std::vector<std::string>(const std::string& folder)> arguments)
    : program_(std::move(program)),
      configuration_(std::move(configuration)),
      arguments_(std::move(arguments)) {}

bool FrontProcess::start() {
  const std::string folder = directory_.path();
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    port_ = free_port();
    std::string text = configuration_;
    replace_all(text, "FOLDER", folder);
    replace_all(text, "PORT", std::to_string(port_));
    std::ofstream(folder + "/front.conf") << text;
    child_ = std::make_unique<ChildProcess>(Launch{.program = program_,
                                                   .arguments = arguments_(folder),
                                                   .environment = {},
                                                   .stderr_path = folder + "/stderr"});
    if (serves()) return true;
  }
  return false;
}

// Waits until somebody answers at the port and it is the process that we started.
bool FrontProcess::serves() {
  const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
  while (std::chrono::steady_clock::now() < deadline) {
    const bool connected = HttpClient({.port = port_, .is_tokend = false}).connected();
    if (child_->wait(Milliseconds(connected ? 0 : 10))) return false;
    if (connected) return true;
  }
  return false;
}

std::string FrontProcess::log() const { return read_whole_file(directory_.path() + "/stderr"); }

int FrontProcess::stop(int signal) {
  child_->send_signal(signal);
  return child_->wait(Milliseconds(20'000)).value_or(-1);
}

}  // namespace tokend::tests
