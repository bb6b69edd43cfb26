#pragma once
// What a proxy says in front of a connection's own bytes about whom it carries: the header of the
// PROXY protocol, version 2 (haproxy's doc/proxy-protocol.txt, section 2.2). It is read as it
// arrives and nothing but its fixed parts is kept, so what follows the addresses costs no memory.
//
// Refused as soon as the signature or the fixed part shows it: another signature (version 1 and
// everything that is no header), another version or command, a family and transport that the
// protocol does not have, a length too short for its addresses or beyond kBytesMax.
//
// Concurrency: one thread each.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/session.h"

namespace tokend::core {

class ProxyHeader {
 public:
  // The whole header with its TLVs, which are skipped. The protocol's own bound is 65,551; this is
  // room for all that it defines, a client's certificate included.
  static constexpr std::size_t kBytesMax = 4096;

  enum class Status : std::uint8_t { need_more, complete, refused };
  struct Result {
    Status status;
    std::size_t consumed;  // what is behind belongs to the connection itself
  };

  // The next bytes of the connection, at least one. Not after `complete` or `refused`.
  [[nodiscard]] Result take(std::span<const char> bytes) noexcept;
  [[nodiscard]] bool begun() const noexcept { return held_ > 0; }

  // After `complete`: who is carried. Nothing where the proxy speaks for itself (LOCAL: its health
  // checks) or carries what is not TCP over IP; the socket's address holds then (section 2.2: a
  // receiver falls back to that for families that it does not support).
  [[nodiscard]] std::optional<PeerAddress> source() const noexcept;

 private:
  static constexpr std::size_t kSignatureBytes = 12;
  static constexpr std::size_t kFixedBytes = 16;  // signature, version and command, family, length
  static constexpr std::size_t kAddressBytes = 36;  // of IPv6, the longest that is read

  [[nodiscard]] bool acceptable() const noexcept;
  [[nodiscard]] std::size_t length() const noexcept;

  std::uint8_t bytes_[kFixedBytes + kAddressBytes] = {};
  std::size_t held_ = 0;  // of the header; those beyond bytes_ were skipped
};

}  // namespace tokend::core
