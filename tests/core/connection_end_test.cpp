// How a connection ends: finished, aborted, given up, reset; and that nothing is left of it.

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "core/connection.h"
#include "tests/core/connection_helpers.h"
#include "tests/core/test_server.h"

namespace tokend::core::tests {
namespace {

TEST(ConnectionTest, TheAnswerReachesAPeerThatIsStillSending) {
  ServerOptions options = small_options();
  options.reactor.linger_timeout_ms = 10'000;
  TestServer server({.on_bytes =
                         [](TestSession& session, std::span<char>) {
                           session.transport.output().append("refused");
                           session.finish();
                         }},
                    options);
  Peer peer(server.address());
  // Far more than the socket buffers hold, so this only ends because the server discards it.
  EXPECT_TRUE(peer.send(pattern(16'000'000)));
  EXPECT_EQ(peer.receive_all(), "refused");
  EXPECT_FALSE(peer.was_reset());
  peer.close();
  EXPECT_TRUE(eventually([&] { return server.factory().closed == 1; }));
  EXPECT_EQ(server.count(CoreCounter::linger_timeouts), 0U);
}

TEST(ConnectionTest, FinishingAPausedConnectionStillDiscardsItsInput) {
  TestServer server({.on_bytes = [](TestSession& session, std::span<char>) {
    session.transport.pause_reading();
    session.transport.output().append("refused");
    session.finish();
  }});
  Peer peer(server.address());
  EXPECT_TRUE(peer.send(pattern(8'000'000)));
  EXPECT_EQ(peer.receive_all(), "refused");
  EXPECT_FALSE(peer.was_reset());
}

TEST(ConnectionTest, FinishSendsAllOutputFirst) {
  const std::string answer = pattern(2'000'000);
  TestServer server({.on_bytes = [&](TestSession& session, std::span<char>) {
    session.transport.output().append(answer);
    session.finish();
  }});
  Peer peer(server.address(), kTinyBufferBytes);
  ASSERT_TRUE(peer.send("?"));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(peer.receive_all() == answer);
  EXPECT_FALSE(peer.was_reset());
}

TEST(ConnectionTest, ThePeerThatNeverClosesIsNotWaitedForForEver) {
  TestServer server({.on_bytes = [](TestSession& session, std::span<char>) {
    session.transport.output().append("bye");
    session.finish();
  }});
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("?"));
  EXPECT_EQ(peer.receive_all(), "bye");
  EXPECT_TRUE(eventually([&] { return server.factory().closed == 1; }));
  EXPECT_EQ(server.count(CoreCounter::linger_timeouts), 1U);
}

TEST(ConnectionTest, ThePeerThatIsOwedNothingIsNotWaitedFor) {
  ServerOptions options = small_options();
  options.reactor.linger_timeout_ms = 60'000;
  TestServer server({.on_bytes = [](TestSession& session, std::span<char>) { session.finish(); }},
                    options);
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("?"));
  EXPECT_TRUE(eventually([&] { return server.factory().closed == 1; }));
  EXPECT_TRUE(peer.ended());
  EXPECT_FALSE(peer.was_reset());
}

TEST(ConnectionTest, TheLingerCountsFromTheLastAnswer) {
  TestServer server(
      {.on_deadline = [](TestSession& session) { session.finish(); },
       .on_output_sent = [](TestSession& session) { session.transport.set_deadline(in_ms(250)); }});
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("x"));
  EXPECT_EQ(peer.receive_all(), "x");
  EXPECT_FALSE(peer.was_reset());
  EXPECT_TRUE(eventually([&] { return server.factory().closed == 1; }));
  EXPECT_EQ(server.count(CoreCounter::linger_timeouts), 0U);
}

TEST(ConnectionTest, AbortWithinOnBytesEndsTheConnectionAndLosesItsOutput) {
  TestServer server({.on_bytes = [](TestSession& session, std::span<char>) {
    session.transport.output().append("never seen");
    session.abort();
    session.transport.abort();
    session.transport.finish();
    session.transport.resume_reading();
    session.transport.set_deadline(0);
  }});
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("?"));
  EXPECT_EQ(peer.receive_all(), "");
  EXPECT_TRUE(eventually([&] { return server.factory().closed == 1; }));
  EXPECT_EQ(server.count(CoreCounter::connections_aborted), 1U);
  EXPECT_TRUE(eventually([&] { return server.count(CoreCounter::send_blocks_in_use) == 0; }));
}

TEST(ConnectionTest, AbortWhileASendIsStuckEndsTheConnection) {
  TestServer server({.on_bytes = [](TestSession& session, std::span<char>) {
    session.transport.output().append(pattern(20'000'000));
  }});
  Peer peer(server.address(), kTinyBufferBytes);
  ASSERT_TRUE(peer.send("?"));
  ASSERT_TRUE(eventually([&] { return server.count(CoreCounter::sent_bytes) > 0; }));
  server.on_core([&] { server.factory().sessions.front()->abort(); });
  EXPECT_TRUE(eventually([&] { return server.factory().closed == 1; }));
  EXPECT_TRUE(eventually([&] { return server.count(CoreCounter::send_blocks_in_use) == 0; }));
}

