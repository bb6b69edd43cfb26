#include "tests/support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.h"

namespace tokend::tests {
namespace {

using std::chrono::steady_clock;

int milliseconds_until(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<Milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ChildProcess::ChildProcess(const Launch& launch) {
  int output[2];
  CHECK(pipe2(output, O_CLOEXEC) == 0);
  const int errors =
      open(launch.stderr_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  CHECK(errors >= 0);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK(nothing >= 0);

  // All memory is taken before the fork: the child of a threaded process may only call the kernel.
  std::vector<std::string> arguments{launch.program};
  arguments.insert(arguments.end(), launch.arguments.begin(), launch.arguments.end());
  std::vector<std::string> environment = launch.environment;
  // What the sanitizers are told, and on what kind of server a whole suite runs (CMakeLists.txt).
  for (const char* name :
       {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "TOKEND_STORE_SHARDS"}) {
    if (const char* value = std::getenv(name)) {
      environment.push_back(std::string(name) + "=" + value);
    }
  }
  const std::vector<char*> argv = pointers_to(arguments);
  const std::vector<char*> envp = pointers_to(environment);

  pid_ = fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(nothing, STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    if (launch.before_exec && !launch.before_exec()) _exit(126);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(output[1]);
  close(errors);
  close(nothing);
  output_ = output[0];
}

ChildProcess::~ChildProcess() {
  if (!status_) {
    send_signal(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(output_);
}

bool ChildProcess::fill(steady_clock::time_point deadline) {
  if (output_ended_) return false;
  pollfd waiting{.fd = output_, .events = POLLIN, .revents = 0};
  if (poll(&waiting, 1, milliseconds_until(deadline)) <= 0) return false;
  char bytes[4096];
  const ssize_t count = read(output_, bytes, sizeof(bytes));
  if (count <= 0) {
    output_ended_ = true;
    return false;
  }
  unread_.append(bytes, static_cast<std::size_t>(count));
  return true;
}

std::optional<std::string> ChildProcess::read_line(Milliseconds timeout) {
  const auto deadline = steady_clock::now() + timeout;
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    if (!fill(deadline)) return std::nullopt;
  }
}

std::string ChildProcess::read_rest(Milliseconds timeout) {
  const auto deadline = steady_clock::now() + timeout;
  while (fill(deadline)) {
  }
  return std::exchange(unread_, {});
}

void ChildProcess::send_signal(int signal) const {
  // After wait() the number may belong to someone else.
  if (!status_) ::kill(pid_, signal);
}

std::optional<int> ChildProcess::wait(Milliseconds timeout) {
  if (status_) return status_;
  const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  CHECK(descriptor >= 0);
  const auto deadline = steady_clock::now() + timeout;
  pollfd waiting{.fd = descriptor, .events = POLLIN, .revents = 0};
  const bool ended = poll(&waiting, 1, milliseconds_until(deadline)) > 0;
  close(descriptor);
  if (!ended) return std::nullopt;
  int raw = 0;
  CHECK(waitpid(pid_, &raw, 0) == pid_);
  status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
  return status_;
}

TemporaryDirectory::TemporaryDirectory() {
  path_ = (std::filesystem::temp_directory_path() / "tokend-test-XXXXXX").string();
  CHECK(mkdtemp(path_.data()) != nullptr);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Outcome run_to_end(Launch launch, Milliseconds timeout) {
  const TemporaryDirectory scratch;
  if (launch.stderr_path.empty()) launch.stderr_path = scratch.path() + "/stderr";
  const auto deadline = steady_clock::now() + timeout;
  Outcome outcome;
  {
    ChildProcess child(launch);
    outcome.output = child.read_rest(timeout);
    outcome.status = child.wait(Milliseconds(milliseconds_until(deadline))).value_or(-1);
  }
  outcome.errors = read_whole_file(launch.stderr_path);
  return outcome;
}

std::string read_whole_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string program_path(const std::string& name) {
  return std::string(TOKEND_BIN_DIR) + "/" + name;
}

}  // namespace tokend::tests
