#pragma once
// What is sent, to whom and how: made once before the run, then read by every thread and changed by
// none. Requests differ only in their targets' names and the length of these, or in the token that
// they show, so they are put together from a constant head and that tail.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/tokenload/check.h"
#include "tools/tokenload/string_table.h"

namespace tokend::load {

// An address as getaddrinfo found it.
struct Endpoint {
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
  std::string host;  // the Host header: what the user named
};

struct Credentials {
  std::string user_id;
  std::string token;
};

struct Target {
  std::string id;        // expected in the answer
  std::string username;  // may be empty when targets are named by id
};

enum class NameBy : std::uint8_t { user_id, username };
enum class Order : std::uint8_t { round_robin, random };

struct Plan {
  Endpoint endpoint;
  Call call = Call::create_token;
  bool constant = false;
  Order order = Order::round_robin;
  std::uint64_t seed = 1;
  std::size_t connections = 64;
  std::size_t pipeline_depth = 1;
  std::size_t threads = 1;
  std::vector<int> cpus;       // thread i runs on cpus[i % size]; empty: not pinned
  double rate_per_second = 0;  // of all threads together; 0: a closed loop
  std::int64_t tick_ns = 0;    // an open loop looks only so often; 0: whenever there is something
  std::int64_t warmup_ns = 0;
  std::int64_t duration_ns = 0;
  // How often all requests are sent, each time once; 0: for duration_ns. Without warm-up and rate.
  std::size_t rounds = 0;
  std::int64_t stall_ns = 30'000'000'000;  // rounds end when no answer came for so long
  std::size_t targets_each = 1;  // of one request; of the last one fewer if they do not come out
  bool check_unique = false;
  bool keep_tokens = false;

  std::string head;        // of every request: up to the digits of Content-Length, or all of it
  StringTable tails;       // of each request: those digits, an empty line, the body; or a token
  StringTable target_ids;  // expected in the answers
  std::size_t request_bytes_max = 0;
};

// Fill the last group of members.
// From at least one target. `secret` goes into the body when it is not empty.
void make_requests(Plan& plan, const Credentials& credentials, const std::vector<Target>& targets,
                   NameBy name_by, std::string_view secret);

// From at least one holder of a token, who shows it by a GET of `plan.call`.
void make_presenting_requests(Plan& plan, std::span<const Credentials> holders);

// A JSON string's inside.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace tokend::load
