#include "core/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/core/test_server.h"

namespace tokend::core::tests {
namespace {

struct Question : Message {
  std::atomic<bool> answered{false};
};

TEST(ServerTest, ACoreThatHasDrainedStillAnswersTheOthers) {
  std::atomic<bool> draining{false};
  ServerOptions options = small_options();
  options.cores = 2;
  TestServer server({.on_bytes = [](TestSession& session, std::span<char>) { ++session.calls; },
                     .on_drain = [&](TestSession&) { draining = true; }},
                    options);
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("question"));
  ASSERT_TRUE(eventually([&] { return server.count(CoreCounter::received_bytes) == 8; }));
  const std::size_t busy = server.factory(0).open_now == 1 ? 0 : 1;
  server.server().request_stop();
  ASSERT_TRUE(eventually([&] { return draining.load(); }));
  // The other core has no connection, so it has long finished its drain.
  std::this_thread::sleep_for(std::chrono::milliseconds(3 * Reactor::kDrainGraceMs));

  Question question;
  question.deliver = [](Message& message) noexcept {
    static_cast<Question&>(message).answered = true;
  };
  server.server().reactor(1 - busy).mailbox().post(question);
  EXPECT_TRUE(eventually([&] { return question.answered.load(); }));
  server.on_core([&] { server.factory(busy).sessions.front()->finish(); }, busy);
  EXPECT_TRUE(peer.ended());
  server.stop();
}

// What a session waited for.
struct Home : Message {
  TestFactory* own = nullptr;
};

TEST(ServerTest, AnAddressOfItsOwnHasSessionsOfItsOwn) {
  SystemClock clock;
  ServerOptions options = small_options();
  options.cores = 2;
  options.reactor.proxy_protocol = true;
  TestFactory usual({});
  TestFactory usual_too({});
  TestFactory own({});
  {
    Server server(options, clock);
    ASSERT_TRUE(server.listen());
    const auto address = server.listen_apart("127.0.0.1:0", 1, own);
    ASSERT_TRUE(address) << address.error().message;
    EXPECT_FALSE(server.listen_apart(*address, 1, own)) << "it is taken";
    EXPECT_FALSE(server.listen_apart("127.0.0.1", 1, own));
    ASSERT_TRUE(server.start({&usual, &usual_too}));

    // No header is asked for there, though it is everywhere else.
    Peer peer(*address);
    ASSERT_TRUE(peer.send("abc"));
    EXPECT_EQ(peer.receive(3), "abc");
    EXPECT_EQ(own.opened, 1U);
    Peer other(server.addresses().front());
    ASSERT_TRUE(other.send("no header"));
    EXPECT_TRUE(other.ended());
    EXPECT_EQ(usual.opened + usual_too.opened, 0U);

    // What its sessions still wait for holds the end up.
    peer.close();
    ASSERT_TRUE(eventually([&] { return own.closed == 1U; }));
    own.working = true;
    server.request_stop();
    std::atomic<bool> ended{false};
    std::thread joining([&] {
      server.join();
      ended = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * Reactor::kDrainGraceMs));
    EXPECT_FALSE(ended.load());
    Home home;
    home.own = &own;
    home.deliver = [](Message& message) noexcept {
      static_cast<Home&>(message).own->working = false;
    };
    server.reactor(1).mailbox().post(home);
    joining.join();
  }
  EXPECT_EQ(own.opened, own.closed);
}

}  // namespace
}  // namespace tokend::core::tests
