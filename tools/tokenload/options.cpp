#include "tools/tokenload/options.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <fstream>
#include <map>
#include <sstream>

#include "tools/tokenload/loop.h"

namespace tokend::load {

using core::Errc;
using core::fail;
using core::Result;

namespace {

constexpr std::string_view kDescription =
    "Loads a token server with users.createToken, or what --call and --bulk say, and checks every\n"
    "answer. --bulk 10000 --rounds 10 --save-tokens FILE issues ten tokens for each target, and\n"
    "--call auth --tokens-file FILE --rounds 1 then checks that every one of them is valid.\n"
    "Exit codes: 0 the run is valid; 1 wrong answers or lost connections; 2 usage;\n"
    "3 client-bound: the load itself was the bottleneck, its figures are not the server's.";

struct RawOptions {
  std::string duration = "10s";
  std::string warmup = "2s";
};

void add_flags(CLI::App& app, Options& options, RawOptions& raw) {
  const std::map<std::string, Call> calls{
      {"create-token", Call::create_token}, {"me", Call::me}, {"auth", Call::auth}};
  const std::map<std::string, NameBy> names{{"userId", NameBy::user_id},
                                            {"username", NameBy::username}};
  const std::map<std::string, Order> orders{{"round-robin", Order::round_robin},
                                            {"random", Order::random}};

  app.add_option("--target", options.target, "Server, as HOST:PORT")->capture_default_str();
  CLI::Option* call =
      app.add_option("--call", options.call, "POST users.createToken, GET me or GET /auth");
  call->transform(CLI::CheckedTransformer(calls).description("create-token|me|auth"));
  CLI::Option* constant =
      app.add_flag("--constant", options.constant,
                   "Any server that answers this call's request by a 200 of fixed size");
  app.add_option("--bulk", options.bulk_targets,
                 "POST users.createTokens for so many targets in each request; tokens are counted "
                 "as well as requests")
      ->check(CLI::Range(std::size_t{1}, kBulkTargetsMax))
      ->excludes(call)
      ->excludes(constant);
  app.add_option("--connections", options.connections, "Connections of all threads together")
      ->check(CLI::Range(std::size_t{1}, kConnectionsMax))
      ->capture_default_str();
  app.add_option("--pipeline", options.pipeline_depth, "Requests in flight on each connection")
      ->check(CLI::Range(std::size_t{1}, kPipelineDepthMax))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Threads, each with its share of the connections")
      ->check(CLI::Range(std::size_t{1}, kThreadsMax))
      ->capture_default_str();
  app.add_option("--cpus", options.cpus, "CPUs to pin the threads to, e.g. 1 or 2,3")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber);
  CLI::Option* duration =
      app.add_option("--duration", raw.duration, "Measured time: 10s, 500ms, 2m");
  duration->capture_default_str();
  CLI::Option* warmup = app.add_option("--warmup", raw.warmup, "Load before the measured time");
  warmup->capture_default_str();
  CLI::Option* rounds = app.add_option(
      "--rounds", options.rounds,
      "Instead of for a time: until each target, or token, had its turn N times, and no more");
  rounds->check(CLI::Range(std::size_t{1}, kRoundsMax))->excludes(duration)->excludes(warmup);
  CLI::Option* rate = app.add_option(
      "--rate", options.rate_per_second,
      "Open loop: requests per second, latency measured from the intended send time; "
      "without it each connection sends when it was answered (closed loop)");
  rate->check(CLI::Range(1e-3, kRateMax))->excludes(rounds);
  app.add_option(
         "--tick", options.tick_us,
         "Open loop: send what is due, and look for answers, only every so many "
         "microseconds; costs the client less, and latency still counts from when a request "
         "was due to when its answer was seen")
      ->check(CLI::Range(std::int64_t{0}, kTickUsMax))
      ->needs(rate)
      ->capture_default_str();

  app.add_option("--user-id", options.user_id, "The issuer's user id")
      ->envname("TOKENLOAD_USER_ID");
  app.add_option("--token", options.token, "The issuer's token")->envname("TOKENLOAD_TOKEN");
  app.add_option("--admin", options.admin, "Log in as this user instead");
  app.add_option("--password", options.password, "Its password")->envname("TOKENLOAD_PASSWORD");
  app.add_option("--secret", options.secret,
                 "Sent as `secret` (CREATE_TOKENS_FOR_USERS_SECRET at the server)")
      ->envname("TOKENLOAD_SECRET");

  app.add_option("--target-users", options.target_users,
                 "Issue for the users load-0 to load-N-1, creating those that are missing")
      ->check(CLI::Range(std::size_t{1}, kTargetsMax));
  app.add_option("--targets-file", options.targets_file,
                 "Issue for these users instead: lines of `USERID [USERNAME]`");
  app.add_option("--save-targets", options.save_targets,
                 "Write the users of --target-users to a file for --targets-file");
  app.add_option("--save-tokens", options.save_tokens,
                 "Write every token to this new file, which only its owner may read: lines of "
                 "`USERID TOKEN`");
  app.add_option("--tokens-file", options.tokens_file,
                 "For --call me and auth: each request shows the next token of such a file");
  app.add_option("--by", options.name_by, "Name the target by userId (default) or username")
      ->transform(CLI::CheckedTransformer(names).description("userId|username"));
  app.add_option("--order", options.order, "Targets in turn: round-robin (default) or random")
      ->transform(CLI::CheckedTransformer(orders).description("round-robin|random"));
  app.add_option("--seed", options.seed, "Of --order random")->capture_default_str();

