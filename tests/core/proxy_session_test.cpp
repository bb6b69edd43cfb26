// A core whose connections begin with a PROXY header, over real sockets.

#include "core/proxy_session.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "tests/core/connection_helpers.h"
#include "tests/core/test_server.h"
#include "tests/support/proxy_header_bytes.h"

namespace tokend::core::tests {
namespace {

using tokend::tests::kProxyLocal;
using tokend::tests::proxy_header;
using tokend::tests::proxy_header_ipv4;
using tokend::tests::proxy_header_ipv6;
using tokend::tests::proxy_tlv;

ServerOptions proxied_options(std::int64_t header_timeout_ms = 10'000) {
  ServerOptions options = small_options();
  options.reactor.proxy_protocol = true;
  options.reactor.proxy_header_timeout_ms = header_timeout_ms;
  return options;
}

// Answers every byte with the last byte of the peer's address, its port and the byte.
Behaviour tells_the_peer() {
  return {.on_bytes = [](TestSession& session, std::span<char> bytes) {
    const PeerAddress& peer = session.transport.peer();
    for (const char byte : bytes) {
      session.transport.output().append(std::to_string(peer.ip[15]) + ":" +
                                        std::to_string(peer.port) + byte);
    }
  }};
}

TEST(ProxySession, TheSourceIsThePeerAndTheFirstBytesMayComeWithTheHeader) {
  TestServer server(tells_the_peer(), proxied_options());
  Peer peer(server.address());
  ASSERT_TRUE(peer.send(proxy_header_ipv4(7) + "ab"));
  EXPECT_EQ(peer.receive(14), "7:4242a7:4242b");
  ASSERT_TRUE(peer.send("c"));
  EXPECT_EQ(peer.receive(7), "7:4242c");
  EXPECT_EQ(server.count(CoreCounter::proxy_headers_refused), 0U);
}

TEST(ProxySession, TheHeaderMayComeInSegmentsOfAByte) {
  TestServer server(tells_the_peer(), proxied_options());
  Peer peer(server.address());
  for (const char byte : proxy_header_ipv6(8, proxy_tlv(0x02, "example.org"))) {
    ASSERT_TRUE(peer.send({&byte, 1}));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(eventually([&] { return server.factory().opened == 1; }));
  ASSERT_TRUE(peer.send("a"));
  EXPECT_EQ(peer.receive(7), "8:4242a");
}

TEST(ProxySession, LocalKeepsTheSocketsAddress) {
  TestServer server(tells_the_peer(), proxied_options());
  Peer peer(server.address());
  ASSERT_TRUE(peer.send(proxy_header(kProxyLocal, 0x00, "") + "a"));
  const std::string expected = "1:" + std::to_string(peer.port()) + "a";
  EXPECT_EQ(peer.receive(expected.size()), expected);
}

TEST(ProxySession, NoSessionIsOpenedBeforeTheHeaderIsWhole) {
  TestServer server(tells_the_peer(), proxied_options());
  Peer peer(server.address());
  const std::string header = proxy_header_ipv4(7);
  ASSERT_TRUE(peer.send(header.substr(0, header.size() - 1)));
  ASSERT_TRUE(
      eventually([&] { return server.count(CoreCounter::received_bytes) == header.size() - 1; }));
  EXPECT_EQ(server.factory().opened, 0U);
  ASSERT_TRUE(peer.send(header.substr(header.size() - 1)));
  EXPECT_TRUE(eventually([&] { return server.factory().opened == 1; }));
}

TEST(ProxySession, WhatBeginsWithNoHeaderIsClosedAtOnceAndCounted) {
  TestServer server(tells_the_peer(), proxied_options());
  std::uint64_t refused = 0;
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"),
        std::string("PROXY TCP4 203.0.113.7 198.51.100.1 4242 80\r\nx"),
        proxy_header(0x22, 0x11, std::string(12, '\1')),
        proxy_header_ipv4(7, std::string(ProxyHeader::kBytesMax, 'x')), std::string("\r\n\r\nx")}) {
    Peer peer(server.address());
    peer.send(bytes);
    EXPECT_TRUE(peer.ended());
    ++refused;
    EXPECT_TRUE(
        eventually([&] { return server.count(CoreCounter::proxy_headers_refused) == refused; }));
  }
  EXPECT_TRUE(eventually([&] { return server.count(CoreCounter::connections_open) == 0; }));
  EXPECT_EQ(server.factory().opened, 0U);
}

TEST(ProxySession, AHeaderThatDoesNotComeWholeInTimeEndsTheConnection) {
  TestServer server(tells_the_peer(), proxied_options(50));
  Peer silent(server.address());
  Peer slow(server.address());
  ASSERT_TRUE(slow.send(proxy_header_ipv4(7).substr(0, 20)));
  EXPECT_TRUE(silent.ended());
  EXPECT_TRUE(slow.ended());
  EXPECT_TRUE(eventually([&] { return server.count(CoreCounter::proxy_headers_refused) == 2; }));
}

TEST(ProxySession, TheHeadersDeadlineEndsWithIt) {
  TestServer server(tells_the_peer(), proxied_options(50));
  Peer peer(server.address());
  ASSERT_TRUE(peer.send(proxy_header_ipv4(7)));
  ASSERT_TRUE(eventually([&] { return server.factory().opened == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  ASSERT_TRUE(peer.send("a"));
  EXPECT_EQ(peer.receive(7), "7:4242a");
}

TEST(ProxySession, OnlyAnEndInsideTheHeaderIsCounted) {
  TestServer server(tells_the_peer(), proxied_options());
  Peer checking(server.address());
  checking.half_close();
  EXPECT_TRUE(checking.ended());
  Peer cut(server.address());
  ASSERT_TRUE(cut.send(proxy_header_ipv4(7).substr(0, 5)));
  cut.half_close();
  EXPECT_TRUE(cut.ended());
  EXPECT_TRUE(eventually([&] { return server.count(CoreCounter::proxy_headers_refused) == 1; }));
  EXPECT_TRUE(eventually([&] { return server.count(CoreCounter::connections_open) == 0; }));
}

TEST(ProxySession, AtTheLimitOfSessionsTheConnectionIsRefused) {
  TestServer server(tells_the_peer(), proxied_options());
  server.factory().sessions_max = 1;
  Peer first(server.address());
  ASSERT_TRUE(first.send(proxy_header_ipv4(7) + "a"));
  EXPECT_EQ(first.receive(7), "7:4242a");
  Peer second(server.address());
  ASSERT_TRUE(second.send(proxy_header_ipv4(8) + "a"));
  EXPECT_TRUE(second.ended());
  EXPECT_EQ(server.count(CoreCounter::connections_refused), 1U);
  first.close();
  ASSERT_TRUE(eventually([&] { return server.factory().open_now == 0; }));
  Peer third(server.address());
  ASSERT_TRUE(third.send(proxy_header_ipv4(9) + "a"));
  EXPECT_EQ(third.receive(7), "9:4242a");
}

TEST(ProxySession, TheSessionGetsItsEndItsDeadlineAndItsDrain) {
  std::atomic<int> ends{0};
  std::atomic<int> deadlines{0};
  std::atomic<int> drains{0};
  TestServer server(
      {.on_open = [](TestSession& session) { session.transport.set_deadline(in_ms(20)); },
       .on_end_of_input =
           [&](TestSession& session) {
             ++ends;
             session.finish();
           },
       .on_deadline = [&](TestSession&) { ++deadlines; },
       .on_drain =
           [&](TestSession& session) {
             ++drains;
             session.finish();
           }},
      proxied_options());
  Peer peer(server.address());
  Peer staying(server.address());
  Peer unannounced(server.address());
  ASSERT_TRUE(peer.send(proxy_header_ipv4(7)));
  ASSERT_TRUE(staying.send(proxy_header_ipv4(7)));
  EXPECT_TRUE(eventually([&] { return deadlines == 2; }));
  peer.half_close();
  EXPECT_TRUE(peer.ended());
  EXPECT_EQ(ends, 1);
  ASSERT_TRUE(eventually([&] { return server.count(CoreCounter::connections_open) == 2; }));
  server.stop();
  EXPECT_EQ(drains, 1);
  EXPECT_TRUE(staying.ended());
  EXPECT_TRUE(unannounced.ended());
  EXPECT_EQ(server.factory().closed, 2U);
}

}  // namespace
}  // namespace tokend::core::tests
