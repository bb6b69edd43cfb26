#pragma once
// Listening sockets. Addresses are parsed strictly, and a port belongs to one process.

#include <netinet/in.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/descriptor.h"
#include "core/error.h"
#include "core/session.h"

namespace tokend::core {

inline constexpr int kListenBacklog = 4096;  // the kernel cuts it at net.core.somaxconn

// An IPv4 or IPv6 socket address.
struct ListenAddress {
  union {
    sockaddr generic;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  socklen_t bytes = 0;
};

// "127.0.0.1:3000" or "[::1]:3000": numbers only, no names, no scope, the port without sign or
// leading zero.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);
[[nodiscard]] std::string text_of(const ListenAddress& address);
[[nodiscard]] PeerAddress peer_of(const ListenAddress& address) noexcept;

struct Listeners {
  std::vector<Descriptor> sockets;  // one for each core
  ListenAddress address;            // with the real port
};

// `count` sockets that share the address among them and with nobody else. Errc::io: it is busy, not
// permitted or not this machine's.
[[nodiscard]] Result<Listeners> listen_on(const ListenAddress& address, std::size_t count);

// Before any connection: from now on one whose first packet is worked on by the CPU `cpus[i]` is
// accepted by the i-th socket, all others by whom the kernel chooses. With a network card whose
// queues interrupt these CPUs the whole way of a packet is then one CPU's. SO_INCOMING_CPU says the
// same in one word, but is not looked at within a group of sockets before Linux 6.2. Errc::io.
// Sockets that are closed one by one shift the others' numbers: only where all end.
[[nodiscard]] Result<void> steer_by_cpu(const Listeners& listeners, std::span<const int> cpus);

}  // namespace tokend::core
