#pragma once
// Headers of the PROXY protocol, version 2, as a proxy would send them, and as none should.

#include <cstdint>
#include <string>
#include <string_view>

namespace tokend::tests {

inline std::string bytes_of_u16(std::size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xFF)};
}

inline constexpr char kProxyLocal = 0x20;
inline constexpr char kProxyProxy = 0x21;

// `payload` is all that comes behind the length.
inline std::string proxy_header(char command, char family, std::string_view payload) {
  std::string header("\r\n\r\n\0\r\nQUIT\n", 12);
  header += command;
  header += family;
  header += bytes_of_u16(payload.size());
  header += payload;
  return header;
}

// The four bytes of an IPv4 address that carries `number` as its last; the proxy is
// 198.51.100.1:80.
inline std::string proxy_header_ipv4(std::uint8_t number, std::string_view tlvs = {}) {
  const std::string source = {static_cast<char>(203), 0, 113, static_cast<char>(number)};
  const std::string destination = {static_cast<char>(198), 51, 100, 1};
  return proxy_header(
      kProxyProxy, 0x11,
      source + destination + bytes_of_u16(4242) + bytes_of_u16(80) + std::string(tlvs));
}

// 2001:db8::<number>, port 4242.
inline std::string proxy_header_ipv6(std::uint8_t number, std::string_view tlvs = {}) {
  std::string address("\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\0", 16);
  address[15] = static_cast<char>(number);
  return proxy_header(
      kProxyProxy, 0x21,
      address + std::string(16, '\1') + bytes_of_u16(4242) + bytes_of_u16(80) + std::string(tlvs));
}

inline std::string proxy_tlv(char type, std::string_view value) {
  return type + bytes_of_u16(value.size()) + std::string(value);
}

}  // namespace tokend::tests
