#pragma once
// The API's calls as tests make them: log in, create a user, issue a token. One kept-alive
// connection, made anew when the server closed it. Every token and password that passes here is
// remembered by the server process, whose log must not hold it.
//
// Concurrency: one thread each.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/http_client.h"
#include "tests/support/server_process.h"

namespace tokend::tests {

struct Credentials {
  std::string user_id;
  std::string token;
};

// A user that a test made, with a password of its own.
struct Person {
  std::string id;
  std::string username;
  std::string password;
};

class ApiClient {
 public:
  explicit ApiClient(ServerProcess& server, std::string source = "127.0.0.1");

  [[nodiscard]] Response get(const std::string& target, const Credentials* caller = nullptr);
  [[nodiscard]] Response post(const std::string& target, const std::string& body,
                              const Credentials* caller = nullptr,
                              const std::string& content_type = "application/json");
  [[nodiscard]] Response call(const Call& call);

  // The following trip a CHECK when the server refuses: use them for what a test does not test.
  [[nodiscard]] Credentials login(const std::string& username, const std::string& password);
  [[nodiscard]] Credentials login_admin();
  [[nodiscard]] Person create_user(const Credentials& admin, const std::string& username,
                                   const std::string& more = "");
  [[nodiscard]] Credentials issue(const Credentials& admin, const std::string& user_id);

  // Whether GET me takes the credentials: 200 or 401; other statuses trip a CHECK.
  [[nodiscard]] bool authenticates(const Credentials& caller);

 private:
  ServerProcess& server_;
  std::string source_;
  std::unique_ptr<HttpClient> connection_;
};

[[nodiscard]] HeaderList headers_of(const Credentials& caller);

// The body of POST users.createTokens for these; `list` is "userIds" or "usernames".
[[nodiscard]] std::string bulk_body(const std::string& list,
                                    const std::vector<std::string>& targets);
// What its answer, of 200, issued, in order.
[[nodiscard]] std::vector<Credentials> issued_in_bulk(std::string_view body);

// The string value of the first `"key":"…"` of a JSON text, not unescaped; empty when there is
// none.
[[nodiscard]] std::string string_field(std::string_view json, std::string_view key);
// The integer of the first `"key":123`; -1 when there is none.
[[nodiscard]] std::int64_t integer_field(std::string_view json, std::string_view key);

// Whether `text` is `pattern`, byte for byte, with these places: <id> 17 characters of an id,
// <token> 43 of a token, <time> ISO 8601 in milliseconds and Z, <int> digits, <text> the
// inside of a JSON string, <any> anything.
[[nodiscard]] bool matches(std::string_view text, std::string_view pattern);

}  // namespace tokend::tests
