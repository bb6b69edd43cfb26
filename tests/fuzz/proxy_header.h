#pragma once
// One fuzz input through core::ProxyHeader: what its fuzzer and the replay of its corpus share.
//
// The input: one byte n, then the stream. It is taken once whole and once in pieces of n % 16 + 1
// bytes; both must end alike, consume alike and name the same source. What is complete must be what
// the document calls a header.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "core/proxy_header.h"

namespace tokend::core::testing {

struct ProxyHeaderOutcome {
  ProxyHeader::Status status = ProxyHeader::Status::need_more;
  std::size_t consumed = 0;
  std::optional<PeerAddress> source;
};

inline ProxyHeaderOutcome take_in_pieces(std::string_view stream, std::size_t piece_bytes) {
  ProxyHeader header;
  ProxyHeaderOutcome outcome;
  while (outcome.consumed < stream.size() && outcome.status == ProxyHeader::Status::need_more) {
    const std::string_view piece = stream.substr(outcome.consumed, piece_bytes);
    const ProxyHeader::Result result = header.take({piece.data(), piece.size()});
    CHECK(result.consumed > 0 && result.consumed <= piece.size());
    CHECK(result.status != ProxyHeader::Status::need_more || result.consumed == piece.size());
    outcome.status = result.status;
    outcome.consumed += result.consumed;
    CHECK(outcome.consumed <= ProxyHeader::kBytesMax && header.begun());
  }
  if (outcome.status == ProxyHeader::Status::complete) outcome.source = header.source();
  return outcome;
}

inline bool same(const std::optional<PeerAddress>& left, const std::optional<PeerAddress>& right) {
  if (!left || !right) return left.has_value() == right.has_value();
  return left->port == right->port && std::memcmp(left->ip, right->ip, sizeof(left->ip)) == 0;
}

inline void run_proxy_header_input(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return;
  const std::string_view stream(reinterpret_cast<const char*>(data + 1), size - 1);
  const ProxyHeaderOutcome whole = take_in_pieces(stream, stream.size());
  const ProxyHeaderOutcome pieces = take_in_pieces(stream, data[0] % 16 + 1U);
  CHECK(whole.status == pieces.status && same(whole.source, pieces.source));
  // A refusal may be seen earlier in pieces.
  CHECK(whole.status == ProxyHeader::Status::refused || whole.consumed == pieces.consumed);
  if (whole.status != ProxyHeader::Status::complete) return;
  const auto* bytes = data + 1;
  CHECK(std::memcmp(bytes, "\r\n\r\n\0\r\nQUIT\n", 12) == 0 && bytes[12] >> 4 == 2);
  CHECK(whole.consumed == 16U + (bytes[14] << 8 | bytes[15]));
  CHECK(whole.source.has_value() ==
        (bytes[12] == 0x21 && (bytes[13] == 0x11 || bytes[13] == 0x21)));
}

}  // namespace tokend::core::testing
