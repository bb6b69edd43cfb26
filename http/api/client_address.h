#pragma once
// Who is calling, for the rate limit, the token's record and the log. The socket's address, unless
// the operator said how many proxies stand in front of us (HTTP_FORWARDED_COUNT): only then can
// what headers claim be believed. Pure functions; any thread.

#include <array>
#include <cstdint>
#include <string_view>

#include "core/session.h"
#include "http/message.h"

namespace tokend::api {

// In network byte order; IPv4 as an IPv4-mapped IPv6 address.
using ClientAddress = std::array<std::uint8_t, 16>;

// With `forwarded_count` n > 0: the n-th entry from the right of X-Forwarded-For; without that
// header X-Real-Ip; the socket's address when they hold no address there (contract 9.9).
[[nodiscard]] ClientAddress client_address(const core::PeerAddress& peer,
                                           const http::Request& request,
                                           std::uint32_t forwarded_count) noexcept;

// The part of client_address that reads X-Forwarded-For. False: nothing usable there.
[[nodiscard]] bool forwarded_address(std::string_view header, std::uint32_t from_right,
                                     ClientAddress& address) noexcept;

// At most 45 characters into `out`.
using AddressText = std::array<char, 48>;
[[nodiscard]] std::string_view to_text(const ClientAddress& address, AddressText& out) noexcept;

}  // namespace tokend::api
