#include "tests/support/api_client.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "core/error.h"

namespace tokend::tests {
namespace {

void require(bool met, const Response& response, const ServerProcess& server) {
  if (met) return;
  std::cerr << "unexpected: " << response << '\n' << server.report() << '\n';
  CHECK(met);
}

constexpr std::size_t kNoMore = SIZE_MAX;

// A place of a pattern: the least length that it may have at the start of a text, and the length
// to try after another one; kNoMore when there is none.
struct Place {
  std::string_view name;
  std::size_t (*least)(std::string_view text);
  std::size_t (*following)(std::string_view text, std::size_t length);
};

bool is_letter_or_digit(char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= 'a' && byte <= 'z');
}

template <std::size_t length>
std::size_t fixed(std::string_view text, bool (*fits)(std::string_view)) {
  return text.size() >= length && fits(text.substr(0, length)) ? length : kNoMore;
}

std::size_t only_one(std::string_view, std::size_t) { return kNoMore; }
std::size_t nothing(std::string_view) { return 0; }

bool is_id(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) {
    return is_letter_or_digit(byte) && !std::string_view("01IOUVl").contains(byte);
  });
}

bool is_token(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) {
    return is_letter_or_digit(byte) || byte == '-' || byte == '_';
  });
}

bool is_time(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd.dddZ";
  return std::equal(text.begin(), text.end(), kShape.begin(), kShape.end(),
                    [](char byte, char shape) {
                      return shape == 'd' ? byte >= '0' && byte <= '9' : byte == shape;
                    });
}

std::size_t one_digit_more(std::string_view text, std::size_t length) {
  return length < text.size() && text[length] >= '0' && text[length] <= '9' ? length + 1 : kNoMore;
}

std::size_t one_byte_more(std::string_view text, std::size_t length) {
  return length < text.size() ? length + 1 : kNoMore;
}

std::size_t one_character_of_a_string_more(std::string_view text, std::size_t length) {
  if (length >= text.size() || text[length] == '"') return kNoMore;
  const std::size_t bytes = text[length] == '\\' ? 2 : 1;
  return length + bytes <= text.size() ? length + bytes : kNoMore;
}

constexpr Place kPlaces[] = {
    {"<id>", [](std::string_view text) { return fixed<17>(text, is_id); }, only_one},
    {"<token>", [](std::string_view text) { return fixed<43>(text, is_token); }, only_one},
    {"<time>", [](std::string_view text) { return fixed<24>(text, is_time); }, only_one},
    {"<int>", [](std::string_view text) { return one_digit_more(text, 0); }, one_digit_more},
    {"<text>", nothing, one_character_of_a_string_more},
    {"<any>", nothing, one_byte_more},
};

const Place* place_at(std::string_view pattern) {
  for (const Place& place : kPlaces) {
    if (pattern.starts_with(place.name)) return &place;
  }
  return nullptr;
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

std::string bulk_body(const std::string& list, const std::vector<std::string>& targets) {
  std::string body = "{\"" + list + "\":[";
  for (const std::string& target : targets) {
    if (body.back() != '[') body += ',';
    body += '"' + target + '"';
  }
  return body + "]}";
}

std::vector<Credentials> issued_in_bulk(std::string_view body) {
  constexpr std::string_view kUser = R"({"userId":")";
  constexpr std::string_view kToken = R"(","authToken":")";
  constexpr std::size_t kTokenBytes = 43;
  std::vector<Credentials> all;
  for (std::size_t at = 0; (at = body.find(kUser, at)) != std::string_view::npos;) {
    at += kUser.size();
    const std::size_t end = body.find('"', at);
    all.push_back({std::string(body.substr(at, end - at)),
                   std::string(body.substr(end + kToken.size(), kTokenBytes))});
  }
  return all;
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
  // Not by std::regex, whose recursion takes a frame for each byte of a long body.
  while (!pattern.empty()) {
    const Place* place = place_at(pattern);
    if (!place) {
      if (text.empty() || text.front() != pattern.front()) return false;
      text.remove_prefix(1);
      pattern.remove_prefix(1);
      continue;
    }
    pattern.remove_prefix(place->name.size());
    std::size_t length = place->least(text);
    while (length != kNoMore) {
      if (matches(text.substr(length), pattern)) return true;
      length = place->following(text, length);
    }
    return false;
  }
  return text.empty();
}

}  // namespace tokend::tests
