#include "core/metrics.h"

namespace tokend::core {

std::string_view name_of(CoreCounter counter) noexcept {
  switch (counter) {
    case CoreCounter::connections_open: return "connections_open";
    case CoreCounter::connections_accepted: return "connections_accepted";
    case CoreCounter::connections_refused: return "connections_refused";
    case CoreCounter::connections_lost: return "connections_lost";
    case CoreCounter::connections_aborted: return "connections_aborted";
    case CoreCounter::proxy_headers_refused: return "proxy_headers_refused";
    case CoreCounter::accept_failures: return "accept_failures";
    case CoreCounter::send_timeouts: return "send_timeouts";
    case CoreCounter::linger_timeouts: return "linger_timeouts";
    case CoreCounter::output_overflows: return "output_overflows";
    case CoreCounter::receive_buffer_shortages: return "receive_buffer_shortages";
    case CoreCounter::received_bytes: return "received_bytes";
    case CoreCounter::sent_bytes: return "sent_bytes";
    case CoreCounter::turns: return "turns";
    case CoreCounter::wakeups: return "wakeups";
    case CoreCounter::messages: return "messages";
    case CoreCounter::send_blocks_in_use: return "send_blocks_in_use";
    case CoreCounter::count_: break;
  }
  return "unknown";
}

bool is_gauge(CoreCounter counter) noexcept {
  return counter == CoreCounter::connections_open || counter == CoreCounter::send_blocks_in_use;
}

}  // namespace tokend::core
