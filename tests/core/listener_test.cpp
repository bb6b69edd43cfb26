#include "core/listener.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "core/affinity.h"
#include "core/clock.h"
#include "core/server.h"
#include "tests/core/test_server.h"
#include "tests/support/on_cpu.h"

namespace tokend::core {
namespace {

TEST(ListenAddressTest, WellFormedAddressesComeBackAsTheirText) {
  for (const char* text : {"127.0.0.1:3000", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:3000",
                           "[::]:1", "[2001:db8::7]:443"}) {
    const auto address = parse_listen_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(text_of(*address), text);
  }
}

TEST(ListenAddressTest, AnythingElseIsRefused) {
  for (const char* text : {"",
                           ":",
                           "3000",
                           "127.0.0.1",
                           "127.0.0.1:",
                           ":3000",
                           "127.0.0.1:65536",
                           "127.0.0.1:+1",
                           "127.0.0.1:-1",
                           "127.0.0.1: 1",
                           "127.0.0.1:1 ",
                           "127.0.0.1:01",
                           "127.0.0.1:1x",
                           "127.1:80",
                           "127.0.0.1.1:80",
                           "0127.0.0.1:80",
                           "localhost:80",
                           "::1:80",
                           "[::1]",
                           "[::1]80",
                           "[]:80",
                           "[127.0.0.1]:80",
                           "[::1%lo]:80",
                           "[fe80::1%2]:80",
                           "127.0.0.1:99999999999999999999"}) {
    const auto address = parse_listen_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, Errc::io);
  }
}

TEST(ListenAddressTest, IPv4PeersAreMappedIntoIPv6) {
  const PeerAddress peer = peer_of(*parse_listen_address("192.0.2.1:77"));
  const std::uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
  EXPECT_EQ(memcmp(peer.ip, mapped, sizeof(mapped)), 0);
  EXPECT_EQ(peer.port, 77);
}

TEST(ListenOnTest, AllSocketsShareTheChosenPort) {
  const auto listeners = listen_on(*parse_listen_address("127.0.0.1:0"), 3);
  ASSERT_TRUE(listeners);
  ASSERT_EQ(listeners->sockets.size(), 3U);
  EXPECT_NE(ntohs(listeners->address.v4.sin_port), 0);
  for (const Descriptor& socket : listeners->sockets) {
    sockaddr_in bound{};
    socklen_t bytes = sizeof(bound);
    ASSERT_EQ(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &bytes), 0);
    EXPECT_EQ(bound.sin_port, listeners->address.v4.sin_port);
  }
}

TEST(ListenOnTest, APortThatOurOwnKindHoldsIsBusy) {
  for (const std::size_t cores : {1, 4}) {
    const auto first = listen_on(*parse_listen_address("127.0.0.1:0"), cores);
    ASSERT_TRUE(first);
    const auto second = listen_on(first->address, cores);
    ASSERT_FALSE(second) << "two servers would silently share the connections";
    EXPECT_EQ(second.error().code, Errc::io);
    EXPECT_NE(second.error().message.find(text_of(first->address)), std::string::npos);
  }
}

TEST(ListenOnTest, APortIsFreeAgainOnceItsHolderIsGone) {
  ListenAddress address;
  {
    const auto first = listen_on(*parse_listen_address("127.0.0.1:0"), 2);
    ASSERT_TRUE(first);
    address = first->address;
  }
  EXPECT_TRUE(listen_on(address, 2));
}

TEST(ListenOnTest, AnAddressOfAnotherMachineIsRefused) {
  EXPECT_FALSE(listen_on(*parse_listen_address("192.0.2.1:0"), 1));
}

TEST(ListenOnTest, AcceptedSocketsInheritNoDelay) {
  const auto listeners = listen_on(*parse_listen_address("127.0.0.1:0"), 1);
  ASSERT_TRUE(listeners);
  const tests::Peer peer(text_of(listeners->address));
  const Descriptor accepted(accept(listeners->sockets[0].get(), nullptr, nullptr));
  ASSERT_TRUE(accepted.valid());
  int on = 0;
  socklen_t bytes = sizeof(on);
  ASSERT_EQ(getsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &on, &bytes), 0);
  EXPECT_NE(on, 0);
}

