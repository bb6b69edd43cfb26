#pragma once
// A server of one or more cores whose sessions do what a test tells them, and a plain blocking
// client for it. Hooks run on the core's thread; counts are read by the test's.

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/descriptor.h"
#include "core/server.h"

namespace tokend::core::tests {

inline constexpr std::chrono::seconds kPatience{10};  // before a test gives up

// Waits for what another thread brings about.
template <class Condition>
[[nodiscard]] bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

class TestSession;

// What is left empty is done as an echo server would.
struct Behaviour {
  std::function<void(TestSession&)> on_open = {};
  std::function<void(TestSession&, std::span<char>)> on_bytes = {};  // else: echo
  std::function<void(TestSession&)> on_end_of_input = {};            // else: finish
  std::function<void(TestSession&)> on_deadline = {};                // else: abort
  std::function<void(TestSession&)> on_output_sent = {};
  std::function<void(TestSession&)> on_drain = {};  // else: finish
};

class TestSession final : public Session {
 public:
  TestSession(Transport& its_transport, const Behaviour& its_behaviour)
      : transport(its_transport),
        behaviour(its_behaviour) {}

  void on_bytes(std::span<char> bytes) noexcept override;
  void on_end_of_input() noexcept override;
  void on_deadline() noexcept override;
  void on_output_sent() noexcept override;
  void on_drain() noexcept override;

  Transport& transport;
  const Behaviour& behaviour;
  std::string received;  // for hooks to use
  int calls = 0;         // for hooks to use
  bool over = false;     // finish() or abort() was called: no callback may follow

  void finish() noexcept;
  void abort() noexcept;

 private:
  friend class TestFactory;
  struct Inside;
  int depth_ = 0;  // of callbacks; a session is never closed inside one
};

class TestFactory final : public SessionFactory {
 public:
  explicit TestFactory(Behaviour behaviour) : behaviour_(std::move(behaviour)) {}
  Session* open(Transport& transport) noexcept override;
  void close(Session& session) noexcept override;
  bool idle() const noexcept override { return !working; }

  std::atomic<bool> working{false};  // something that a session began is still to come home
  std::atomic<std::size_t> sessions_max{SIZE_MAX};
  std::atomic<std::size_t> opened{0};
  std::atomic<std::size_t> closed{0};
  std::atomic<std::size_t> open_now{0};
  // The sessions that are open, on the core's thread.
  std::vector<TestSession*> sessions;

 private:
  Behaviour behaviour_;
};

[[nodiscard]] ServerOptions small_options();

class TestServer {
 public:
  explicit TestServer(Behaviour behaviour = {}, ServerOptions options = small_options());
  ~TestServer() { stop(); }

  [[nodiscard]] const std::string& address() const { return server_.addresses().front(); }
  [[nodiscard]] std::uint64_t count(CoreCounter counter);
  [[nodiscard]] TestFactory& factory(std::size_t core = 0) { return *factories_[core]; }
  [[nodiscard]] Server& server() { return server_; }
  // Runs `work` on the core's thread and waits for it.
  void on_core(std::function<void()> work, std::size_t core = 0);
  void stop();

 private:
  SystemClock clock_;
  Server server_;
  std::vector<std::unique_ptr<TestFactory>> factories_;
};

// A client's socket. Calls block, at most kPatience.
class Peer {
 public:
  explicit Peer(const std::string& address, int receive_buffer_bytes = 0);

  // False when the server has reset the connection.
  bool send(std::string_view bytes);
  // Until so many bytes have come or the connection has ended.
  [[nodiscard]] std::string receive(std::size_t count);
  [[nodiscard]] std::string receive_all() { return receive(SIZE_MAX); }
  // True when the server has closed or reset and everything was read.
  [[nodiscard]] bool ended();
  [[nodiscard]] bool was_reset() const { return reset_; }
  void half_close() { shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.close(); }
  void close_with_reset();
  [[nodiscard]] std::uint16_t port() const;

 private:
  Descriptor socket_;
  bool reset_ = false;
};

}  // namespace tokend::core::tests
