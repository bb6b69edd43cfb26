#pragma once
// A pinned thread, a reactor and a SO_REUSEPORT listener per address for each core. The kernel
// spreads the connections over the listeners; a connection stays on its core for life, and nothing
// is shared.
//
// Concurrency: one thread makes, listens, starts and joins; request_stop() from any thread (it
// allocates nothing and takes no lock).

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
  // "127.0.0.1:3000", "[::1]:3000"; port 0: the system's choice. "[::]:3000" means IPv6 only.
  std::vector<std::string> listen;
  std::size_t cores = 1;
  std::vector<int> cpus;  // CPU of each core; empty: the first `cores` allowed ones
  // A connection goes to the core of the CPU on which its first packet was worked on, where that
  // core is (steer_by_cpu()); else the kernel spreads connections by their addresses.
  bool steer_connections = false;
  std::int64_t drain_timeout_ms = 10'000;
  ReactorOptions reactor;
};

class Server {
 public:
  // `cores` reactors, at least one. The clock must outlive the server.
  Server(const ServerOptions& options, const Clock& clock);
  // Stops and joins what still runs.
  ~Server();

  // The reactors exist (and their mailboxes can be posted to) before anything runs.
  [[nodiscard]] Reactor& reactor(std::size_t core) noexcept;
  [[nodiscard]] std::size_t cores() const noexcept;
  // Where its thread will be pinned; -1: nowhere. What is made for it is best made there
  // (run_on_cpu()).
  [[nodiscard]] int cpu_of(std::size_t core) const noexcept;
  // Checks io_uring and binds all listeners. Errc::unavailable: the kernel has no io_uring or it is
  // disabled, with the cause and the remedy in the message; Errc::io: an address is busy or bad;
  // Errc::invalid: the options contradict each other, or connections are to be
  // steered to a core that has no CPU of its own.
  [[nodiscard]] Result<void> listen();
  // What was bound, with real ports, as "127.0.0.1:41234".
  [[nodiscard]] const std::vector<std::string>& addresses() const noexcept;
  // After listen(), before start(): one more address, of one core alone, whose connections are
  // `factory`'s (Reactor::add_listener). What was bound, or Errc::io.
  [[nodiscard]] Result<std::string> listen_apart(const std::string& address, std::size_t core,
                                                 SessionFactory& factory);
  // Starts the threads with one factory for each core; the factories outlive join().
  [[nodiscard]] Result<void> start(const std::vector<SessionFactory*>& factories);
  // After start(): what did not go as asked but does not hinder (a CPU that may not be used).
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept;
  // Any thread: stop accepting, drain the sessions, end the loops (idle connections are closed at
  // once, or when the linger after their last answer is over; what is left after drain_timeout_ms
  // is aborted; work whose connection is gone is waited for). Operations that were asked for must
  // still be answered meanwhile.
  void request_stop() noexcept;
  // Waits until all loops have ended. What is posted to a mailbox afterwards is delivered by
  // Reactor::deliver_mail().
  void join();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokend::core
