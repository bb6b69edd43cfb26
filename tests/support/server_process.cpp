#include "tests/support/server_process.h"

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "core/error.h"

namespace tokend::tests {
namespace {

constexpr Milliseconds kStartTimeout{30'000};
// How long the log's thread may lie behind the answers.
constexpr Milliseconds kLogTimeout{5'000};
constexpr std::size_t kReportBytes = 4096;

// Of the address that the line ends with; 0 when there is none.
std::uint16_t port_of(std::string_view line) {
  const auto colon = line.rfind(':');
  if (colon == std::string_view::npos) return 0;
  std::uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(line.data() + colon + 1, line.data() + line.size(), port);
  return error == std::errc{} ? port : 0;
}

}  // namespace

ServerProcess::ServerProcess(ServerSettings settings) : settings_(std::move(settings)) {
  for (const auto& [name, value] : settings_.environment) {
    if (name.ends_with("PASS") || name.ends_with("SECRET")) remember_secret(value);
  }
  remember_secret(kAdminPassword);
}

ServerProcess::~ServerProcess() = default;

Launch ServerProcess::launch() const {
  Launch launch;
  launch.program = program_path("tokend");
  launch.stderr_path = directory_.path() + "/stderr";
  launch.before_exec = settings_.before_exec;
  const auto given = [this](std::string_view flag) {
    return std::find(settings_.flags.begin(), settings_.flags.end(), flag) != settings_.flags.end();
  };
  const std::string data = data_path();
  for (const auto& [flag, value] :
       {std::pair{"--data", data.c_str()}, std::pair{"--listen", "127.0.0.1:0"},
        std::pair{"--cores", "2"}, std::pair{"--bcrypt-cost", "4"}}) {
    if (!given(flag)) launch.arguments.insert(launch.arguments.end(), {flag, value});
  }
  launch.arguments.insert(launch.arguments.end(), settings_.flags.begin(), settings_.flags.end());

  std::vector<std::pair<std::string, std::string>> environment;
  if (settings_.default_environment) {
    environment = {{"ADMIN_USERNAME", kAdminUsername},  {"ADMIN_PASS", kAdminPassword},
                   {"ADMIN_EMAIL", kAdminEmail},        {"ADMIN_NAME", "Root Admin"},
                   {"CREATE_TOKENS_FOR_USERS", "true"}, {"API_Enable_Rate_Limiter", "false"}};
  }
  for (const auto& [name, value] : settings_.environment) {
    std::erase_if(environment, [&](const auto& entry) { return entry.first == name; });
    environment.emplace_back(name, value);
  }
  for (const auto& [name, value] : environment) launch.environment.push_back(name + "=" + value);
  return launch;
}

bool ServerProcess::start() {
  CHECK(child_ == nullptr);
  child_ = std::make_unique<ChildProcess>(launch());
  port_ = metrics_port_ = 0;
  while (const auto line = child_->read_line(kStartTimeout)) {
    if (line->starts_with("metrics on ")) metrics_port_ = port_of(*line);
    if (!line->starts_with("listening on ")) continue;
    port_ = port_of(*line);
    if (port_ != 0) return true;
    break;
  }
  child_.reset();
  return false;
}

int ServerProcess::stop(Milliseconds timeout) {
  send_signal(SIGTERM);
  const int status = wait(timeout);
  child_.reset();
  return status;
}

void ServerProcess::kill() { child_.reset(); }

pid_t ServerProcess::pid() const { return child_->pid(); }

void ServerProcess::send_signal(int signal) {
  CHECK(child_ != nullptr);
  child_->send_signal(signal);
}

int ServerProcess::wait(Milliseconds timeout) {
  CHECK(child_ != nullptr);
  return child_->wait(timeout).value_or(-1);
}

std::string ServerProcess::log() const { return read_whole_file(directory_.path() + "/stderr"); }

std::string ServerProcess::log_with(std::string_view text) const {
  const auto end = std::chrono::steady_clock::now() + kLogTimeout;
  std::string log_so_far = log();
  while (!log_so_far.contains(text) && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(Milliseconds(10));
    log_so_far = log();
  }
  return log_so_far;
}

std::string ServerProcess::report() const {
  std::string text = log();
  if (text.size() > kReportBytes) text.erase(0, text.size() - kReportBytes);
  return "the server's log ends with:\n" + text;
}

void ServerProcess::remember_secret(std::string_view secret) {
  if (secret.empty()) return;
  const std::lock_guard lock(mutex_);
  secrets_.emplace(secret);
}

std::vector<std::string> ServerProcess::secrets_in_log() const {
  const std::string text = log();
  const std::lock_guard lock(mutex_);
  std::vector<std::string> found;
  for (const std::string& secret : secrets_) {
    if (text.find(secret) != std::string::npos) found.push_back(secret);
  }
  return found;
}

}  // namespace tokend::tests
