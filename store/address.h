#pragma once
// A client's address: 16 bytes, IPv4 mapped into IPv6 (RFC 4291, 2.5.5.2), all zeros for none. In
// records it takes 4, 16 or no bytes; which of these, the record's flags say.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "store/bytes.h"

namespace tokend::store {

using Address = std::array<std::uint8_t, 16>;  // as core::PeerAddress
inline constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0,    0,
                                                               0, 0, 0, 0, 0xff, 0xff};

enum class AddressForm : std::uint8_t { none, ipv4, ipv6 };

[[nodiscard]] inline AddressForm form_of(const Address& address) noexcept {
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin())) {
    return AddressForm::ipv4;
  }
  return address == Address{} ? AddressForm::none : AddressForm::ipv6;
}

inline void write_address(Writer& writer, const Address& address) {
  switch (form_of(address)) {
    case AddressForm::none: return;
    case AddressForm::ipv4: return writer.bytes(std::span(address).subspan(kMappedPrefix.size()));
    case AddressForm::ipv6: return writer.bytes(address);
  }
}

[[nodiscard]] inline Address read_address(Reader& reader, AddressForm form) noexcept {
  Address address{};
  if (form == AddressForm::ipv4) {
    std::ranges::copy(kMappedPrefix, address.begin());
    reader.bytes(std::span(address).subspan(kMappedPrefix.size()));
  } else if (form == AddressForm::ipv6) {
    reader.bytes(address);
  }
  return address;
}

}  // namespace tokend::store
