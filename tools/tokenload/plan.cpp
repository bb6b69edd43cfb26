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

void make_requests(Plan& plan, const Credentials& credentials, const std::vector<Target>& targets,
                   NameBy name_by, std::string_view secret) {
  CHECK(!targets.empty() && plan.tails.size() == 0);
  const std::string common = "Host: " + plan.endpoint.host +
                             "\r\nX-Auth-Token: " + credentials.token +
                             "\r\nX-User-Id: " + credentials.user_id + "\r\n";
  const bool posts = plan.call == Call::create_token;
  const std::string path = plan.call == Call::auth ? "/auth" : "/api/v1/me";
  plan.head = !posts ? "GET " + path + " HTTP/1.1\r\n" + common + "\r\n"
                     : "POST /api/v1/users.createToken HTTP/1.1\r\n" + common +
                           "Content-Type: application/json\r\nContent-Length: ";
  for (const Target& target : targets) {
    std::string tail;
    if (posts) {
      std::string body = name_by == NameBy::user_id
                             ? "{\"userId\":\"" + escaped(target.id) + '"'
                             : "{\"username\":\"" + escaped(target.username) + '"';
      if (!secret.empty()) body += ",\"secret\":\"" + escaped(secret) + '"';
      body += '}';
      tail = std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    plan.request_bytes_max = std::max(plan.request_bytes_max, plan.head.size() + tail.size());
    plan.tails.add(tail);
    plan.target_ids.add(target.id);
  }
}

}  // namespace tokend::load
