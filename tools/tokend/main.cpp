// The server's program: reads what the operator wants, makes the daemon, serves, ends.
//
// Exit codes: 0 served and was asked to end; 1 it could not start or serve; 2 the configuration is
// wrong; 78 the kernel offers no io_uring. A signal before it serves, or a second one, ends it at
// once with 128 and the signal's number.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tools/tokend/config.h"
#include "tools/tokend/daemon.h"
#include "tools/tokend/signals.h"

int main(int argc, char** argv) {
  using namespace tokend::tools;

  const std::vector<std::string> arguments(argv + 1, argv + argc);
  auto invocation = read_config(arguments, environment_from(environ));
  if (!invocation) {
    std::fprintf(stderr, "tokend: %s\n", invocation.error().message.c_str());
    return kExitUsage;
  }
  if (invocation->action == Invocation::Action::print) {
    std::fwrite(invocation->text.data(), 1, invocation->text.size(), stdout);
    return std::fflush(stdout) == 0 ? 0 : kExitFailure;
  }

  SignalWatch::block();
  SignalWatch signals;
  auto daemon = Daemon::open(invocation->config);
  if (!daemon) {
    std::fprintf(stderr, "tokend: %s\n", daemon.error().message.c_str());
    return daemon.error().exit_code;
  }
  return (*daemon)->run(signals, invocation->warnings);
}
