#pragma once
// The real tokend on a system-chosen loopback port over a data directory that outlives it, so that
// it can be stopped, killed and started again on the same data.
//
// Concurrency: one thread starts, stops and kills (see ChildProcess); remember_secret() and port()
// may be called from any.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/child_process.h"

namespace tokend::tests {

inline constexpr const char* kAdminUsername = "root.admin";
inline constexpr const char* kAdminPassword = "correct-horse-battery-staple";
inline constexpr const char* kAdminEmail = "root.admin@example.com";

struct ServerSettings {
  // Cheap passwords, one listener on a free port, two cores, data at data_path(); `flags` come
  // behind and win.
  std::vector<std::string> flags = {};
  // The first admin, issuing on, no rate limit; `environment` comes behind and wins.
  std::vector<std::pair<std::string, std::string>> environment = {};
  // Leave the defaults out, for tests of exactly these.
  bool default_environment = true;
  std::function<bool()> before_exec = {};
};

class ServerProcess {
 public:
  explicit ServerProcess(ServerSettings settings = {});
  // Kills what still runs.
  ~ServerProcess();

  // False when the server did not say where it listens; report() then tells why.
  [[nodiscard]] bool start();
  // SIGTERM; the exit status, or -1 when it did not end in time and was killed.
  [[nodiscard]] int stop(Milliseconds timeout = Milliseconds(20'000));
  // SIGKILL, unless it ended by itself; returns when the process is gone.
  void kill();
  void send_signal(int signal);
  // The exit status after a signal or a crash; -1 when it still runs after the time.
  [[nodiscard]] int wait(Milliseconds timeout);

  [[nodiscard]] ServerSettings& settings() { return settings_; }
  [[nodiscard]] Launch launch() const;
  [[nodiscard]] pid_t pid() const;  // of the one that was started
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // 0 without --metrics-listen.
  [[nodiscard]] std::uint16_t metrics_port() const { return metrics_port_; }
  [[nodiscard]] std::string data_path() const { return directory_.path() + "/data"; }
  [[nodiscard]] std::string directory() const { return directory_.path(); }
  // All standard error of all starts. A thread of the server's own writes it, behind the answers:
  // while the server runs the last lines may be missing.
  [[nodiscard]] std::string log() const;
  // The log, as soon as it contains the text, or as it is after five seconds.
  [[nodiscard]] std::string log_with(std::string_view text) const;
  // For a failure's message: the last lines of the log.
  [[nodiscard]] std::string report() const;

  // What must never stand in the log. The secrets found there, for a message that fails.
  void remember_secret(std::string_view secret);
  [[nodiscard]] std::vector<std::string> secrets_in_log() const;

 private:
  TemporaryDirectory directory_;
  ServerSettings settings_;
  std::unique_ptr<ChildProcess> child_;
  std::uint16_t port_ = 0;
  std::uint16_t metrics_port_ = 0;
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> secrets_;
};

}  // namespace tokend::tests
