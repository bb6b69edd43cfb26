#include "core/listener.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <utility>

namespace tokend::core {
namespace {

constexpr std::size_t kAddressCharactersMax = INET6_ADDRSTRLEN - 1;

std::unexpected<Error> bad_address(std::string_view text) {
  return fail(Errc::io, "not an address to listen on: \"" + std::string(text) +
                            "\" (like 127.0.0.1:3000 or [::1]:3000)");
}

bool parse_port(std::string_view text, in_port_t& port) noexcept {
  unsigned number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number > 65'535) return false;
  if (text.size() > 1 && text.front() == '0') return false;
  port = htons(static_cast<in_port_t>(number));
  return true;
}

bool set_option(int socket, int level, int name) noexcept {
  const int on = 1;
  return setsockopt(socket, level, name, &on, sizeof(on)) == 0;
}

enum class Claim { whole, shared };

Result<Descriptor> listen_once(const ListenAddress& address, Claim claim) {
  Descriptor made(socket(address.generic.sa_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  const int socket = made.get();
  // SO_REUSEADDR lets a restart bind while old connections are in TIME_WAIT. TCP_NODELAY is
  // inherited by the accepted sockets, which saves a system call for each of them.
  const bool ready =
      made.valid() && set_option(socket, SOL_SOCKET, SO_REUSEADDR) &&
      set_option(socket, IPPROTO_TCP, TCP_NODELAY) &&
      (address.generic.sa_family != AF_INET6 || set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY)) &&
      (claim == Claim::whole || set_option(socket, SOL_SOCKET, SO_REUSEPORT)) &&
      bind(socket, &address.generic, address.bytes) == 0 && ::listen(socket, kListenBacklog) == 0 &&
      (claim == Claim::shared || set_option(socket, SOL_SOCKET, SO_REUSEPORT));
  if (ready) return made;
  return fail(Errc::io, "cannot listen on " + text_of(address) + ": " + std::strerror(errno));
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad_address(text);
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  in_port_t port = 0;
  if (host.size() > kAddressCharactersMax || host.find('\0') != std::string_view::npos ||
      !parse_port(text.substr(colon + 1), port)) {
    return bad_address(text);
  }
  const std::string number(host);
  ListenAddress address{};
  if (bracketed) {
    address.v6 = {};
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = port;
    address.bytes = sizeof(address.v6);
    if (inet_pton(AF_INET6, number.c_str(), &address.v6.sin6_addr) != 1) return bad_address(text);
  } else {
    address.v4 = {};
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = port;
    address.bytes = sizeof(address.v4);
    if (inet_pton(AF_INET, number.c_str(), &address.v4.sin_addr) != 1) return bad_address(text);
  }
  return address;
}

std::string text_of(const ListenAddress& address) {
  char number[INET6_ADDRSTRLEN] = {};
  if (address.generic.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &address.v6.sin6_addr, number, sizeof(number));
    return std::string("[").append(number).append("]:") +
           std::to_string(ntohs(address.v6.sin6_port));
  }
  inet_ntop(AF_INET, &address.v4.sin_addr, number, sizeof(number));
  return std::string(number).append(":") + std::to_string(ntohs(address.v4.sin_port));
}

PeerAddress peer_of(const ListenAddress& address) noexcept {
  PeerAddress peer;
  if (address.generic.sa_family == AF_INET6) {
    std::memcpy(peer.ip, &address.v6.sin6_addr, sizeof(peer.ip));
    peer.port = ntohs(address.v6.sin6_port);
  } else if (address.generic.sa_family == AF_INET) {
    peer.ip[10] = peer.ip[11] = 0xff;
    std::memcpy(peer.ip + 12, &address.v4.sin_addr, 4);
    peer.port = ntohs(address.v4.sin_port);
  }
  return peer;
}

// With SO_REUSEPORT alone a second process of the same user would silently take half of the
// connections. So the first socket binds and listens without the option: that fails while anybody
// else is there, and it is one atomic step in the kernel. Only then it allows sharing, and the
// other cores' sockets join; a socket that joins makes the first one's group. Another process that
// does the same fails at its first step, because a listening socket without the option shares with
// nobody.
Result<Listeners> listen_on(const ListenAddress& address, std::size_t count) {
  Listeners listeners;
  listeners.address = address;
  for (std::size_t index = 0; index < count; ++index) {
    auto made = listen_once(listeners.address, index == 0 ? Claim::whole : Claim::shared);
    if (!made) return std::unexpected(std::move(made.error()));
    if (index == 0) {
      listeners.address.bytes = sizeof(sockaddr_in6);
      if (getsockname(made->get(), &listeners.address.generic, &listeners.address.bytes) != 0) {
        return fail(Errc::io, std::string("getsockname: ") + std::strerror(errno));
      }
    }
    listeners.sockets.push_back(std::move(*made));
  }
  return listeners;
}

Result<void> steer_by_cpu(const Listeners& listeners, std::span<const int> cpus) {
  CHECK(cpus.size() == listeners.sockets.size());
  // One socket is no group.
  if (cpus.size() < 2) return {};
  // A classic BPF program (socket(7), SO_ATTACH_REUSEPORT_CBPF): the number that it returns is that
  // of the socket, in the order in which they joined; one that there is not leaves it to the
  // kernel.
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_CPU))};
  for (std::uint32_t number = 0; number < cpus.size(); ++number) {
    program.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(cpus[number]), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, number));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, UINT32_MAX));
  CHECK(program.size() <= BPF_MAXINSNS);
  const sock_fprog attached{static_cast<unsigned short>(program.size()), program.data()};
  if (setsockopt(listeners.sockets.front().get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached,
                 sizeof(attached)) == 0) {
    return {};
  }
  return fail(Errc::io, "--steer-connections: cannot steer those of " + text_of(listeners.address) +
                            ": " + std::strerror(errno));
}

}  // namespace tokend::core