// Which of the sockets has a connection; as many as there are where none has one in time.
std::size_t whose_connection(const Listeners& listeners) {
  std::vector<pollfd> arrived;
  for (const Descriptor& socket : listeners.sockets) arrived.push_back({socket.get(), POLLIN, 0});
  constexpr int kPatienceMs = 5000;
  EXPECT_EQ(poll(arrived.data(), arrived.size(), kPatienceMs), 1);
  std::size_t number = 0;
  while (number < arrived.size() && arrived[number].revents == 0) ++number;
  return number;
}

// On loopback the CPU that sends a packet works on its arrival as well.
TEST(ListenOnTest, AConnectionGoesToTheSocketOfTheCpuThatItsFirstPacketArrivesOn) {
  const std::vector<int> cpus = allowed_cpus();
  if (cpus.size() < 2) GTEST_SKIP() << "there is only one CPU";
  constexpr int kAbsent = 1022;
  const std::vector<int> steered = {kAbsent, cpus[1], kAbsent + 1, cpus[0]};
  for (const char* address : {"127.0.0.1:0", "[::1]:0"}) {
    const auto listeners = listen_on(*parse_listen_address(address), steered.size());
    ASSERT_TRUE(listeners);
    ASSERT_TRUE(steer_by_cpu(*listeners, steered));
    for (const std::size_t number : {1U, 3U}) {
      const tokend::tests::OnCpu on_it(steered[number]);
      for (int i = 0; i < 8; ++i) {
        const tests::Peer peer(text_of(listeners->address));
        ASSERT_EQ(whose_connection(*listeners), number);
        EXPECT_TRUE(Descriptor(accept(listeners->sockets[number].get(), nullptr, nullptr)).valid());
      }
    }
  }
}

TEST(ListenOnTest, FromAnyOtherCpuTheKernelChooses) {
  const auto listeners = listen_on(*parse_listen_address("127.0.0.1:0"), 2);
  ASSERT_TRUE(listeners);
  ASSERT_TRUE(steer_by_cpu(*listeners, std::vector{1022, 1023}));
  std::size_t first = 0;
  for (int i = 0; i < 32; ++i) {
    const tests::Peer peer(text_of(listeners->address));
    const std::size_t chosen = whose_connection(*listeners);
    ASSERT_LT(chosen, 2U);
    first += chosen == 0;
    EXPECT_TRUE(Descriptor(accept(listeners->sockets[chosen].get(), nullptr, nullptr)).valid());
  }
  EXPECT_GT(first, 0U);
  EXPECT_LT(first, 32U);
}

TEST(ListenOnTest, OneSocketIsSteeredNowhere) {
  const auto listeners = listen_on(*parse_listen_address("127.0.0.1:0"), 1);
  ASSERT_TRUE(listeners);
  EXPECT_TRUE(steer_by_cpu(*listeners, std::vector{0}));
}

TEST(ServerListenTest, ASecondServerOnTheSameAddressIsRefused) {
  tests::TestServer first;
  ServerOptions options = tests::small_options();
  options.listen = {first.address()};
  const SystemClock clock;
  Server second(options, clock);
  const auto listening = second.listen();
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error().code, Errc::io);
}

TEST(ServerListenTest, OptionsThatContradictEachOtherAreRefused) {
  const SystemClock clock;
  ServerOptions options = tests::small_options();
  options.cores = 2;
  options.cpus = {0};
  EXPECT_EQ(Server(options, clock).listen().error().code, Errc::invalid);
  options.steer_connections = true;
  for (const std::vector<int>& cpus : {std::vector{0, 0}, std::vector{0, CPU_SETSIZE - 1}}) {
    options.cpus = cpus;
    const auto listening = Server(options, clock).listen();
    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().code, Errc::invalid);
    EXPECT_NE(listening.error().message.find("--steer-connections"), std::string::npos);
  }
  options = tests::small_options();
  options.listen = {};
  EXPECT_EQ(Server(options, clock).listen().error().code, Errc::invalid);
}

TEST(ServerListenTest, IPv6IsServedAsWell) {
  ServerOptions options = tests::small_options();
  options.listen = {"[::1]:0"};
  tests::TestServer server({}, options);
  tests::Peer peer(server.address());
  peer.send("six");
  EXPECT_EQ(peer.receive(3), "six");
}

}  // namespace
}  // namespace tokend::core
