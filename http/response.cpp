#include "http/response.h"

#include <charconv>
#include <cstring>

#include "core/error.h"

namespace tokend::http {
namespace {

std::string_view connection_line(ConnectionHeader connection) noexcept {
  switch (connection) {
    case ConnectionHeader::none: return {};
    case ConnectionHeader::close: return "Connection: close\r\n";
    case ConnectionHeader::keep_alive: return "Connection: keep-alive\r\n";
  }
  CHECK(false);
}

char* put(char* place, std::string_view text) noexcept {
  if (!text.empty()) std::memcpy(place, text.data(), text.size());
  return place + text.size();
}

}  // namespace

bool write(const Response& response, core::SendBuffer& output) noexcept {
  const Answer& answer = response.answer;
  const std::string_view status = status_line_of(answer.status);
  CHECK(!status.empty());
  // RFC 9110, 8.6: a 204 has no Content-Length, and what a 304 would name is not known here.
  const bool bodiless = answer.status == 204 || answer.status == 304;
  const std::string_view connection = connection_line(response.connection);
  const std::string_view body = bodiless || response.head_only ? std::string_view() : answer.body;

  char tail[64];  // Content-Length and, behind Connection, the empty line
  constexpr std::string_view kLength = "Content-Length: ";
  char* tail_end = tail;
  if (!bodiless) {
    tail_end = put(tail, kLength);
    tail_end = std::to_chars(tail_end, tail + sizeof tail, answer.body.size()).ptr;
    tail_end = put(tail_end, "\r\n");
  }
  const std::string_view length(tail, static_cast<std::size_t>(tail_end - tail));
  constexpr std::string_view kEnd = "\r\n";

  const std::size_t total = status.size() + answer.headers.size() + response.date_line.size() +
                            length.size() + connection.size() + kEnd.size() + body.size();
  if (total <= core::Block::kCapacity) {
    char* begin = output.reserve(total);
    if (!begin) return false;
    char* place = put(begin, status);
    place = put(place, answer.headers);
    place = put(place, response.date_line);
    place = put(place, length);
    place = put(place, connection);
    place = put(place, kEnd);
    put(place, body);
    output.commit(total);
    return true;
  }
  for (const std::string_view part :
       {status, answer.headers, response.date_line, length, connection, kEnd, body}) {
    if (!part.empty() && !output.append(part)) return false;
  }
  return true;
}

}  // namespace tokend::http
