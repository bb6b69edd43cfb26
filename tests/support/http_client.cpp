#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ostream>

#include "core/error.h"
#include "tests/support/api_description.h"

namespace tokend::tests {
namespace {

bool same_name(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

// "HTTP/1.1 200 OK" and nothing looser.
bool parse_status_line(std::string_view line, Response& response) {
  if (line.size() < 13 || !line.starts_with("HTTP/1.") || line[8] != ' ' || line[12] != ' ') {
    return false;
  }
  response.version = line.substr(0, 8);
  response.reason = line.substr(13);
  const auto [end, error] = std::from_chars(line.data() + 9, line.data() + 12, response.status);
  return error == std::errc{} && end == line.data() + 12;
}

bool parse_head(std::string_view head, Response& response) {
  bool first = true;
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    if (std::exchange(first, false)) {
      if (!parse_status_line(line, response)) return false;
      continue;
    }
    const auto colon = line.find(": ");
    if (colon == std::string_view::npos || colon == 0) return false;
    response.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return true;
}

Response failed(Response response, std::string problem) {
  response.problem = std::move(problem);
  response.status = 0;
  return response;
}

}  // namespace

std::string Response::header(std::string_view name) const {
  if (count(name) != 1) return {};
  return std::find_if(headers.begin(), headers.end(),
                      [&](const auto& header) { return same_name(header.first, name); })
      ->second;
}

std::size_t Response::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [&](const auto& header) { return same_name(header.first, name); }));
}

std::ostream& operator<<(std::ostream& out, const Response& response) {
  if (response.status == 0) out << "(no response: " << response.problem << ") ";
  out << response.version << ' ' << response.status << ' ' << response.reason << '\n';
  for (const auto& [name, value] : response.headers) out << name << ": " << value << '\n';
  return out << '\n' << response.body;
}

std::string bytes_of(const Call& call) {
  std::string bytes = call.method + " " + call.target + " HTTP/1.1\r\n";
  bool has_host = false;
  bool has_length = false;
  for (const auto& [name, value] : call.headers) {
    has_host |= same_name(name, "Host");
    has_length |= same_name(name, "Content-Length") || same_name(name, "Transfer-Encoding");
    bytes += name + ": " + value + "\r\n";
  }
  if (!has_host) bytes += "Host: localhost\r\n";
  if (!has_length && (!call.body.empty() || call.method == "POST")) {
    bytes += "Content-Length: " + std::to_string(call.body.size()) + "\r\n";
  }
  return bytes + "\r\n" + call.body;
}

HttpClient::HttpClient(const Endpoint& endpoint)
    : sent_(endpoint.is_tokend ? std::make_unique<SentRequests>() : nullptr) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(descriptor >= 0);
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(endpoint.timeout);
  const timeval timeout{.tv_sec = seconds.count(),
                        .tv_usec = (endpoint.timeout - seconds).count() * 1000};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));

  sockaddr_in source{};
  source.sin_family = AF_INET;
  CHECK(inet_pton(AF_INET, endpoint.source.c_str(), &source.sin_addr) == 1);
  CHECK(bind(descriptor, reinterpret_cast<const sockaddr*>(&source), sizeof(source)) == 0);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(endpoint.port);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) == 0) {
    socket_ = descriptor;
  } else {
    close(descriptor);
  }
}

HttpClient::~HttpClient() {
  if (socket_ >= 0) close(socket_);
}

HttpClient::HttpClient(HttpClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      unread_(std::move(other.unread_)),
      sent_(std::move(other.sent_)) {}

bool HttpClient::send(std::string_view bytes) {
  if (sent_) sent_->add(bytes);
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool HttpClient::send_byte_by_byte(std::string_view bytes) {
  for (std::size_t index = 0; index < bytes.size(); ++index) {
    if (!send(bytes.substr(index, 1))) return false;
  }
  return true;
}

void HttpClient::finish_sending() { shutdown(socket_, SHUT_WR); }

bool HttpClient::fill(std::string& problem) {
  char bytes[16 * 1024];
  ssize_t count;
  do {
    count = recv(socket_, bytes, sizeof(bytes), 0);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    unread_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }
  problem = count == 0 ? "the connection ended" : std::strerror(errno);
  return false;
}

bool HttpClient::read_body(Response& response, bool to_head) {
  if (to_head || response.status == 204 || response.status == 304 || response.status < 200) {
    return true;
  }
  const std::string length = response.header("Content-Length");
  std::size_t bytes = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bytes);
  if (length.empty() || error != std::errc{} || end != length.data() + length.size()) {
    response.problem = "no single Content-Length";
    return false;
  }
  while (unread_.size() < bytes) {
    if (!fill(response.problem)) return false;
  }
  response.body = unread_.substr(0, bytes);
  unread_.erase(0, bytes);
  return true;
}

Response HttpClient::read_response(bool to_head) {
  Response response;
  if (!connected()) return failed({}, "not connected");
  std::size_t end;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    std::string problem;
    if (!fill(problem)) return failed({}, problem + ", after: " + unread_);
  }
  const std::string head = unread_.substr(0, end);
  unread_.erase(0, end + 4);
  if (!parse_head(head, response)) return failed(std::move(response), "malformed: " + head);
  if (!read_body(response, to_head)) return failed(std::move(response), response.problem);
  if (sent_) expect_described(response);
  return response;
}

void HttpClient::expect_described(const Response& response) {
  const bool interim = response.status < 200;
  const auto asked = interim ? std::nullopt : sent_->take();
  const std::string violation = ApiDescription::of_tokend().violation(asked, response);
  if (violation.empty()) return;
  ADD_FAILURE() << "not as http/api/openapi.json describes it: "
                << (asked ? asked->method + " " + asked->path : "no request") << "\n"
                << violation << response;
}

Response HttpClient::exchange(const Call& call) {
  if (!connected() || !send(bytes_of(call))) return failed({}, "could not be sent");
  return read_response(call.method == "HEAD");
}

bool HttpClient::read_end() {
  std::string problem;
  if (!unread_.empty() || fill(problem)) return false;
  return problem == "the connection ended" || problem == std::strerror(ECONNRESET);
}

void HttpClient::close_with_reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(socket_);
  socket_ = -1;
}

bool HttpClient::is_silent_for(Milliseconds duration) {
  if (!unread_.empty()) return false;
  pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, static_cast<int>(duration.count())) == 0;
}

}  // namespace tokend::tests