  app.add_flag("--check-unique", options.check_unique,
               "Remember every token and fail when one comes twice (8 bytes each)");
  app.add_option("--server-pid", options.server_pid,
                 "Report this process's CPU time per request, over all its threads")
      ->check(CLI::PositiveNumber);
  app.add_option("--json", options.json_file, "Write the results to this file, `-` for stdout");
}

std::optional<std::string> contradiction(const Options& options) {
  // What comes in a tick has to find a buffer.
  const std::size_t connections_each =
      (options.connections + options.threads - 1) / options.threads;
  if (options.tick_us > 0 &&
      connections_each * options.pipeline_depth > LoadLoop::kReceiveBuffers) {
    return "--tick: at most " + std::to_string(LoadLoop::kReceiveBuffers) +
           " requests in flight on a thread (--connections times --pipeline)";
  }
  if (options.tick_us > 0 && options.bulk_targets > 0) {
    return "--tick: not with --bulk, whose answers need many buffers";
  }
  if (options.connections < options.threads) return "--connections: at least one for each thread";
  if (!options.targets_file.empty() && options.target_users > 0) {
    return "--targets-file and --target-users: give one of them";
  }
  if (!options.save_targets.empty() && options.target_users == 0) {
    return "--save-targets needs --target-users";
  }
  const bool issues = options.call == Call::create_token || options.call == Call::create_tokens;
  if (!options.save_tokens.empty() && (!issues || options.constant)) {
    return "--save-tokens needs a call that issues tokens";
  }
  if (options.rounds > 0 && options.order == Order::random) {
    return "--rounds: everybody's turn comes once, which --order random can't say";
  }
  if (!options.tokens_file.empty()) {
    if (issues) return "--tokens-file needs --call me or auth";
    return std::nullopt;
  }
  if (options.constant) return std::nullopt;
  const bool has_token = !options.user_id.empty() && !options.token.empty();
  const bool has_login = !options.admin.empty() && !options.password.empty();
  if (!has_token && !has_login) {
    return "the issuer is missing: --user-id and --token, or --admin and --password";
  }
  for (const std::string& value : {options.user_id, options.token}) {
    if (value.find_first_of("\r\n") != std::string::npos) {
      return "--user-id and --token go into a header and can't hold a line end";
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_duration_ms(std::string_view text) noexcept {
  constexpr double kLongestMs = 7.0 * 24 * 3600 * 1000;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view unit(end, text.data() + text.size());
  double factor_ms = 0;
  if (unit == "ms") factor_ms = 1;
  if (unit == "s" || unit.empty()) factor_ms = 1'000;
  if (unit == "m") factor_ms = 60'000;
  if (unit == "h") factor_ms = 3'600'000;
  const double milliseconds = number * factor_ms;
  // Written so that a NaN is refused too.
  if (factor_ms == 0 || !(milliseconds >= 0 && milliseconds <= kLongestMs)) return std::nullopt;
  return static_cast<std::int64_t>(milliseconds);
}

std::expected<Options, Stop> parse_options(int argc, const char* const* argv) {
  Options options;
  RawOptions raw;
  try {
    CLI::App app{std::string(kDescription), "tokenload"};
    add_flags(app, options, raw);
    try {
      app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      return std::unexpected(Stop{kExitValid, app.help()});
    } catch (const CLI::ParseError& error) {
      return std::unexpected(Stop{kExitUsage, error.what()});
    }
  } catch (const std::exception& error) {
    return std::unexpected(Stop{kExitUsage, error.what()});
  }
  const auto duration = parse_duration_ms(raw.duration);
  if (!duration || *duration == 0) {
    return std::unexpected(Stop{kExitUsage, "--duration " + raw.duration + ": expected e.g. 10s"});
  }
  const auto warmup = parse_duration_ms(raw.warmup);
  if (!warmup) {
    return std::unexpected(Stop{kExitUsage, "--warmup " + raw.warmup + ": expected e.g. 2s"});
  }
  options.duration_ms = *duration;
  options.warmup_ms = options.rounds > 0 ? 0 : *warmup;
  if (options.bulk_targets > 0) options.call = Call::create_tokens;
  if (auto problem = contradiction(options)) {
    return std::unexpected(Stop{kExitUsage, std::move(*problem)});
  }
  return options;
}

Result<std::vector<Target>> read_targets(const std::string& file) {
  std::ifstream in(file);
  if (!in) return fail(Errc::not_found, file + ": can't be read");
  std::vector<Target> targets;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    Target target;
    if (!(words >> target.id)) continue;
    words >> target.username;
    std::string rest;
    if (words >> rest) {
      return fail(Errc::invalid,
                  file + ':' + std::to_string(number) + ": expected `USERID [USERNAME]`");
    }
    if (targets.size() == kTargetsMax) {
      return fail(Errc::full, file + ": more than " + std::to_string(kTargetsMax) + " users");
    }
    targets.push_back(std::move(target));
  }
  if (targets.empty()) return fail(Errc::invalid, file + ": no users in it");
  return targets;
}

Result<void> write_targets(const std::string& file, const std::vector<Target>& targets) {
  std::ofstream out(file);
  for (const Target& target : targets) out << target.id << ' ' << target.username << '\n';
  out.flush();
  if (!out) return fail(Errc::io, file + ": can't be written");
  return {};
}

}  // namespace tokend::load
