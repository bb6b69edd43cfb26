#pragma once
// A pinned thread, a reactor and a SO_REUSEPORT listener for each core. SKETCH of the public face:
// the owner of core/ completes it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "core/reactor.h"

namespace tokend::core {

struct ServerOptions {
  std::vector<std::string> listen;  // "127.0.0.1:3000", "[::1]:3000"; port 0: the system's choice
  std::size_t cores = 1;
  std::vector<int> cpus;  // CPU of each core; empty: the first `cores` allowed ones
  std::int64_t drain_timeout_ms = 10'000;
  ReactorOptions reactor;
};

class Server {
 public:
  Server(const ServerOptions& options, const Clock& clock);
  ~Server();

  // The reactors exist (and their mailboxes can be posted to) before anything runs.
  [[nodiscard]] Reactor& reactor(std::size_t core) noexcept;
  // Checks io_uring and binds all listeners. Errc::unavailable: the kernel has no io_uring or it is
  // disabled, with the cause and the remedy in the message; Errc::io: an address is busy or bad.
  [[nodiscard]] Result<void> listen();
  // What was bound, with real ports, as "127.0.0.1:41234".
  [[nodiscard]] std::vector<std::string> addresses() const;
  // Starts the threads with one factory for each core.
  [[nodiscard]] Result<void> start(const std::vector<SessionFactory*>& factories);
  // Any thread: stop accepting, drain the sessions, end the loops (idle connections are closed at
  // once, what is left after drain_timeout_ms is aborted). Operations that sessions wait for must
  // still be answered meanwhile.
  void request_stop() noexcept;
  // Waits until all loops have ended.
  void join();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokend::core
