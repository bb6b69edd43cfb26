#pragma once
// A program of ours run as an operator would run it: its own process, a clean environment, its
// standard output read line by line, its standard error kept in a file for the failure report.
//
// Concurrency: one thread, which must outlive the process: the kernel kills the child when the
// thread that started it ends, so that no test leaves a server behind.

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tokend::tests {

using Milliseconds = std::chrono::milliseconds;

struct Launch {
  std::string program;
  std::vector<std::string> arguments;
  // NAME=value. Nothing is inherited but the options of the sanitizers.
  std::vector<std::string> environment;
  std::string stderr_path;
  // Runs in the child between fork and exec: system calls only. False ends the child with 126.
  std::function<bool()> before_exec = {};
};

class ChildProcess {
 public:
  explicit ChildProcess(const Launch& launch);
  // Kills what still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // The next line of standard output without its end; nothing at the end of the output or when
  // none came in time.
  [[nodiscard]] std::optional<std::string> read_line(Milliseconds timeout);
  // Everything more that comes on standard output until the child closes it.
  [[nodiscard]] std::string read_rest(Milliseconds timeout);
  void send_signal(int signal) const;
  // The exit status, or 128 plus the number of the signal that ended it; nothing when it still runs
  // after the time.
  [[nodiscard]] std::optional<int> wait(Milliseconds timeout);

 private:
  [[nodiscard]] bool fill(std::chrono::steady_clock::time_point deadline);

  pid_t pid_ = -1;
  int output_ = -1;  // our end of the child's standard output
  bool output_ended_ = false;
  std::string unread_;
  std::optional<int> status_;
};

// A directory under the system's temporary one, removed with all it holds.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What a program said when it was run to its end.
struct Outcome {
  int status = -1;  // -1: it did not end in time and was killed
  std::string output;
  std::string errors;
};

// `launch.stderr_path` may be empty.
[[nodiscard]] Outcome run_to_end(Launch launch, Milliseconds timeout = Milliseconds(20'000));

[[nodiscard]] std::string read_whole_file(const std::string& path);

// A program of this build by its name.
[[nodiscard]] std::string program_path(const std::string& name);

}  // namespace tokend::tests
