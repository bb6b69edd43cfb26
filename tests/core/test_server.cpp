#include "tests/core/test_server.h"

#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/error.h"
#include "core/listener.h"

namespace tokend::core::tests {
namespace {

struct Work final : Message {
  std::function<void()> work;
  std::promise<void> done;
};

}  // namespace

// In a callback, which must be none inside another and none after the end.
struct TestSession::Inside {
  explicit Inside(TestSession& the_session) : session(the_session) {
    CHECK(!session.over && session.depth_ == 0);
    ++session.depth_;
  }
  ~Inside() { --session.depth_; }
  TestSession& session;
};

void TestSession::finish() noexcept {
  over = true;
  transport.finish();
}

void TestSession::abort() noexcept {
  over = true;
  transport.abort();
}

void TestSession::on_bytes(std::span<char> bytes) noexcept {
  const Inside inside(*this);
  CHECK(!bytes.empty());
  if (behaviour.on_bytes) return behaviour.on_bytes(*this, bytes);
  transport.output().append({bytes.data(), bytes.size()});
}

void TestSession::on_end_of_input() noexcept {
  const Inside inside(*this);
  if (behaviour.on_end_of_input) return behaviour.on_end_of_input(*this);
  finish();
}

void TestSession::on_deadline() noexcept {
  const Inside inside(*this);
  if (behaviour.on_deadline) return behaviour.on_deadline(*this);
  abort();
}

void TestSession::on_output_sent() noexcept {
  const Inside inside(*this);
  if (behaviour.on_output_sent) behaviour.on_output_sent(*this);
}

void TestSession::on_drain() noexcept {
  const Inside inside(*this);
  if (behaviour.on_drain) return behaviour.on_drain(*this);
  finish();
}

Session* TestFactory::open(Transport& transport) noexcept {
  if (open_now >= sessions_max) return nullptr;
  auto* session = new TestSession(transport, behaviour_);
  sessions.push_back(session);
  ++opened;
  ++open_now;
  if (behaviour_.on_open) behaviour_.on_open(*session);
  return session;
}

void TestFactory::close(Session& session) noexcept {
  auto& closing = static_cast<TestSession&>(session);
  CHECK(closing.depth_ == 0);
  std::erase(sessions, &closing);
  delete &closing;
  --open_now;
  ++closed;
}

ServerOptions small_options() {
  ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.drain_timeout_ms = 5'000;
  options.reactor.connections_max = 256;
  options.reactor.receive_buffers = 64;
  options.reactor.send_blocks_max = 4096;
  options.reactor.linger_timeout_ms = 200;
  return options;
}

TestServer::TestServer(Behaviour behaviour, ServerOptions options) : server_(options, clock_) {
  const auto listening = server_.listen();
  CHECK(listening.has_value());
  std::vector<SessionFactory*> factories;
  for (std::size_t core = 0; core < options.cores; ++core) {
    factories_.push_back(std::make_unique<TestFactory>(behaviour));
    factories.push_back(factories_.back().get());
  }
  const auto started = server_.start(factories);
  CHECK(started.has_value());
}

std::uint64_t TestServer::count(CoreCounter counter) {
  std::uint64_t sum = 0;
  for (std::size_t core = 0; core < server_.cores(); ++core) {
    sum += server_.reactor(core).metrics().get(counter);
  }
  return sum;
}

void TestServer::on_core(std::function<void()> work, std::size_t core) {
  Work message;
  message.work = std::move(work);
  message.deliver = [](Message& arrived) noexcept {
    auto& self = static_cast<Work&>(arrived);
    self.work();
    self.done.set_value();
  };
  auto done = message.done.get_future();
  server_.reactor(core).mailbox().post(message);
  CHECK(done.wait_for(kPatience) == std::future_status::ready);
}

void TestServer::stop() {
  server_.request_stop();
  server_.join();
}

Peer::Peer(const std::string& address, int receive_buffer_bytes) {
  const auto parsed = parse_listen_address(address);
  CHECK(parsed.has_value());
  socket_ = Descriptor(socket(parsed->generic.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(socket_.valid());
  if (receive_buffer_bytes > 0) {
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
               sizeof(receive_buffer_bytes));
  }
  const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (connect(socket_.get(), &parsed->generic, parsed->bytes) != 0) {
    CHECK(errno == EINTR);
    pollfd writable{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
    while (poll(&writable, 1, -1) != 1) CHECK(errno == EINTR);
  }
}

bool Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      CHECK(errno == ECONNRESET || errno == EPIPE);
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string Peer::receive(std::size_t count) {
  std::string all;
  char part[16 * 1024];
  while (all.size() < count) {
    const ssize_t got = recv(socket_.get(), part, std::min(sizeof(part), count - all.size()), 0);
    if (got < 0) {
      // The end of an earlier test's ring interrupts the thread that opened it.
      if (errno == EINTR) continue;
      CHECK(errno == ECONNRESET);  // EAGAIN: nothing came within kPatience
      reset_ = true;
    }
    if (got <= 0) break;
    all.append(part, static_cast<std::size_t>(got));
  }
  return all;
}

bool Peer::ended() { return receive(1).empty(); }

void Peer::close_with_reset() {
  const linger none{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  socket_.close();
}

std::uint16_t Peer::port() const {
  sockaddr_storage bound{};
  socklen_t bytes = sizeof(bound);
  CHECK(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&bound), &bytes) == 0);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
}

}  // namespace tokend::core::tests