TEST(ConnectionTest, APeerThatTakesNothingIsGivenUp) {
  ServerOptions options = small_options();
  options.reactor.send_timeout_ms = 100;
  TestServer server(
      {.on_bytes = [](TestSession& session,
                      std::span<char>) { session.transport.output().append(pattern(20'000'000)); }},
      options);
  Peer peer(server.address(), kTinyBufferBytes);
  ASSERT_TRUE(peer.send("?"));
  EXPECT_TRUE(eventually([&] { return server.factory().closed == 1; }));
  EXPECT_EQ(server.count(CoreCounter::send_timeouts), 1U);
}

TEST(ConnectionTest, ASlowPeerIsNotGivenUpWhileItTakesSomething) {
  ServerOptions options = small_options();
  options.reactor.send_timeout_ms = 300;
  const std::string answer = pattern(400'000);
  TestServer server({.on_bytes =
                         [&](TestSession& session, std::span<char>) {
                           session.transport.output().append(answer);
                           session.finish();
                         }},
                    options);
  Peer peer(server.address(), kTinyBufferBytes);
  ASSERT_TRUE(peer.send("?"));
  std::string received;
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    received += peer.receive(10'000);
  }
  received += peer.receive_all();
  EXPECT_TRUE(received == answer);
  EXPECT_EQ(server.count(CoreCounter::send_timeouts), 0U);
}

TEST(ConnectionTest, AnExhaustedBlockPoolEndsOnlyTheConnectionThatMetIt) {
  ServerOptions options = small_options();
  options.reactor.send_blocks_max = 4;
  TestServer server({.on_bytes =
                         [](TestSession& session, std::span<char> bytes) {
                           session.transport.output().append(bytes[0] == '!' ? pattern(1'000'000)
                                                                             : std::string("fine"));
                         }},
                    options);
  Peer greedy(server.address());
  Peer modest(server.address());
  ASSERT_TRUE(greedy.send("!"));
  EXPECT_EQ(greedy.receive_all(), "") << "half an answer is never sent as if it were whole";
  ASSERT_TRUE(modest.send("?"));
  EXPECT_EQ(modest.receive(4), "fine");
  EXPECT_EQ(server.count(CoreCounter::output_overflows), 1U);
}

TEST(ConnectionTest, APeersResetClosesTheSession) {
  TestServer server;
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("x"));
  ASSERT_EQ(peer.receive(1), "x");
  peer.close_with_reset();
  EXPECT_TRUE(eventually([&] { return server.factory().closed == 1; }));
  EXPECT_EQ(server.count(CoreCounter::connections_lost), 1U);
  // Counted behind the session's end.
  EXPECT_TRUE(eventually([&] { return server.count(CoreCounter::connections_open) == 0; }));
}

TEST(ConnectionTest, SlotsAreReusedThroughALotOfComingAndGoing) {
  // Small limits, so that slots, generations and buffers are reused all the time; every way in
  // which a connection can end, on several threads.
  ServerOptions options = small_options();
  options.reactor.connections_max = 24;
  options.reactor.receive_buffers = 8;
  options.reactor.linger_timeout_ms = 20;
  TestServer server({.on_bytes =
                         [](TestSession& session, std::span<char> bytes) {
                           session.transport.output().append({bytes.data(), bytes.size()});
                           if (bytes[0] == 'f') session.finish();
                           if (bytes[0] == 'a') session.abort();
                           if (bytes[0] == 'p') {
                             session.transport.pause_reading();
                             session.transport.set_deadline(in_ms(1));
                           }
                         },
                     .on_deadline =
                         [](TestSession& session) {
                           session.transport.resume_reading();
                           session.transport.output().append("resumed");
                         }},
                    options);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 250; ++round) {
        Peer peer(server.address());
        const char kind = "efapr"[(round + thread) % 5];
        const bool sent = peer.send(std::string(1, kind) + pattern(5000));
        if (kind == 'e' && sent) {
          // Refused at the limit, or served in full.
          const std::size_t bytes = peer.receive(5001).size();
          EXPECT_TRUE(bytes == 0 || bytes == 5001) << bytes;
        }
        if (kind == 'p' && sent) static_cast<void>(peer.receive(5001));
        if (kind == 'f' || kind == 'a') static_cast<void>(peer.receive_all());
        if (kind == 'r') peer.close_with_reset();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(eventually([&] { return server.factory().open_now == 0; }));
  EXPECT_EQ(server.factory().opened + server.count(CoreCounter::connections_refused), 1000U);
  server.stop();
  EXPECT_EQ(server.count(CoreCounter::send_blocks_in_use), 0U);
}

}  // namespace
}  // namespace tokend::core::tests
