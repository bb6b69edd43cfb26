#include "http/api/client_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "http/api/text.h"
#include "store/address.h"

namespace tokend::api {
namespace {

using store::kMappedPrefix;

constexpr socklen_t kTextBytes = std::tuple_size_v<AddressText>;

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" and "[2001:db8::1]:80": proxies
// write all of these.
bool parse_address(std::string_view text, ClientAddress& address) noexcept {
  text = trim(text);
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    text = text.substr(1, end - 1);
  } else if (std::ranges::count(text, ':') == 1) {
    text = text.substr(0, text.find(':'));
  }
  char terminated[INET6_ADDRSTRLEN + 1] = {};
  if (text.size() >= sizeof(terminated)) return false;
  std::memcpy(terminated, text.data(), text.size());
  if (inet_pton(AF_INET, terminated, address.data() + kMappedPrefix.size()) == 1) {
    std::memcpy(address.data(), kMappedPrefix.data(), kMappedPrefix.size());
    return true;
  }
  return inet_pton(AF_INET6, terminated, address.data()) == 1;
}

}  // namespace

bool forwarded_address(std::string_view header, std::uint32_t from_right,
                       ClientAddress& address) noexcept {
  for (std::uint32_t index = 1; index < from_right; ++index) {
    const std::size_t comma = header.rfind(',');
    if (comma == std::string_view::npos) return false;
    header = header.substr(0, comma);
  }
  const std::size_t comma = header.rfind(',');
  if (comma != std::string_view::npos) header.remove_prefix(comma + 1);
  return parse_address(header, address);
}

ClientAddress client_address(const core::PeerAddress& peer, const http::Request& request,
                             std::uint32_t forwarded_count) noexcept {
  ClientAddress address;
  if (forwarded_count > 0) [[unlikely]] {
    // The list first: X-Real-Ip may be the client's own invention where the proxies only append.
    const bool listed = request.has(http::Header::x_forwarded_for);
    if (listed ? forwarded_address(request.header(http::Header::x_forwarded_for), forwarded_count,
                                   address)
               : parse_address(request.header(http::Header::x_real_ip), address)) {
      return address;
    }
  }
  std::memcpy(address.data(), peer.ip, address.size());
  return address;
}

std::string_view to_text(const ClientAddress& address, AddressText& out) noexcept {
  const bool mapped = store::form_of(address) == store::AddressForm::ipv4;
  const char* text =
      mapped ? inet_ntop(AF_INET, address.data() + kMappedPrefix.size(), out.data(), kTextBytes)
             : inet_ntop(AF_INET6, address.data(), out.data(), kTextBytes);
  return text ? std::string_view(text) : std::string_view("?");
}

}  // namespace tokend::api
