#include "tests/support/api_client.h"

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <regex>

#include "core/error.h"

namespace tokend::tests {
namespace {

void require(bool met, const Response& response, const ServerProcess& server) {
  if (met) return;
  std::cerr << "unexpected: " << response << '\n' << server.report() << '\n';
  CHECK(met);
}

}  // namespace

ApiClient::ApiClient(ServerProcess& server, std::string source)
    : server_(server),
      source_(std::move(source)) {}

HeaderList headers_of(const Credentials& caller) {
  return {{"X-Auth-Token", caller.token}, {"X-User-Id", caller.user_id}};
}

Response ApiClient::call(const Call& call) {
  if (!connection_) {
    connection_ = std::make_unique<HttpClient>(Endpoint{.port = server_.port(), .source = source_});
  }
  Response response = connection_->exchange(call);
  if (response.status == 0 || response.header("Connection") == "close") connection_.reset();
  server_.remember_secret(string_field(response.body, "authToken"));
  return response;
}

Response ApiClient::get(const std::string& target, const Credentials* caller) {
  Call request{.method = "GET", .target = target, .headers = {}, .body = {}};
  if (caller) request.headers = headers_of(*caller);
  return call(request);
}

Response ApiClient::post(const std::string& target, const std::string& body,
                         const Credentials* caller, const std::string& content_type) {
  Call request{.method = "POST", .target = target, .headers = {}, .body = body};
  if (caller) request.headers = headers_of(*caller);
  if (!content_type.empty()) request.headers.emplace_back("Content-Type", content_type);
  return call(request);
}

Credentials ApiClient::login(const std::string& username, const std::string& password) {
  server_.remember_secret(password);
  const Response response =
      post("/api/v1/login", R"({"user":")" + username + R"(","password":")" + password + "\"}");
  require(response.status == 200, response, server_);
  return {string_field(response.body, "userId"), string_field(response.body, "authToken")};
}

Credentials ApiClient::login_admin() { return login(kAdminUsername, kAdminPassword); }

Person ApiClient::create_user(const Credentials& admin, const std::string& username,
                              const std::string& more) {
  Person person{.id = {}, .username = username, .password = "pass-phrase-of-" + username};
  server_.remember_secret(person.password);
  // Every address is unique because every name is; a name in any script makes none by itself.
  std::string address;
  for (const char byte : username) {
    char hex[3];
    std::snprintf(hex, sizeof(hex), "%02x", static_cast<unsigned char>(byte));
    address += hex;
  }
  if (address.size() > 60) address.erase(0, address.size() - 60);
  const Response response = post("/api/v1/users.create",
                                 R"({"email":")" + address + R"(@example.com","name":"Name of )" +
                                     username + R"(","username":")" + username +
                                     R"(","password":")" + person.password + "\"" + more + "}",
                                 &admin);
  require(response.status == 200, response, server_);
  person.id = string_field(response.body, "_id");
  return person;
}

Credentials ApiClient::issue(const Credentials& admin, const std::string& user_id) {
  const Response response =
      post("/api/v1/users.createToken", R"({"userId":")" + user_id + "\"}", &admin);
  require(response.status == 200, response, server_);
  return {string_field(response.body, "userId"), string_field(response.body, "authToken")};
}

bool ApiClient::authenticates(const Credentials& caller) {
  const Response response = get("/api/v1/me", &caller);
  require(response.status == 200 || response.status == 401, response, server_);
  return response.status == 200;
}

std::string string_field(std::string_view json, std::string_view key) {
  const std::string start = "\"" + std::string(key) + "\":\"";
  const auto begin = json.find(start);
  if (begin == std::string_view::npos) return {};
  const auto end = json.find('"', begin + start.size());
  if (end == std::string_view::npos) return {};
  return std::string(json.substr(begin + start.size(), end - begin - start.size()));
}

std::int64_t integer_field(std::string_view json, std::string_view key) {
  const std::string start = "\"" + std::string(key) + "\":";
  const auto begin = json.find(start);
  if (begin == std::string_view::npos) return -1;
  const std::string digits(json.substr(begin + start.size(), 20));
  char* end = nullptr;
  const std::int64_t value = std::strtoll(digits.c_str(), &end, 10);
  return end == digits.c_str() ? -1 : value;
}

bool matches(std::string_view text, std::string_view pattern) {
  static constexpr std::pair<std::string_view, std::string_view> kPlaces[] = {
      {"<id>", "[2-9A-HJ-NP-TWXYZa-km-z]{17}"},
      {"<token>", "[A-Za-z0-9_-]{43}"},
      {"<time>", R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"},
      {"<int>", "[0-9]+"},
      {"<text>", R"((?:[^"\\]|\\.)*)"},
      {"<any>", R"([\s\S]*)"},
  };
  std::string expression;
  while (!pattern.empty()) {
    bool placed = false;
    for (const auto& [name, meaning] : kPlaces) {
      if (!pattern.starts_with(name)) continue;
      expression += meaning;
      pattern.remove_prefix(name.size());
      placed = true;
      break;
    }
    if (placed) continue;
    if (std::string_view(R"(\^$.|?*+()[]{})").contains(pattern.front())) expression += '\\';
    expression += pattern.front();
    pattern.remove_prefix(1);
  }
  return std::regex_match(text.begin(), text.end(), std::regex(expression));
}

}  // namespace tokend::tests
