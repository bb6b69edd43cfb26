#pragma once
// A server of a test's own on a port of the system's choice: a thread for each connection, which
// answers what the test's function says. It is slow and simple; what it says is what matters.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace tokend::load {

class FakeServer {
 public:
  // From one request, head and body, to the bytes of its answer; nothing: the connection is closed.
  // Called by several threads.
  using Respond = std::function<std::optional<std::string>(std::string_view request)>;

  explicit FakeServer(Respond respond, bool in_pieces = false)
      : respond_(std::move(respond)),
        in_pieces_(in_pieces) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 128), 0);
    socklen_t length = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~FakeServer() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int connection : connections_) shutdown(connection, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    for (const int connection : connections_) close(connection);
    close(listener_);
  }

  [[nodiscard]] std::string target() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void accept_all() {
    while (true) {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      const int on = 1;
      setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      const std::lock_guard lock(mutex_);
      connections_.push_back(connection);
      threads_.emplace_back([this, connection] { serve(connection); });
    }
  }

  // The descriptor stays open until the end, so that no other connection gets its number.
  void serve(int connection) {
    std::string received;
    char chunk[4096];
    while (true) {
      const ssize_t got = recv(connection, chunk, sizeof(chunk), 0);
      if (got <= 0) break;
      received.append(chunk, static_cast<std::size_t>(got));
      while (const std::size_t length = request_length(received)) {
        const auto answer = respond_(std::string_view(received).substr(0, length));
        received.erase(0, length);
        if (!answer) {
          shutdown(connection, SHUT_RDWR);
          return;
        }
        send_all(connection, *answer);
      }
    }
    shutdown(connection, SHUT_RDWR);
  }

  static std::size_t request_length(std::string_view bytes) {
    const std::size_t head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return 0;
    std::size_t body = 0;
    constexpr std::string_view kName = "Content-Length: ";
    const std::size_t at = bytes.substr(0, head_end).find(kName);
    if (at != std::string_view::npos) {
      std::from_chars(bytes.data() + at + kName.size(), bytes.data() + head_end, body);
    }
    const std::size_t length = head_end + 4 + body;
    return length <= bytes.size() ? length : 0;
  }

  void send_all(int connection, std::string_view bytes) const {
    while (!bytes.empty()) {
      constexpr std::size_t kPieceBytes = 7;
      const std::string_view piece = in_pieces_ ? bytes.substr(0, kPieceBytes) : bytes;
      const ssize_t sent = send(connection, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  Respond respond_;
  bool in_pieces_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread acceptor_;
  std::mutex mutex_;
  std::vector<int> connections_;
  std::vector<std::thread> threads_;
};

}  // namespace tokend::load
