#pragma once
// An answer's bytes: status line, the application's headers, Date, Content-Length, Connection,
// body.

#include <cstdint>
#include <string_view>

#include "core/send_buffer.h"
#include "http/message.h"

namespace tokend::http {

enum class ConnectionHeader : std::uint8_t { none, close, keep_alive };

struct Response {
  const Answer& answer;
  std::string_view date_line;
  ConnectionHeader connection = ConnectionHeader::none;
  bool head_only = false;  // to HEAD: the same headers, no body
};

// False when the buffer's pool is exhausted: the buffer is then broken.
bool write(const Response& response, core::SendBuffer& output) noexcept;

}  // namespace tokend::http
