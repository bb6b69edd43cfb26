// tokenload: loads a token server and says how fast it answered, how long that took and whether
// the answers were right. Puts the parts together: options, the calls before the run, the run, the
// report.

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/tokenload/control.h"
#include "tools/tokenload/holders.h"
#include "tools/tokenload/options.h"
#include "tools/tokenload/plan.h"
#include "tools/tokenload/report.h"
#include "tools/tokenload/run.h"

namespace tokend::load {
namespace {

using core::Errc;
using core::fail;
using core::Result;

// For --constant: a request of the size of a real one.
constexpr std::string_view kPlaceholderId = "loadloadloadload2";
constexpr std::string_view kPlaceholderToken = "loadloadloadloadloadloadloadloadloadloadlo2";
static_assert(kPlaceholderToken.size() == kTokenCharacters);

void raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

Result<Credentials> issuer_of(const Options& options, const Endpoint& endpoint) {
  if (options.constant && options.token.empty()) {
    return Credentials{.user_id = std::string(kPlaceholderId),
                       .token = std::string(kPlaceholderToken)};
  }
  if (!options.token.empty()) {
    return Credentials{.user_id = options.user_id, .token = options.token};
  }
  ControlClient client(endpoint);
  if (auto connected = client.connect(); !connected) return std::unexpected(connected.error());
  return client.login(options.admin, options.password);
}

Result<std::vector<Target>> targets_of(const Options& options, const Endpoint& endpoint,
                                       const Credentials& issuer) {
  std::vector<Target> targets{{.id = issuer.user_id, .username = options.admin}};
  if (options.call != Call::create_token && options.call != Call::create_tokens) return targets;
  if (!options.targets_file.empty()) {
    auto read = read_targets(options.targets_file);
    if (!read) return read;
    targets = std::move(*read);
  } else if (options.target_users > 0) {
    ControlClient client(endpoint);
    if (auto connected = client.connect(); !connected) return std::unexpected(connected.error());
    auto found = client.find_or_create(issuer, options.target_users);
    if (!found) return found;
    targets = std::move(*found);
    if (!options.save_targets.empty()) {
      if (auto saved = write_targets(options.save_targets, targets); !saved) {
        return std::unexpected(saved.error());
      }
    }
  }
  if (options.name_by == NameBy::username) {
    for (const Target& target : targets) {
      if (target.username.empty()) {
        return fail(Errc::invalid, "--by username: user " + target.id + " comes without its name");
      }
    }
  }
  return targets;
}

Result<Plan> plan_of(const Options& options) {
  constexpr std::int64_t kNanosecondsPerMillisecond = 1'000'000;
  auto endpoint = resolve(options.target);
  if (!endpoint) return std::unexpected(endpoint.error());
  Plan plan{.endpoint = std::move(*endpoint),
            .call = options.call,
            .constant = options.constant,
            .order = options.order,
            .seed = options.seed,
            .connections = options.connections,
            .pipeline_depth = options.pipeline_depth,
            .threads = options.threads,
            .cpus = options.cpus,
            .rate_per_second = options.rate_per_second,
            .tick_ns = options.tick_us * 1'000,
            .warmup_ns = options.warmup_ms * kNanosecondsPerMillisecond,
            .duration_ns = options.duration_ms * kNanosecondsPerMillisecond,
            .rounds = options.rounds,
            .targets_each = std::max<std::size_t>(options.bulk_targets, 1),
            .check_unique = options.check_unique,
            .keep_tokens = !options.save_tokens.empty(),
            .head = {},
            .tails = {},
            .target_ids = {}};
  if (!options.tokens_file.empty()) {
    const auto holders = read_holders(options.tokens_file);
    if (!holders) return std::unexpected(holders.error());
    make_presenting_requests(plan, *holders);
    return plan;
  }
  const auto issuer = issuer_of(options, plan.endpoint);
  if (!issuer) return std::unexpected(issuer.error());
  const auto targets = targets_of(options, plan.endpoint, *issuer);
  if (!targets) return std::unexpected(targets.error());
  make_requests(plan, *issuer, *targets, options.name_by, options.secret);
  return plan;
}

int run_program(const Options& options) {
  raise_open_files();
  TokensFile tokens_file;
  if (!options.save_tokens.empty()) {
    if (auto created = tokens_file.create(options.save_tokens); !created) {
      std::fprintf(stderr, "tokenload: --save-tokens %s\n", created.error().message.c_str());
      return kExitErrors;
    }
  }
  const auto plan = plan_of(options);
  if (!plan) {
    std::fprintf(stderr, "tokenload: %s\n", plan.error().message.c_str());
    return plan.error().code == Errc::invalid ? kExitUsage : kExitErrors;
  }
  std::optional<pid_t> server_pid;
  if (options.server_pid > 0) server_pid = static_cast<pid_t>(options.server_pid);
  const auto result = run(*plan, server_pid);
  if (!result) {
    std::fprintf(stderr, "tokenload: %s\n", result.error().message.c_str());
    return kExitErrors;
  }
  // With the JSON on standard output the text goes beside it.
  std::FILE* text = options.json_file == "-" ? stderr : stdout;
  std::fputs(text_report(options, *result).c_str(), text);
  if (!options.json_file.empty()) {
    if (auto written = write_file(options.json_file, json_report(options, *result)); !written) {
      std::fprintf(stderr, "tokenload: --json %s\n", written.error().message.c_str());
      return kExitErrors;
    }
  }
  if (!options.save_tokens.empty()) {
    if (auto saved = tokens_file.write(result->tokens_kept); !saved) {
      std::fprintf(stderr, "tokenload: --save-tokens %s\n", saved.error().message.c_str());
      return kExitErrors;
    }
  }
  return exit_code_of(*result);
}

}  // namespace
}  // namespace tokend::load

int main(int argc, char** argv) {
  const auto options = tokend::load::parse_options(argc, argv);
  if (!options) {
    const tokend::load::Stop& stop = options.error();
    const bool is_help = stop.exit_code == tokend::load::kExitValid;
    std::fprintf(is_help ? stdout : stderr, is_help ? "%s\n" : "tokenload: %s\n",
                 stop.message.c_str());
    return stop.exit_code;
  }
  return tokend::load::run_program(*options);
}
