#include "core/proxy_header.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"

namespace tokend::core {
namespace {

constexpr std::uint8_t kSignature[] = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                       0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
// The byte behind it: the version's four bits, then the command's.
constexpr std::size_t kCommandAt = 12;
constexpr std::uint8_t kLocal = 0x20;
constexpr std::uint8_t kProxy = 0x21;
constexpr std::size_t kFamilyAt = 13;
constexpr std::uint8_t kTcpOverIpv4 = 0x11;
constexpr std::uint8_t kTcpOverIpv6 = 0x21;
constexpr std::size_t kLengthAt = 14;
constexpr std::size_t kSourceAt = 16;

constexpr std::size_t kUnknownFamily = SIZE_MAX;

// Of both addresses and ports of a connection; kUnknownFamily: the protocol has no such family and
// transport, and a receiver must refuse it.
std::size_t address_bytes_of(std::uint8_t family) noexcept {
  switch (family) {
    case 0x00: return 0;  // unspecified
    case kTcpOverIpv4:
    case 0x12: return 2 * (4 + 2);  // UDP over IPv4
    case kTcpOverIpv6:
    case 0x22: return 2 * (16 + 2);  // UDP over IPv6
    case 0x31:
    case 0x32: return 2 * 108;  // Unix stream, Unix datagram
    default: return kUnknownFamily;
  }
}

std::uint16_t read_big_endian(const std::uint8_t* at) noexcept {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}

}  // namespace

std::size_t ProxyHeader::length() const noexcept {
  return kFixedBytes + read_big_endian(bytes_ + kLengthAt);
}

// Whether what is held so far is the beginning of a header.
bool ProxyHeader::acceptable() const noexcept {
  static_assert(sizeof(kSignature) == kSignatureBytes);
  if (std::memcmp(bytes_, kSignature, std::min(held_, kSignatureBytes)) != 0) return false;
  if (held_ > kCommandAt && bytes_[kCommandAt] != kLocal && bytes_[kCommandAt] != kProxy) {
    return false;
  }
  if (held_ < kFixedBytes) return true;
  if (length() > kBytesMax) return false;
  // What comes with LOCAL is skipped, its family included.
  if (bytes_[kCommandAt] == kLocal) return true;
  const std::size_t wanted = address_bytes_of(bytes_[kFamilyAt]);
  return wanted != kUnknownFamily && length() >= kFixedBytes + wanted;
}

ProxyHeader::Result ProxyHeader::take(std::span<const char> bytes) noexcept {
  std::size_t consumed = 0;
  const auto advance = [&](std::size_t header_bytes) {
    const std::size_t fresh = std::min(header_bytes - held_, bytes.size() - consumed);
    if (held_ < sizeof(bytes_)) {
      std::memcpy(bytes_ + held_, bytes.data() + consumed, std::min(fresh, sizeof(bytes_) - held_));
    }
    held_ += fresh;
    consumed += fresh;
  };
  if (held_ < kFixedBytes) {
    advance(kFixedBytes);
    if (!acceptable()) return {Status::refused, consumed};
    if (held_ < kFixedBytes) return {Status::need_more, consumed};
  }
  CHECK(held_ <= length());
  advance(length());
  return {held_ == length() ? Status::complete : Status::need_more, consumed};
}

std::optional<PeerAddress> ProxyHeader::source() const noexcept {
  if (bytes_[kCommandAt] != kProxy) return std::nullopt;
  PeerAddress source;
  if (bytes_[kFamilyAt] == kTcpOverIpv4) {
    source.ip[10] = source.ip[11] = 0xFF;
    std::memcpy(source.ip + 12, bytes_ + kSourceAt, 4);
    source.port = read_big_endian(bytes_ + kSourceAt + 2 * 4);
    return source;
  }
  if (bytes_[kFamilyAt] == kTcpOverIpv6) {
    std::memcpy(source.ip, bytes_ + kSourceAt, 16);
    source.port = read_big_endian(bytes_ + kSourceAt + 2 * 16);
    return source;
  }
  return std::nullopt;
}

}  // namespace tokend::core
