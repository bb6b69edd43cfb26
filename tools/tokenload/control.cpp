#include "tools/tokenload/control.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace tokend::load {

using core::Errc;
using core::fail;
using core::Result;

namespace {

std::string random_password() {
  std::array<unsigned char, 16> bytes{};
  CHECK(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

core::Error unexpected_reply(std::string_view what, const ControlClient::Reply& reply) {
  constexpr std::size_t kShownBytes = 300;
  return {Errc::refused, std::string(what) + ": the server answered " +
                             std::to_string(reply.status) + ' ' +
                             reply.body.substr(0, kShownBytes)};
}

}  // namespace

std::string_view string_member(std::string_view json, std::string_view name) noexcept {
  std::size_t at = 0;
  while ((at = json.find(name, at)) != std::string_view::npos) {
    const std::size_t behind = at + name.size();
    const bool quoted = at > 0 && json[at - 1] == '"';
    if (quoted && json.substr(behind).starts_with("\":\"")) {
      const std::size_t begin = behind + 3;
      const std::size_t end = json.find('"', begin);
      if (end == std::string_view::npos) return {};
      return json.substr(begin, end - begin);
    }
    at = behind;
  }
  return {};
}

Result<Endpoint> resolve(std::string_view target) {
  const std::size_t colon = target.rfind(':');
  std::string_view host = target.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    host = {};  // an IPv6 address without brackets: where it ends is a guess
  }
  if (colon == std::string_view::npos || host.empty() || colon + 1 == target.size()) {
    return fail(Errc::invalid, "--target " + std::string(target) +
                                   ": expected HOST:PORT, e.g. 127.0.0.1:3000 or [::1]:3000");
  }
  const std::string port(target.substr(colon + 1));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(std::string(host).c_str(), port.c_str(), &hints, &found);
  if (error != 0) {
    return fail(Errc::invalid, "--target " + std::string(target) + ": " + gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  Endpoint endpoint;
  std::memcpy(&endpoint.address, found->ai_addr, found->ai_addrlen);
  endpoint.address_bytes = found->ai_addrlen;
  endpoint.host = target;
  return endpoint;
}

std::string explain_connect_error(const Endpoint& endpoint, int error) {
  std::string text = "cannot connect to " + endpoint.host + ": " + std::strerror(error);
  if (error == ECONNREFUSED) text += "; is the server running there?";
  if (error == EMFILE || error == ENFILE) text += "; raise the limit of open files (ulimit -n)";
  if (error == EADDRNOTAVAIL) text += "; this machine has no free port left, use less connections";
  if (error == ECONNRESET) text += "; the server refuses more connections (its limit?)";
  return text;
}

ControlClient::~ControlClient() {
  if (socket_ >= 0) close(socket_);
}

Result<void> ControlClient::connect() {
  CHECK(socket_ < 0);
  socket_ = socket(endpoint_.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return fail(Errc::io, explain_connect_error(endpoint_, errno));
  const timeval timeout{.tv_sec = kTimeoutSeconds, .tv_usec = 0};
  const int on = 1;
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const auto* address = reinterpret_cast<const sockaddr*>(&endpoint_.address);
  if (::connect(socket_, address, endpoint_.address_bytes) != 0) {
    return fail(Errc::io, explain_connect_error(endpoint_, errno));
  }
  return {};
}

Result<void> ControlClient::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return fail(Errc::io, "send to " + endpoint_.host + ": " + strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<ControlClient::Reply> ControlClient::read_reply() {
  std::array<char, 16'384> chunk;
  while (true) {
    Answer answer;
    switch (framer_.parse(received_, answer)) {
      case Framing::complete: {
        Reply reply{.status = answer.status, .body = std::string(answer.body)};
        received_.erase(0, answer.bytes);
        return reply;
      }
      case Framing::malformed:
        return fail(Errc::invalid, endpoint_.host + " does not answer in HTTP/1.1 as we know it");
      case Framing::incomplete: break;
    }
    const ssize_t got = recv(socket_, chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Errc::io, "receive from " + endpoint_.host + ": " + strerror(errno));
    if (got == 0) return fail(Errc::io, endpoint_.host + " closed the connection unanswered");
    received_.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

Result<std::vector<ControlClient::Reply>> ControlClient::call_all(
    std::span<const std::string> requests) {
  std::vector<Reply> replies;
  replies.reserve(requests.size());
  while (!requests.empty()) {
    const auto batch = requests.first(std::min(requests.size(), kBatchMax));
    std::string bytes;
    for (const std::string& request : batch) bytes += request;
    if (auto sent = send_all(bytes); !sent) return std::unexpected(sent.error());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      auto reply = read_reply();
      if (!reply) return std::unexpected(reply.error());
      replies.push_back(std::move(*reply));
    }
    requests = requests.subspan(batch.size());
  }
  return replies;
}

std::string ControlClient::post(std::string_view path, const Credentials& credentials,
                                std::string_view body) const {
  std::string request = "POST " + std::string(path) + " HTTP/1.1\r\nHost: " + endpoint_.host;
  if (!credentials.token.empty()) {
    request += "\r\nX-Auth-Token: " + credentials.token + "\r\nX-User-Id: " + credentials.user_id;
  }
  request += "\r\nContent-Type: application/json\r\nContent-Length: ";
  request += std::to_string(body.size()) + "\r\n\r\n";
  request += body;
  return request;
}

std::string ControlClient::get(std::string_view target, const Credentials& credentials) const {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + endpoint_.host +
         "\r\nX-Auth-Token: " + credentials.token + "\r\nX-User-Id: " + credentials.user_id +
         "\r\n\r\n";
}

Result<Credentials> ControlClient::login(std::string_view username, std::string_view password) {
  const std::string request =
      post("/api/v1/login", {},
           "{\"user\":\"" + escaped(username) + "\",\"password\":\"" + escaped(password) + "\"}");
  auto replies = call_all({&request, 1});
  if (!replies) return std::unexpected(replies.error());
  const Reply& reply = replies->front();
  Credentials credentials{.user_id = std::string(string_member(reply.body, "userId")),
                          .token = std::string(string_member(reply.body, "authToken"))};
  if (reply.status != 200 || credentials.user_id.empty() || credentials.token.empty()) {
    return std::unexpected(unexpected_reply("log in as " + std::string(username),
                                            {.status = reply.status, .body = reply.body}));
  }
  return credentials;
}

Result<std::vector<Target>> ControlClient::find_or_create(const Credentials& credentials,
                                                          std::size_t count) {
  std::vector<Target> targets(count);
  std::vector<std::string> requests;
  for (std::size_t i = 0; i < count; ++i) {
    targets[i].username = "load-" + std::to_string(i);
    requests.push_back(get("/api/v1/users.info?username=" + targets[i].username, credentials));
  }
  auto found = call_all(requests);
  if (!found) return std::unexpected(found.error());

  requests.clear();
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < count; ++i) {
    const Reply& reply = (*found)[i];
    targets[i].id = string_member(reply.body, "_id");
    if (reply.status == 200 && !targets[i].id.empty()) continue;
    if (reply.status != 400) return std::unexpected(unexpected_reply("users.info", reply));
    const std::string& name = targets[i].username;
    missing.push_back(i);
    requests.push_back(post("/api/v1/users.create", credentials,
                            "{\"email\":\"" + name + "@load.invalid\",\"name\":\"" + name +
                                "\",\"username\":\"" + name + "\",\"password\":\"" +
                                random_password() + "\",\"joinDefaultChannels\":false}"));
  }
  auto created = call_all(requests);
  if (!created) return std::unexpected(created.error());
  for (std::size_t i = 0; i < missing.size(); ++i) {
    const Reply& reply = (*created)[i];
    Target& target = targets[missing[i]];
    target.id = string_member(reply.body, "_id");
    if (reply.status != 200 || target.id.empty()) {
      return std::unexpected(unexpected_reply("users.create " + target.username, reply));
    }
  }
  return targets;
}

}  // namespace tokend::load
