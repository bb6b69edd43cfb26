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

}  // namespace
}  // namespace tokend::core::tests
