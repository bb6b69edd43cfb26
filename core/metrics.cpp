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

std::string_view help_of(CoreCounter counter) noexcept {
  switch (counter) {
    case CoreCounter::connections_open: return "Connections that are served now.";
    case CoreCounter::connections_accepted: return "Connections that were taken and served.";
    case CoreCounter::connections_refused: return "Connections closed at once, at a limit.";
    case CoreCounter::connections_lost: return "Connections ended by an error of the socket.";
    case CoreCounter::connections_aborted: return "Connections ended by this side without a close.";
    case CoreCounter::proxy_headers_refused: return "Connections without a valid PROXY header.";
    case CoreCounter::accept_failures: return "Times that descriptors or memory were exhausted.";
    case CoreCounter::send_timeouts: return "Connections whose peer took nothing for too long.";
    case CoreCounter::linger_timeouts: return "Connections whose peer did not close in time.";
    case CoreCounter::output_overflows: return "Connections that found no block to answer in.";
    case CoreCounter::receive_buffer_shortages: return "Receives that waited for a buffer.";
    case CoreCounter::received_bytes: return "Bytes received.";
    case CoreCounter::sent_bytes: return "Bytes sent.";
    case CoreCounter::turns: return "Turns of the loop.";
    case CoreCounter::wakeups: return "Times that another thread woke the sleeping loop.";
    case CoreCounter::messages:
      return "Messages taken: other threads', and the core's own for a later turn.";
    case CoreCounter::send_blocks_in_use: return "Blocks that hold answers now.";
    case CoreCounter::count_: break;
  }
  return {};
}

bool is_gauge(CoreCounter counter) noexcept {
  return counter == CoreCounter::connections_open || counter == CoreCounter::send_blocks_in_use;
}

}  // namespace tokend::core
