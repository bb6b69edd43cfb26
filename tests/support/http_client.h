#pragma once
// HTTP/1.x as a test needs it: blocking sockets, raw bytes out, exact parse in. Nothing is added to
// and nothing is tolerated in what the server says.
//
// Concurrency: one thread each. Every wait ends after `timeout`.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/sent_requests.h"

namespace tokend::tests {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct Response {
  int status = 0;  // 0: none came; `problem` tells why
  std::string version;
  std::string reason;
  HeaderList headers;  // in their order, names as sent
  std::string body = {};
  std::string problem;

  // The value; empty when the header is absent or stands there more than once.
  [[nodiscard]] std::string header(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
};

// For a failure's message.
std::ostream& operator<<(std::ostream& out, const Response& response);

struct Call {
  std::string method = "GET";
  std::string target;
  HeaderList headers = {};  // Host is added when there is none, Content-Length when there is a body
  std::string body = {};
};

[[nodiscard]] std::string bytes_of(const Call& call);

struct Endpoint {
  std::uint16_t port = 0;
  std::string source = "127.0.0.1";  // the client's address, any of 127.0.0.0/8
  Milliseconds timeout{15'000};
  bool is_tokend = true;  // whose answers are held against its description
};

class HttpClient {
 public:
  explicit HttpClient(const Endpoint& endpoint);
  ~HttpClient();
  HttpClient(HttpClient&& other) noexcept;
  HttpClient& operator=(HttpClient&&) = delete;

  [[nodiscard]] bool connected() const { return socket_ >= 0; }
  // False when the peer is gone before all was taken.
  bool send(std::string_view bytes);
  // One segment a byte.
  bool send_byte_by_byte(std::string_view bytes);
  void finish_sending();
  // Leaves at once, as a client that is killed: what it asked for has nobody to go to.
  void close_with_reset();
  // The next response; `to_head` says that it answers a HEAD and has no body.
  [[nodiscard]] Response read_response(bool to_head = false);
  // Sends and reads.
  [[nodiscard]] Response exchange(const Call& call);
  // True when the peer ends the connection without a further byte.
  [[nodiscard]] bool read_end();
  // True when nothing arrives for that long.
  [[nodiscard]] bool is_silent_for(Milliseconds duration);

 private:
  [[nodiscard]] bool fill(std::string& problem);
  [[nodiscard]] bool read_body(Response& response, bool to_head);
  void expect_described(const Response& response);

  int socket_ = -1;
  std::string unread_;
  std::unique_ptr<SentRequests> sent_;  // nullptr: the peer is not tokend
};

}  // namespace tokend::tests
