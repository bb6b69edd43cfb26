#pragma once
// The command line, checked as a whole before anything is connected. CLI11's exceptions end here.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "tools/tokenload/check.h"
#include "tools/tokenload/plan.h"

namespace tokend::load {

// How the program ends.
inline constexpr int kExitValid = 0;
inline constexpr int kExitErrors = 1;  // a wrong answer, a lost connection, a server out of reach
inline constexpr int kExitUsage = 2;
inline constexpr int kExitClientBound = 3;

inline constexpr std::size_t kConnectionsMax = 65'536;
inline constexpr std::size_t kPipelineDepthMax = 256;
inline constexpr std::size_t kThreadsMax = 256;
inline constexpr std::size_t kTargetsMax = 1'000'000;
inline constexpr double kRateMax = 1e8;
inline constexpr std::int64_t kTickUsMax = 100'000;
inline constexpr std::size_t kBulkTargetsMax = 10'000;
inline constexpr std::size_t kRoundsMax = 1'000'000;

struct Options {
  std::string target = "127.0.0.1:3000";
  Call call = Call::create_token;
  bool constant = false;         // see AnswerCheck
  std::size_t bulk_targets = 0;  // of each request of create_tokens; 0: other calls
  std::size_t connections = 64;
  std::size_t pipeline_depth = 1;
  std::size_t threads = 1;
  std::vector<int> cpus;
  std::int64_t duration_ms = 10'000;
  std::int64_t warmup_ms = 2'000;
  double rate_per_second = 0;
  std::int64_t tick_us = 0;
  std::size_t rounds = 0;  // 0: duration_ms counts

  std::string user_id;
  std::string token;
  std::string admin;
  std::string password;
  std::string secret;

  std::size_t target_users = 0;
  std::string targets_file;
  std::string save_targets;
  std::string tokens_file;
  std::string save_tokens;
  NameBy name_by = NameBy::user_id;
  Order order = Order::round_robin;
  std::uint64_t seed = 1;

  bool check_unique = false;
  std::int64_t server_pid = 0;
  std::string json_file;
};

// Why the program ends at once: an error for standard error, or help for standard output.
struct Stop {
  int exit_code;
  std::string message;
};

[[nodiscard]] std::expected<Options, Stop> parse_options(int argc, const char* const* argv);

// "10s", "250ms", "2m", "1h"; a number alone is seconds.
[[nodiscard]] std::optional<std::int64_t> parse_duration_ms(std::string_view text) noexcept;

// Lines of "USERID" or "USERID USERNAME"; '#' begins a comment.
[[nodiscard]] core::Result<std::vector<Target>> read_targets(const std::string& file);
[[nodiscard]] core::Result<void> write_targets(const std::string& file,
                                               const std::vector<Target>& targets);

}  // namespace tokend::load
