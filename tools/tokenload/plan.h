#pragma once
// What is sent, to whom and how: made once before the run, then read by every thread and changed by
// none. Requests differ only in the target's name and its length, so they are put together from a
// constant head and that name.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/tokenload/check.h"

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

// Many short strings behind each other, so that going through them in order goes through memory in
// order.
class StringTable {
 public:
  void add(std::string_view text) {
    bytes_ += text;
    ends_.push_back(bytes_.size());
  }
  [[nodiscard]] std::string_view operator[](std::size_t index) const noexcept {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return {bytes_.data() + begin, ends_[index] - begin};
  }
  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;
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
  std::int64_t warmup_ns = 0;
  std::int64_t duration_ns = 0;
  bool check_unique = false;

  std::string head;        // of every request: up to the digits of Content-Length, or all of it
  StringTable tails;       // of each target's request: those digits, an empty line, the body
  StringTable target_ids;  // expected in the answers
  std::size_t request_bytes_max = 0;
};

// Fills the last group of members from at least one target. `secret` goes into the body when it is
// not empty.
void make_requests(Plan& plan, const Credentials& credentials, const std::vector<Target>& targets,
                   NameBy name_by, std::string_view secret);

// A JSON string's inside.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace tokend::load
