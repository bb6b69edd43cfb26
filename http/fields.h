#pragma once
// The parts of a request that have a grammar of their own: the target, the host, the list of
// transfer codings. Stricter than the RFCs where two programs might read them differently.

#include <optional>
#include <string_view>

#include "http/message.h"

namespace tokend::http {

// Offsets into the target.
struct Target {
  Span path;
  Span query;
};

// Origin-form; absolute-form, of which the path counts; `*` with OPTIONS (RFC 9112, 3.2). None for
// everything else, a fragment or a byte that is not visible ASCII among it. `target` is not empty.
[[nodiscard]] std::optional<Target> split_target(std::string_view target, bool is_options) noexcept;

// A reg-name, an address, or a bracketed IPv6 address, with or without a port (RFC 9110, 7.2).
[[nodiscard]] bool is_host(std::string_view host) noexcept;

// Codings that could mean something to somebody (RFC 9112, 6.1): tokens with optional parameters,
// and `chunked`, bare, nowhere but at the end.
[[nodiscard]] bool is_coding_list(std::string_view list) noexcept;

}  // namespace tokend::http
