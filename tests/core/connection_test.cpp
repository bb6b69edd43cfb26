#include "core/connection.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/core/connection_helpers.h"
#include "tests/core/test_server.h"

namespace tokend::core::tests {
namespace {

// ---- Bytes in, bytes out ----------------------------------------------------------------------

TEST(ConnectionTest, WhatIsSentComesBack) {
  TestServer server;
  Peer peer(server.address());
  for (int round = 0; round < 50; ++round) {
    const std::string text = pattern(static_cast<std::size_t>(round) * 37 + 1);
    ASSERT_TRUE(peer.send(text));
    ASSERT_EQ(peer.receive(text.size()), text);
  }
}

TEST(ConnectionTest, PartialSendsKeepTheOrderOfBytes) {
  TestServer server;
  Peer peer(server.address(), kTinyBufferBytes);
  const std::string text = pattern(3'000'000);
  std::thread sender([&] {
    EXPECT_TRUE(peer.send(text));
    peer.half_close();
  });
  const std::string received = peer.receive_all();
  sender.join();
  EXPECT_EQ(received.size(), text.size());
  EXPECT_TRUE(received == text);
}

TEST(ConnectionTest, OutputOfManyBlocksGoesOutInOrder) {
  const std::string answer = pattern(40 * Block::kCapacity + 123);
  TestServer server({.on_bytes = [&](TestSession& session, std::span<char>) {
    session.transport.output().append(answer);
  }});
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("?"));
  EXPECT_TRUE(peer.receive(answer.size()) == answer);
}

TEST(ConnectionTest, MoreGatheredSendsThanTheArenaHoldsInOneTurn) {
  const std::string answer = pattern(2 * Block::kCapacity);
  ServerOptions options = small_options();
  options.reactor.connections_max = 512;
  TestServer server({.on_bytes = {}}, options);
  std::vector<std::unique_ptr<Peer>> peers;
  for (std::size_t index = 0; index < GatherArena::kGathersMax + 20; ++index) {
    peers.push_back(std::make_unique<Peer>(server.address()));
  }
  ASSERT_TRUE(eventually([&] { return server.factory().open_now == peers.size(); }));
  server.on_core([&] {
    for (TestSession* session : server.factory().sessions) {
      session->transport.output().append(answer);
      session->transport.flush_later();
    }
  });
  for (auto& peer : peers) ASSERT_TRUE(peer->receive(answer.size()) == answer);
}

TEST(ConnectionTest, OutputWrittenOutsideOfACallbackIsFlushed) {
  TestServer server;
  Peer peer(server.address());
  ASSERT_TRUE(eventually([&] { return server.factory().open_now == 1; }));
  server.on_core([&] {
    Transport& transport = server.factory().sessions.front()->transport;
    transport.output().append("unasked");
    transport.flush_later();
    transport.flush_later();
  });
  EXPECT_EQ(peer.receive(7), "unasked");
}

TEST(ConnectionTest, TheSessionHearsWhenItsOutputWasTaken) {
  TestServer server({.on_output_sent = [](TestSession& session) {
    if (++session.calls == 1) session.transport.output().append(" and more");
  }});
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("some"));
  EXPECT_EQ(peer.receive(13), "some and more");
}

TEST(ConnectionTest, ThePeersAddressIsKnown) {
  std::atomic<int> port{0};
  std::atomic<bool> mapped{false};
  TestServer server({.on_open = [&](TestSession& session) {
    const std::uint8_t loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    mapped = std::memcmp(session.transport.peer().ip, loopback, sizeof(loopback)) == 0;
    port = session.transport.peer().port;
  }});
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("x"));
  ASSERT_EQ(peer.receive(1), "x");
  EXPECT_EQ(port, peer.port());
  EXPECT_TRUE(mapped);
}

