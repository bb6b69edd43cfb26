#pragma once
// The calls before the run: log in, find or create the target users. A plain blocking connection;
// nothing of it is measured. Many calls go out in one write and their answers are read in order,
// so that ten thousand users take seconds.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "tools/tokenload/answer.h"
#include "tools/tokenload/plan.h"

namespace tokend::load {

// "127.0.0.1:3000", "[::1]:3000" or "name:3000".
[[nodiscard]] core::Result<Endpoint> resolve(std::string_view target);

// "connection refused by 127.0.0.1:3000: is the server running?" and the like.
[[nodiscard]] std::string explain_connect_error(const Endpoint& endpoint, int error);

class ControlClient {
 public:
  // Requests of one write; below what a server lets one connection have in flight.
  static constexpr std::size_t kBatchMax = 32;
  static constexpr std::int64_t kTimeoutSeconds = 30;

  struct Reply {
    int status = 0;
    std::string body;
  };

  explicit ControlClient(const Endpoint& endpoint) : endpoint_(endpoint) {}
  ~ControlClient();
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

  [[nodiscard]] core::Result<void> connect();
  [[nodiscard]] core::Result<std::vector<Reply>> call_all(std::span<const std::string> requests);

  [[nodiscard]] core::Result<Credentials> login(std::string_view username,
                                                std::string_view password);
  // The users load-0 to load-(count-1), those that are missing created with a random password that
  // nobody is told.
  [[nodiscard]] core::Result<std::vector<Target>> find_or_create(const Credentials& credentials,
                                                                 std::size_t count);

 private:
  [[nodiscard]] core::Result<void> send_all(std::string_view bytes);
  [[nodiscard]] core::Result<Reply> read_reply();
  [[nodiscard]] std::string post(std::string_view path, const Credentials& credentials,
                                 std::string_view body) const;
  [[nodiscard]] std::string get(std::string_view target, const Credentials& credentials) const;

  Endpoint endpoint_;
  int socket_ = -1;
  AnswerFramer framer_;
  std::string received_;
};

// The value of the first string member `name` in flat, machine-made JSON; empty when there is none.
[[nodiscard]] std::string_view string_member(std::string_view json, std::string_view name) noexcept;

}  // namespace tokend::load
