#include "core/proxy_header.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>

#include <optional>
#include <string>
#include <string_view>

#include "tests/support/proxy_header_bytes.h"

namespace tokend::core {
namespace {

using tokend::tests::bytes_of_u16;
using tokend::tests::kProxyLocal;
using tokend::tests::kProxyProxy;
using tokend::tests::proxy_header;
using tokend::tests::proxy_header_ipv4;
using tokend::tests::proxy_header_ipv6;
using tokend::tests::proxy_tlv;
using Status = ProxyHeader::Status;

// "address port", "none" where the socket's address holds, or what else came of the bytes.
std::string told_by(std::string_view bytes) {
  ProxyHeader header;
  const auto result = header.take({bytes.data(), bytes.size()});
  if (result.status == Status::refused) return "refused";
  if (result.status == Status::need_more) return "more";
  EXPECT_EQ(result.consumed, bytes.size());
  const std::optional<PeerAddress> source = header.source();
  if (!source) return "none";
  char text[INET6_ADDRSTRLEN];
  EXPECT_NE(inet_ntop(AF_INET6, source->ip, text, sizeof(text)), nullptr);
  return std::string(text) + " " + std::to_string(source->port);
}

const std::string kIpv4Addresses(12, '\1');

TEST(ProxyHeader, NamesTheSourceOfTcpOverIp) {
  EXPECT_EQ(told_by(proxy_header_ipv4(7)), "::ffff:203.0.113.7 4242");
  EXPECT_EQ(told_by(proxy_header_ipv6(7)), "2001:db8::7 4242");
}

TEST(ProxyHeader, WhatFollowsTheAddressesIsSkipped) {
  const std::string tlvs = proxy_tlv(0x02, "example.org") + proxy_tlv(0x04, "") +
                           proxy_tlv(0x20, std::string(300, '\xFF'));
  EXPECT_EQ(told_by(proxy_header_ipv4(7, tlvs)), "::ffff:203.0.113.7 4242");
  EXPECT_EQ(told_by(proxy_header_ipv6(7, tlvs)), "2001:db8::7 4242");
}

TEST(ProxyHeader, LocalKeepsTheSocketsAddressWhateverComesWithIt) {
  EXPECT_EQ(told_by(proxy_header(kProxyLocal, 0x00, "")), "none");
  EXPECT_EQ(told_by(proxy_header(kProxyLocal, 0x11, kIpv4Addresses)), "none");
  EXPECT_EQ(told_by(proxy_header(kProxyLocal, 0x7F, "abc")), "none");
}

TEST(ProxyHeader, FamiliesThatAreNoTcpOverIpKeepTheSocketsAddress) {
  EXPECT_EQ(told_by(proxy_header(kProxyProxy, 0x00, "")), "none");
  EXPECT_EQ(told_by(proxy_header(kProxyProxy, 0x00, "anything")), "none");
  EXPECT_EQ(told_by(proxy_header(kProxyProxy, 0x12, kIpv4Addresses)), "none");
  EXPECT_EQ(told_by(proxy_header(kProxyProxy, 0x22, std::string(36, '\1'))), "none");
  EXPECT_EQ(told_by(proxy_header(kProxyProxy, 0x31, std::string(216, '\1'))), "none");
  EXPECT_EQ(told_by(proxy_header(kProxyProxy, 0x32, std::string(216, '\1'))), "none");
}

TEST(ProxyHeader, AnotherCommandVersionOrFamilyIsRefused) {
  for (int command = 0; command < 256; ++command) {
    const std::string expected = command == kProxyLocal   ? "none"
                                 : command == kProxyProxy ? "::ffff:203.0.113.7 4242"
                                                          : "refused";
    std::string header = proxy_header_ipv4(7);
    header[12] = static_cast<char>(command);
    EXPECT_EQ(told_by(header), expected) << command;
  }
  for (int family = 0; family < 256; ++family) {
    const int high = family >> 4;
    const int low = family & 15;
    const bool known = family == 0 || (high >= 1 && high <= 3 && (low == 1 || low == 2));
    const std::string header =
        proxy_header(kProxyProxy, static_cast<char>(family), std::string(216, '\1'));
    EXPECT_EQ(told_by(header) != "refused", known) << family;
  }
}

TEST(ProxyHeader, ALengthTooShortForItsAddressesIsRefused) {
  EXPECT_EQ(told_by(proxy_header(kProxyProxy, 0x11, std::string(11, '\1'))), "refused");
  EXPECT_EQ(told_by(proxy_header(kProxyProxy, 0x21, std::string(35, '\1'))), "refused");
  EXPECT_EQ(told_by(proxy_header(kProxyProxy, 0x31, std::string(215, '\1'))), "refused");
}

TEST(ProxyHeader, LongerThanTheLimitIsRefusedByItsLengthAlone) {
  const std::size_t room = ProxyHeader::kBytesMax - proxy_header_ipv4(7).size();
  EXPECT_EQ(told_by(proxy_header_ipv4(7, std::string(room, 'x'))), "::ffff:203.0.113.7 4242");
  EXPECT_EQ(told_by(proxy_header_ipv4(7, std::string(room + 1, 'x'))), "refused");
  EXPECT_EQ(told_by(proxy_header_ipv4(7, std::string(room + 1, 'x')).substr(0, 16)), "refused");
  EXPECT_EQ(told_by(proxy_header(kProxyLocal, 0x00, std::string(65'535, 'x'))), "refused");
}

TEST(ProxyHeader, WhatIsNoHeaderIsRefusedAtItsFirstWrongByte) {
  EXPECT_EQ(told_by("G"), "refused");
  EXPECT_EQ(told_by("PROXY TCP4 203.0.113.7 198.51.100.1 4242 80\r\n"), "refused");
  EXPECT_EQ(told_by("\r\n\r\nGET /"), "refused");
  const std::string header = proxy_header_ipv4(7);
  for (std::size_t at = 0; at < 12; ++at) {
    std::string wrong = header.substr(0, at + 1);
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    EXPECT_EQ(told_by(wrong), "refused") << at;
    EXPECT_EQ(told_by(header.substr(0, at + 1)), "more") << at;
  }
}

TEST(ProxyHeader, ComesInAnyPartsAndLeavesWhatIsBehindIt) {
  const std::string header = proxy_header_ipv6(9, proxy_tlv(0x05, std::string(100, 'u')));
  const std::string stream = header + "GET / HTTP/1.1\r\n\r\n";
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    ProxyHeader reader;
    std::size_t taken = 0;
    Status status = Status::need_more;
    while (status == Status::need_more) {
      ASSERT_LT(taken, header.size());
      const std::string_view part = std::string_view(stream).substr(taken, piece);
      const auto result = reader.take({part.data(), part.size()});
      status = result.status;
      taken += result.consumed;
    }
    EXPECT_EQ(status, Status::complete);
    EXPECT_EQ(taken, header.size()) << piece;
    ASSERT_TRUE(reader.source().has_value());
    EXPECT_EQ(reader.source()->ip[15], 9);
  }
}

}  // namespace
}  // namespace tokend::core
