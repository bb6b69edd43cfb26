#include "tools/tokenload/plan.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/error.h"

namespace tokend::load {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> hex{};
      std::snprintf(hex.data(), hex.size(), "\\u%04x", static_cast<unsigned>(c));
      out += hex.data();
    } else {
      out += c;
    }
  }
  return out;
}

namespace {

void add_request(Plan& plan, std::string_view tail) {
  plan.request_bytes_max = std::max(plan.request_bytes_max, plan.head.size() + tail.size());
  plan.tails.add(tail);
}

// "GET PATH HTTP/1.1", the line and the Host header.
std::string start_of_get(const Plan& plan) {
  const std::string path = plan.call == Call::auth ? "/auth" : "/api/v1/me";
  return "GET " + path + " HTTP/1.1\r\nHost: " + plan.endpoint.host + "\r\n";
}

std::string headers_of(const Credentials& credentials) {
  return "X-Auth-Token: " + credentials.token + "\r\nX-User-Id: " + credentials.user_id + "\r\n";
}

// What names these targets, the secret and the closing brace left out.
std::string names_of(std::span<const Target> targets, Call call, NameBy name_by) {
  const bool many = call == Call::create_tokens;
  std::string out = name_by == NameBy::user_id ? "{\"userId" : "{\"username";
  out += many ? "s\":[" : "\":";
  for (const Target& target : targets) {
    if (&target != &targets.front()) out += ',';
    out += '"';
    out += escaped(name_by == NameBy::user_id ? target.id : target.username);
    out += '"';
  }
  if (many) out += ']';
  return out;
}

}  // namespace

void make_requests(Plan& plan, const Credentials& credentials, const std::vector<Target>& targets,
                   NameBy name_by, std::string_view secret) {
  CHECK(!targets.empty() && plan.tails.size() == 0);
  CHECK(plan.targets_each == 1 || plan.call == Call::create_tokens);
  for (const Target& target : targets) plan.target_ids.add(target.id);
  const bool posts = plan.call == Call::create_token || plan.call == Call::create_tokens;
  if (!posts) {
    plan.head = start_of_get(plan) + headers_of(credentials) + "\r\n";
    for (std::size_t i = 0; i < targets.size(); ++i) add_request(plan, "");
    return;
  }
  const std::string path =
      plan.call == Call::create_tokens ? "/api/v1/users.createTokens" : "/api/v1/users.createToken";
  plan.head = "POST " + path + " HTTP/1.1\r\nHost: " + plan.endpoint.host + "\r\n" +
              headers_of(credentials) + "Content-Type: application/json\r\nContent-Length: ";
  const std::span all(targets);
  for (std::size_t first = 0; first < all.size(); first += plan.targets_each) {
    const std::size_t count = std::min(plan.targets_each, all.size() - first);
    std::string body = names_of(all.subspan(first, count), plan.call, name_by);
    if (!secret.empty()) body += ",\"secret\":\"" + escaped(secret) + '"';
    body += '}';
    add_request(plan, std::to_string(body.size()) + "\r\n\r\n" + body);
  }
}

void make_presenting_requests(Plan& plan, std::span<const Credentials> holders) {
  CHECK(!holders.empty() && plan.tails.size() == 0);
  plan.head = start_of_get(plan);
  for (const Credentials& holder : holders) {
    plan.target_ids.add(holder.user_id);
    add_request(plan, headers_of(holder) + "\r\n");
  }
}

}  // namespace tokend::load
