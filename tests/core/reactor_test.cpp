#include "core/reactor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "core/connection.h"
#include "core/listener.h"
#include "tests/core/test_server.h"

namespace tokend::core::tests {
namespace {

// Holds a core in the middle of a turn.
class HeldCore {
 public:
  explicit HeldCore(TestServer& server)
      : thread_([this, &server] { server.on_core([this] { release_.get_future().wait(); }); }) {}
  ~HeldCore() { release(); }
  void release() {
    if (!thread_.joinable()) return;
    release_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> release_;
  std::thread thread_;
};

// ---- The loop ---------------------------------------------------------------------------------

TEST(ReactorTest, AMessageWakesASleepingCore) {
  TestServer server;
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    bool ran = false;
    server.on_core([&] { ran = true; });
    EXPECT_TRUE(ran);
  }
  EXPECT_GT(server.count(CoreCounter::wakeups), 10U);
}

TEST(ReactorTest, AnIdleCoreSleeps) {
  TestServer server;
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("x"));
  ASSERT_EQ(peer.receive(1), "x");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::uint64_t turns = server.count(CoreCounter::turns);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LE(server.count(CoreCounter::turns) - turns, 2U);
}

TEST(ReactorTest, TheTurnClockFollowsTheClock) {
  TestServer server;
  const SystemClock clock;
  const std::int64_t before_ns = clock.monotonic_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::int64_t turn_ns = 0;
  server.on_core([&] { turn_ns = server.server().reactor(0).turn_clock().monotonic_ns; });
  EXPECT_GT(turn_ns, before_ns);
  EXPECT_LE(turn_ns, clock.monotonic_ns());
}

TEST(ReactorTest, MessagesPostedAfterTheLoopCanStillBeDelivered) {
  TestServer server;
  server.stop();
  static std::atomic<int> delivered{0};
  Message message;
  message.deliver = [](Message&) noexcept { ++delivered; };
  server.server().reactor(0).mailbox().post(message);
  EXPECT_EQ(delivered, 0);
  server.server().reactor(0).deliver_mail();
  EXPECT_EQ(delivered, 1);
}

// ---- Limits -----------------------------------------------------------------------------------

TEST(ReactorTest, AtTheLimitAConnectionIsRefusedAtOnce) {
  ServerOptions options = small_options();
  options.reactor.connections_max = 3;
  TestServer server({}, options);
  std::vector<std::unique_ptr<Peer>> peers;
  for (int index = 0; index < 3; ++index) {
    peers.push_back(std::make_unique<Peer>(server.address()));
    ASSERT_TRUE(peers.back()->send("x"));
    ASSERT_EQ(peers.back()->receive(1), "x");
  }
  Peer refused(server.address());
  EXPECT_TRUE(refused.ended());
  EXPECT_EQ(server.count(CoreCounter::connections_refused), 1U);
  peers.pop_back();
  ASSERT_TRUE(eventually([&] { return server.count(CoreCounter::connections_open) == 2; }));
  Peer welcome(server.address());
  ASSERT_TRUE(welcome.send("y"));
  EXPECT_EQ(welcome.receive(1), "y");
}

TEST(ReactorTest, WithoutASessionAConnectionIsRefused) {
  TestServer server;
  server.factory().sessions_max = 0;
  Peer refused(server.address());
  EXPECT_TRUE(refused.ended());
  server.factory().sessions_max = 1;
  Peer welcome(server.address());
  ASSERT_TRUE(welcome.send("y"));
  EXPECT_EQ(welcome.receive(1), "y");
  EXPECT_EQ(server.count(CoreCounter::connections_refused), 1U);
}

// Lowers the limit of open files while it lives.
class FewDescriptors {
 public:
  FewDescriptors() {
    CHECK(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit few{.rlim_cur = 64, .rlim_max = before_.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
  }
  ~FewDescriptors() { CHECK(setrlimit(RLIMIT_NOFILE, &before_) == 0); }

 private:
  rlimit before_{};
};

TEST(ReactorTest, ExhaustedDescriptorsMakeAcceptingRestAndNotSpin) {
  // Before the server starts: the kernel remembers the limit when the accept is armed.
  const FewDescriptors few;
  TestServer server;
  const auto address = parse_listen_address(server.address());
  const Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  std::vector<Descriptor> fill;
  do {
    fill.emplace_back(dup(client.get()));
  } while (fill.back().valid());
  ASSERT_EQ(connect(client.get(), &address->generic, address->bytes), 0);
  EXPECT_TRUE(eventually([&] { return server.count(CoreCounter::accept_failures) > 0; }));
  const std::uint64_t turns = server.count(CoreCounter::turns);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(server.count(CoreCounter::turns) - turns, 8U);
  fill.clear();
  EXPECT_TRUE(eventually([&] { return server.factory().opened == 1; }));
}

// ---- Several cores ----------------------------------------------------------------------------

TEST(ServerTest, ConnectionsAreSpreadOverTheCores) {
  ServerOptions options = small_options();
  options.cores = 2;
  TestServer server({}, options);
  std::vector<std::unique_ptr<Peer>> peers;
  for (int index = 0; index < 64; ++index) {
    peers.push_back(std::make_unique<Peer>(server.address()));
    ASSERT_TRUE(peers.back()->send("x"));
    ASSERT_EQ(peers.back()->receive(1), "x");
  }
  EXPECT_EQ(server.factory(0).opened + server.factory(1).opened, 64U);
  EXPECT_GT(server.factory(0).opened, 0U);
  EXPECT_GT(server.factory(1).opened, 0U);
}

TEST(ServerTest, ACpuThatMayNotBeUsedIsAWarning) {
  const SystemClock clock;
  ServerOptions options = small_options();
  options.cpus = {100'000};
  TestFactory factory({});  // outlives the server's loops
  Server server(options, clock);
  ASSERT_TRUE(server.listen());
  ASSERT_TRUE(server.start({&factory}));
  EXPECT_EQ(server.warnings().size(), 1U);
  Peer peer(server.addresses().front());
  ASSERT_TRUE(peer.send("x"));
  EXPECT_EQ(peer.receive(1), "x");
}

// ---- The end ----------------------------------------------------------------------------------

TEST(DrainTest, AStopRequestedBeforeTheStartEndsAtOnce) {
  const SystemClock clock;
  Server server(small_options(), clock);
  TestFactory factory({});
  ASSERT_TRUE(server.listen());
  server.request_stop();
  ASSERT_TRUE(server.start({&factory}));
  server.join();
}

TEST(DrainTest, IdleConnectionsAreClosedCleanly) {
  TestServer server;
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("x"));
  ASSERT_EQ(peer.receive(1), "x");
  server.server().request_stop();
  server.server().request_stop();
  EXPECT_TRUE(peer.ended());
  EXPECT_FALSE(peer.was_reset());
  peer.close();
  server.stop();
  EXPECT_EQ(server.factory().closed, 1U);
}

TEST(DrainTest, AnAnswerThatIsStillBeingMadeIsDelivered) {
  std::atomic<bool> draining{false};
  TestServer server({.on_bytes = [](TestSession& session, std::span<char>) { ++session.calls; },
                     .on_drain =
                         [&](TestSession& session) {
                           draining = true;
                           if (session.calls == 0) session.finish();
                         }});
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("question"));
  ASSERT_TRUE(eventually([&] { return server.count(CoreCounter::received_bytes) == 8; }));
  server.server().request_stop();
  ASSERT_TRUE(eventually([&] { return draining.load(); }));
  // As an operation that comes home: a message, in the middle of the drain.
  server.on_core([&] {
    TestSession& session = *server.factory().sessions.front();
    session.transport.output().append("answer");
    session.transport.flush_later();
    session.finish();
  });
  EXPECT_EQ(peer.receive_all(), "answer");
  EXPECT_FALSE(peer.was_reset());
}

TEST(DrainTest, WorkThatItsConnectionLeftBehindComesHomeFirst) {
  TestServer server;
  server.factory().working = true;
  std::future<void> stopped = std::async(std::launch::async, [&] { server.stop(); });
  ASSERT_EQ(stopped.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  server.on_core([&] { server.factory().working = false; });
  stopped.get();
}

TEST(DrainTest, WhatWasInTheAcceptQueueIsServed) {
  TestServer server;
  HeldCore held(server);
  std::vector<std::unique_ptr<Peer>> peers;
  for (int index = 0; index < 20; ++index) {
    peers.push_back(std::make_unique<Peer>(server.address()));
    ASSERT_TRUE(peers.back()->send("just in time"));
  }
  server.server().request_stop();
  held.release();
  for (auto& peer : peers) {
    EXPECT_EQ(peer->receive_all(), "just in time");
    EXPECT_FALSE(peer->was_reset());
  }
}

TEST(DrainTest, WhatHadArrivedBeforeTheStopIsAnswered) {
  TestServer server;
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("x"));
  ASSERT_EQ(peer.receive(1), "x");
  HeldCore held(server);
  ASSERT_TRUE(peer.send("second"));
  server.server().request_stop();
  held.release();
  EXPECT_EQ(peer.receive_all(), "second");
  EXPECT_FALSE(peer.was_reset());
}

TEST(DrainTest, NobodyIsAcceptedAfterTheStop) {
  TestServer server;
  const std::string address = server.address();
  server.stop();
  const auto parsed = parse_listen_address(address);
  const Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_NE(connect(client.get(), &parsed->generic, parsed->bytes), 0);
}

TEST(DrainTest, TheRestIsAbortedAtTheTimeout) {
  ServerOptions options = small_options();
  options.drain_timeout_ms = 100;
  TestServer server({.on_drain = [](TestSession&) {}}, options);
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("x"));
  ASSERT_EQ(peer.receive(1), "x");
  server.stop();
  EXPECT_TRUE(peer.ended());
  EXPECT_EQ(server.factory().closed, 1U);
  EXPECT_EQ(server.count(CoreCounter::connections_aborted), 1U);
}

}  // namespace
}  // namespace tokend::core::tests