TEST(ConnectionTest, InputIsFollowedByReadablePadding) {
  TestServer server({.on_bytes = [](TestSession& session, std::span<char> bytes) {
    volatile char sum = 0;
    for (std::size_t index = 0; index < kReceivePaddingBytes; ++index) {
      sum = static_cast<char>(sum + bytes.data()[bytes.size() + index]);
    }
    session.received.append(bytes.data(), bytes.size());
    if (session.received.size() == 200'000) session.transport.output().append("whole");
  }});
  Peer peer(server.address());
  ASSERT_TRUE(peer.send(std::string(200'000, 'x')));
  EXPECT_EQ(peer.receive(5), "whole");
}

// ---- Flow control -----------------------------------------------------------------------------

TEST(ConnectionTest, APausedSessionGetsEverythingLaterAndInOrder) {
  // Pauses after every delivery and resumes by its deadline, while the peer never stops.
  TestServer server({.on_bytes =
                         [](TestSession& session, std::span<char> bytes) {
                           CHECK(session.calls == 0);
                           session.calls = 1;
                           session.received.append(bytes.data(), bytes.size());
                           session.transport.pause_reading();
                           session.transport.set_deadline(in_ms(2));
                         },
                     .on_end_of_input =
                         [](TestSession& session) {
                           CHECK(session.calls == 0);
                           session.transport.output().append(session.received);
                           session.finish();
                         },
                     .on_deadline =
                         [](TestSession& session) {
                           session.calls = 0;
                           session.transport.resume_reading();
                         }});
  Peer peer(server.address());
  const std::string text = pattern(400'000);
  std::thread sender([&] {
    EXPECT_TRUE(peer.send(text));
    peer.half_close();
  });
  const std::string received = peer.receive_all();
  sender.join();
  EXPECT_TRUE(received == text) << received.size() << " bytes";
}

TEST(ConnectionTest, PausingAndResumingInOneCallbackChangesNothing) {
  TestServer server({.on_bytes = [](TestSession& session, std::span<char> bytes) {
    session.transport.output().append({bytes.data(), bytes.size()});
    session.transport.pause_reading();
    session.transport.pause_reading();
    session.transport.resume_reading();
    session.transport.resume_reading();
  }});
  Peer peer(server.address());
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(peer.send("again"));
    ASSERT_EQ(peer.receive(5), "again");
  }
}

TEST(ConnectionTest, TheEndOfInputIsToldAfterHeldBytes) {
  std::atomic<int> deliveries{0};
  TestServer server({.on_open = [](TestSession& session) { session.transport.pause_reading(); },
                     .on_bytes =
                         [&](TestSession& session, std::span<char> bytes) {
                           ++deliveries;
                           session.received.append(bytes.data(), bytes.size());
                         },
                     .on_end_of_input =
                         [](TestSession& session) {
                           session.transport.output().append(session.received);
                           session.finish();
                         }});
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("before the end"));
  peer.half_close();
  ASSERT_TRUE(eventually([&] { return server.factory().open_now == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(deliveries, 0);
  server.on_core([&] { server.factory().sessions.front()->transport.resume_reading(); });
  EXPECT_EQ(peer.receive_all(), "before the end");
}

TEST(ConnectionTest, APausedConnectionHoldsNoReceiveBuffers) {
  ServerOptions options = small_options();
  options.reactor.receive_buffers = 2;
  std::atomic<int> opened{0};
  TestServer server({.on_open =
                         [&](TestSession& session) {
                           session.calls = opened++;
                           if (session.calls < 8) session.transport.pause_reading();
                         }},
                    options);
  std::vector<std::unique_ptr<Peer>> silent;
  for (int index = 0; index < 8; ++index) {
    silent.push_back(std::make_unique<Peer>(server.address()));
    ASSERT_TRUE(silent.back()->send(pattern(1000)));
  }
  ASSERT_TRUE(eventually([&] { return opened == 8; }));
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("served all the same"));
  EXPECT_EQ(peer.receive(19), "served all the same");
  server.on_core([&] {
    for (TestSession* session : server.factory().sessions) session->transport.resume_reading();
  });
  for (auto& late : silent) EXPECT_EQ(late->receive(1000), pattern(1000));
}

TEST(ConnectionTest, AbortWhileHeldBytesAreDeliveredDropsTheRest) {
  TestServer server({.on_bytes = [](TestSession& session, std::span<char>) {
    CHECK(session.calls < 2);
    if (++session.calls == 1) {
      session.transport.pause_reading();
    } else {
      session.abort();
    }
  }});
  Peer peer(server.address());
  ASSERT_TRUE(peer.send("x"));
  ASSERT_TRUE(eventually([&] { return server.count(CoreCounter::received_bytes) == 1; }));
  ASSERT_TRUE(peer.send(pattern(100'000)));
  ASSERT_TRUE(eventually([&] { return server.count(CoreCounter::received_bytes) > 1; }));
  server.on_core([&] { server.factory().sessions.front()->transport.resume_reading(); });
  EXPECT_TRUE(peer.ended());
  EXPECT_TRUE(eventually([&] { return server.factory().closed == 1; }));
}

TEST(ConnectionTest, FewBuffersServeManyConnections) {
  ServerOptions options = small_options();
  options.reactor.receive_buffers = 2;
  options.reactor.receive_buffer_bytes = 512;
  TestServer server({}, options);
  constexpr unsigned kPeers = 16;
  std::vector<std::unique_ptr<Peer>> peers;
  for (unsigned index = 0; index < kPeers; ++index) {
    peers.push_back(std::make_unique<Peer>(server.address()));
  }
  ASSERT_TRUE(eventually([&] { return server.factory().open_now == kPeers; }));
  std::promise<void> all_have_sent;
  std::thread blocked([&] { server.on_core([&] { all_have_sent.get_future().wait(); }); });
  for (unsigned index = 0; index < kPeers; ++index) {
    ASSERT_TRUE(peers[index]->send(pattern(20'000, index)));
  }
  all_have_sent.set_value();
  blocked.join();
  for (unsigned index = 0; index < kPeers; ++index) {
    ASSERT_TRUE(peers[index]->receive(20'000) == pattern(20'000, index));
  }
  EXPECT_GT(server.count(CoreCounter::receive_buffer_shortages), 0U);
}

// ---- Deadlines --------------------------------------------------------------------------------

TEST(ConnectionTest, ADeadlineComesOnceAndNotEarly) {
  std::atomic<std::int64_t> deadline_ns{0};
  std::atomic<std::int64_t> came_ns{0};
  std::atomic<int> count{0};
  TestServer server({.on_open =
                         [&](TestSession& session) {
                           deadline_ns = in_ms(30);
                           session.transport.set_deadline(deadline_ns);
                         },
                     .on_deadline =
                         [&](TestSession&) {
                           came_ns = SystemClock{}.monotonic_ns();
                           ++count;
                         }});
  Peer peer(server.address());
  ASSERT_TRUE(eventually([&] { return count > 0; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(count, 1);
  EXPECT_GE(came_ns, deadline_ns);
}

TEST(ConnectionTest, ADeadlineMovesBothWaysAndCanBeTakenBack) {
  std::atomic<int> late{0};
  std::atomic<int> early{0};
  std::atomic<int> never{0};
  TestServer server(
      {.on_bytes =
           [](TestSession& session, std::span<char> bytes) {
             session.received.assign(bytes.data(), bytes.size());
             session.transport.set_deadline(in_ms(50));
             if (bytes[0] == 'l') session.transport.set_deadline(in_ms(60'000));
             if (bytes[0] == 'e') session.transport.set_deadline(in_ms(1));
             if (bytes[0] == 'n') session.transport.set_deadline(kNoDeadline);
           },
       .on_deadline =
           [&](TestSession& session) {
             ++(session.received == "l" ? late : session.received == "e" ? early : never);
           }});
  Peer first(server.address());
  Peer second(server.address());
  Peer third(server.address());
  ASSERT_TRUE(first.send("l"));
  ASSERT_TRUE(second.send("n"));
  ASSERT_TRUE(third.send("e"));
  ASSERT_TRUE(eventually([&] { return early == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(80));
  EXPECT_EQ(late, 0);
  EXPECT_EQ(never, 0);
  EXPECT_EQ(early, 1);
}

}  // namespace
}  // namespace tokend::core::tests
