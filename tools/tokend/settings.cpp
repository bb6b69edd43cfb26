#include "tools/tokend/settings.h"

#include <algorithm>
#include <cctype>
#include <type_traits>
#include <utility>

#include "store/personal_token.h"
#include "tools/tokend/units.h"

namespace tokend::tools {
namespace {

constexpr std::int64_t kKiB = 1LL << 10;
constexpr std::int64_t kMiB = 1LL << 20;
constexpr std::int64_t kGiB = 1LL << 30;
constexpr std::int64_t kSecond = 1'000;
constexpr std::int64_t kHour = 3'600 * kSecond;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kYears100 = 36'500 * kDay;

constexpr std::string_view kServer = "Server";
constexpr std::string_view kIssuing = "Issuing tokens";
constexpr std::string_view kAdmin = "The first admin (read only while the store has no user)";
constexpr std::string_view kRate = "Rate limit";
constexpr std::string_view kHttp = "Limits of the wire (counts are per core)";
constexpr std::string_view kStore = "Limits of the store";

// A member of Config, as the place where a setting is kept.
#define TARGET(member) [](Config& config) -> Target { return &config.member; }

constexpr Setting kSettings[] = {
    {.name = "listen",
     .group = kServer,
     .kind = Kind::list,
     .fallback = "127.0.0.1:3000",
     .help = "Address and port to serve, repeatable; [::1]:3000 for IPv6, port 0 for any free one",
     .target = TARGET(listen),
     .original = "PORT",
     .reading = Reading::port_of_listen},
    {.name = "data",
     .group = kServer,
     .kind = Kind::text,
     .fallback = "./data",
     .help = "Directory of the database; made if it is missing",
     .target = TARGET(data)},
    {.name = "cores",
     .group = kServer,
     .kind = Kind::count,
     .fallback = "0",
     .help = "Serving threads; 0 is one for each CPU that the process may use",
     .target = TARGET(cores),
     .greatest = 1'024},
    {.name = "cpus",
     .group = kServer,
     .kind = Kind::cpus,
     .fallback = "",
     .help = "CPUs of the serving threads, such as 0-3,6; the first allowed ones if not set",
     .target = TARGET(cpus)},
    {.name = "drain-timeout",
     .group = kServer,
     .kind = Kind::duration,
     .fallback = "10s",
     .help = "At SIGTERM: how long requests in flight may still take",
     .target = TARGET(drain_timeout_ms),
     .greatest = kHour},
    {.name = "log-level",
     .group = kServer,
     .kind = Kind::choice,
     .fallback = "info",
     .help = "The least that is logged",
     .target = TARGET(log_level),
     .choices = "debug|info|warning|error"},
    {.name = "log-format",
     .group = kServer,
     .kind = Kind::choice,
     .fallback = "text",
     .help = "Form of a line on standard error",
     .target = TARGET(log_format),
     .choices = "text|json"},

    {.name = "create-tokens-for-users",
     .group = kIssuing,
     .kind = Kind::toggle,
     .fallback = "false",
     .help = "Serve users.createToken to callers with the permission",
     .target = TARGET(create_tokens_for_users),
     .original = "CREATE_TOKENS_FOR_USERS",
     .reading = Reading::yes_or_true},
    {.name = "create-tokens-for-users-secret",
     .group = kIssuing,
     .kind = Kind::text,
     .fallback = "",
     .help = "Serve users.createToken, and only to requests with this secret",
     .target = TARGET(create_tokens_for_users_secret),
     .original = "CREATE_TOKENS_FOR_USERS_SECRET",
     .secret = true},
    {.name = "create-tokens-for-users-secret-file",
     .group = kIssuing,
     .kind = Kind::text,
     .fallback = "",
     .help = "The same, from the first line of a file",
     .target = TARGET(create_tokens_for_users_secret_file),
     .original = "CREATE_TOKENS_FOR_USERS_SECRET_FILE"},
    {.name = "token-lifetime",
     .group = kIssuing,
     .kind = Kind::duration,
     .fallback = "90d",
     .help = "How long a token authenticates, from its issue",
     .target = TARGET(token_lifetime_ms),
     .least = 1,
     .greatest = kYears100,
     .original = "Accounts_LoginExpiration",
     .reading = Reading::days},
    {.name = "max-resume-login-tokens",
     .group = kIssuing,
     .kind = Kind::count,
     .fallback = "50",
     .help = "Tokens that a user keeps; the oldest beyond it are dropped",
     .target = TARGET(tokens_per_user_max),
     .least = 1,
     .greatest = 10'000,
     .original = "MAX_RESUME_LOGIN_TOKENS"},
    {.name = "max-personal-access-tokens",
     .group = kIssuing,
     .kind = Kind::count,
     .fallback = "100",
     .help = "Personal access tokens that a user may have",
     .target = TARGET(personal_tokens_per_user_max),
     .least = 0,
     .greatest = store::kPersonalTokensMax},

    {.name = "admin-username",
     .group = kAdmin,
     .kind = Kind::text,
     .fallback = "",
     .help = "Its name; `admin` if not set",
     .target = TARGET(admin_username),
     .original = "ADMIN_USERNAME"},
    {.name = "admin-pass",
     .group = kAdmin,
     .kind = Kind::text,
     .fallback = "",
     .help = "Its password; a random one in DATA/initial-admin-password if not set",
     .target = TARGET(admin_pass),
     .original = "ADMIN_PASS",
     .secret = true},
    {.name = "admin-pass-file",
     .group = kAdmin,
     .kind = Kind::text,
     .fallback = "",
     .help = "Its password, from the first line of a file",
     .target = TARGET(admin_pass_file),
     .original = "ADMIN_PASS_FILE"},
    {.name = "admin-email",
     .group = kAdmin,
     .kind = Kind::text,
     .fallback = "",
     .help = "Its e-mail address",
     .target = TARGET(admin_email),
     .original = "ADMIN_EMAIL"},
    {.name = "admin-name",
     .group = kAdmin,
     .kind = Kind::text,
     .fallback = "",
     .help = "Its display name; the username if not set",
     .target = TARGET(admin_name),
     .original = "ADMIN_NAME"},

    {.name = "rate-limiter",
     .group = kRate,
     .kind = Kind::toggle,
     .fallback = "true",
     .help = "Limit the calls of each address to each POST route",
     .target = TARGET(rate_limiter),
     .original = "API_Enable_Rate_Limiter"},
    {.name = "rate-limiter-calls",
     .group = kRate,
     .kind = Kind::count,
     .fallback = "10",
     .help = "Calls in one window",
     .target = TARGET(rate_limiter_calls_max),
     .least = 1,
     .greatest = 1'000'000'000,
     .original = "API_Enable_Rate_Limiter_Limit_Calls_Default"},
    {.name = "rate-limiter-window",
     .group = kRate,
     .kind = Kind::duration,
     .fallback = "60s",
     .help = "Length of a window",
     .target = TARGET(rate_limiter_window_ms),
     .least = 1,
     .greatest = kDay,
     .original = "API_Enable_Rate_Limiter_Limit_Time_Default",
     .reading = Reading::milliseconds},
    {.name = "rate-limiter-entries",
     .group = kRate,
     .kind = Kind::count,
     .fallback = "65536",
     .help = "Windows that are remembered; the oldest are forgotten beyond it",
     .target = TARGET(rate_limiter_entries),
     .least = 64,
     .greatest = 1LL << 30},
    {.name = "forwarded-count",
     .group = kRate,
     .kind = Kind::count,
     .fallback = "0",
     .help = "Trusted proxies in front: the client is the one so far from the right in "
             "X-Forwarded-For",
     .target = TARGET(forwarded_count),
     .greatest = 100,
     .original = "HTTP_FORWARDED_COUNT"},

    {.name = "connections-max",
     .group = kHttp,
     .kind = Kind::count,
     .fallback = "16384",
     .help = "Connections; further ones are refused",
     .target = TARGET(http.connections_max),
     .least = 1,
     .greatest = 1'000'000},
    {.name = "exchanges-max",
     .group = kHttp,
     .kind = Kind::count,
     .fallback = "16384",
     .help = "Requests in flight; at the limit they are answered 503",
     .target = TARGET(http.exchanges_max),
     .least = 1,
     .greatest = 1'000'000},
    {.name = "pipeline-depth-max",
     .group = kHttp,
     .kind = Kind::count,
     .fallback = "64",
     .help = "Requests in flight on one connection; further ones wait",
     .target = TARGET(http.pipeline_depth_max),
     .least = 1,
     .greatest = 65'536},
    {.name = "output-bytes-max",
     .group = kHttp,
     .kind = Kind::bytes,
     .fallback = "256KiB",
     .help = "Answers that one connection has not taken; its further requests wait",
     .target = TARGET(http.output_bytes_max),
     .least = kKiB,
     .greatest = kGiB},
    {.name = "kept-requests-max",
     .group = kHttp,
     .kind = Kind::count,
     .fallback = "4096",
     .help = "Requests that came in parts or wait for the disk",
     .target = TARGET(http.kept_requests_max),
     .least = 1,
     .greatest = 1'000'000},
    {.name = "header-bytes-max",
     .group = kHttp,
     .kind = Kind::bytes,
     .fallback = "16KiB",
     .help = "Request line and headers; 431 above",
     .target = TARGET(http.header_bytes_max),
     .least = kKiB,
     .greatest = kMiB},
    {.name = "target-bytes-max",
     .group = kHttp,
     .kind = Kind::bytes,
     .fallback = "8KiB",
     .help = "Path and query; 414 above",
     .target = TARGET(http.target_bytes_max),
     .least = 128,
     .greatest = kMiB},
    {.name = "body-bytes-max",
     .group = kHttp,
     .kind = Kind::bytes,
     .fallback = "64KiB",
     .help = "Body of a request; 413 above",
     .target = TARGET(http.body_bytes_max),
     .least = kKiB,
     .greatest = 16 * kMiB},
    {.name = "header-timeout",
     .group = kHttp,
     .kind = Kind::duration,
     .fallback = "10s",
     .help = "From a request's first byte to its last header",
     .target = TARGET(http.header_timeout_ms),
     .least = 1,
     .greatest = kHour},
    {.name = "body-timeout",
     .group = kHttp,
     .kind = Kind::duration,
     .fallback = "30s",
     .help = "From then to the last byte of its body",
     .target = TARGET(http.body_timeout_ms),
     .least = 1,
     .greatest = kHour},
    {.name = "idle-timeout",
     .group = kHttp,
     .kind = Kind::duration,
     .fallback = "75s",
     .help = "Between two requests",
     .target = TARGET(http.idle_timeout_ms),
     .least = 1,
     .greatest = kDay},
    {.name = "send-timeout",
     .group = kHttp,
     .kind = Kind::duration,
     .fallback = "30s",
     .help = "How long a peer may take nothing of its answer",
     .target = TARGET(reactor.send_timeout_ms),
     .least = 1,
     .greatest = kHour},
    {.name = "linger-timeout",
     .group = kHttp,
     .kind = Kind::duration,
     .fallback = "2s",
     .help = "How long a refused peer may go on sending while it reads why",
     .target = TARGET(reactor.linger_timeout_ms),
     .least = 1,
     .greatest = kHour},
    {.name = "receive-buffers",
     .group = kHttp,
     .kind = Kind::count,
     .fallback = "1024",
     .help = "Receive buffers; a power of two",
     .target = TARGET(reactor.receive_buffers),
     .least = 2,
     .greatest = 32'768},
    {.name = "receive-buffer-bytes",
     .group = kHttp,
     .kind = Kind::bytes,
     .fallback = "8KiB",
     .help = "Size of one of them",
     .target = TARGET(reactor.receive_buffer_bytes),
     .least = kKiB,
     .greatest = kMiB},
    {.name = "send-blocks-max",
     .group = kHttp,
     .kind = Kind::count,
     .fallback = "65536",
     .help = "Blocks of 8 KiB for answers; at the limit connections are aborted",
     .target = TARGET(reactor.send_blocks_max),
     .least = 16,
     .greatest = 16'777'216},

    {.name = "tokens-max",
     .group = kStore,
     .kind = Kind::count,
     .fallback = "268435456",
     .help = "Live tokens of all users; at the limit issuing is answered 503",
     .target = TARGET(tokens_max),
     .least = 1,
     .greatest = 10'000'000'000},
    {.name = "token-cache-entries",
     .group = kStore,
     .kind = Kind::count,
     .fallback = "1048576",
     .help = "Tokens that each core remembers",
     .target = TARGET(store.token_cache_entries),
     .least = 64,
     .greatest = 1LL << 30},
    {.name = "user-cache-entries",
     .group = kStore,
     .kind = Kind::count,
     .fallback = "131072",
     .help = "Users that each core remembers",
     .target = TARGET(store.user_cache_entries),
     .least = 64,
     .greatest = 1LL << 30},
    {.name = "readers",
     .group = kStore,
     .kind = Kind::count,
     .fallback = "4",
     .help = "Threads that read the disk",
     .target = TARGET(readers),
     .least = 1,
     .greatest = 256},
    {.name = "reader-queue-max",
     .group = kStore,
     .kind = Kind::count,
     .fallback = "16384",
     .help = "Reads that wait for them; 503 above",
     .target = TARGET(reader_queue_max),
     .least = 1,
     .greatest = 1'000'000},
    {.name = "hashers",
     .group = kStore,
     .kind = Kind::count,
     .fallback = "2",
     .help = "Threads that check passwords",
     .target = TARGET(hashers),
     .least = 1,
     .greatest = 256},
    {.name = "hasher-queue-max",
     .group = kStore,
     .kind = Kind::count,
     .fallback = "256",
     .help = "Passwords that wait for them; 503 above",
     .target = TARGET(hasher_queue_max),
     .least = 1,
     .greatest = 1'000'000},
    {.name = "bcrypt-cost",
     .group = kStore,
     .kind = Kind::count,
     .fallback = "10",
     .help = "Cost of new password hashes: each step doubles the time",
     .target = TARGET(bcrypt_cost),
     .least = 4,
     .greatest = 16},
    {.name = "block-cache-bytes",
     .group = kStore,
     .kind = Kind::bytes,
     .fallback = "256MiB",
     .help = "Memory for blocks of the database",
     .target = TARGET(block_cache_bytes),
     .least = kMiB,
     .greatest = 1'024 * kGiB},
    {.name = "write-buffer-bytes",
     .group = kStore,
     .kind = Kind::bytes,
     .fallback = "64MiB",
     .help = "Memory for new tokens before they are written in bulk",
     .target = TARGET(write_buffer_bytes),
     .least = kMiB,
     .greatest = 4 * kGiB},
    {.name = "accept-log-damage",
     .group = kStore,
     .kind = Kind::toggle,
     .fallback = "false",
     .help = "Start on a damaged write-ahead log without what lies behind the damage",
     .target = TARGET(accept_log_damage)},
};

#undef TARGET

core::Result<std::int64_t> parse_number(Kind kind, std::string_view text) {
  if (kind == Kind::bytes) return parse_bytes(text);
  if (kind == Kind::duration) return parse_duration_ms(text);
  return parse_count(text);
}

bool is_choice(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    const std::size_t bar = std::min(choices.find('|'), choices.size());
    if (choices.substr(0, bar) == text) return true;
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
  return false;
}

template <class Number>
core::Result<void> assign_number(const Setting& setting, std::string_view text, Number& out) {
  const auto number = parse_number(setting.kind, text);
  if (!number) return std::unexpected(number.error());
  // The bounds of a duration or a size are told in the least unit, which is always right.
  if (*number < setting.least || *number > setting.greatest) {
    const std::string_view unit = setting.kind == Kind::bytes      ? " bytes"
                                  : setting.kind == Kind::duration ? " ms"
                                                                   : "";
    return core::fail(core::Errc::invalid, "must be from " + std::to_string(setting.least) +
                                               " to " + std::to_string(setting.greatest) +
                                               std::string(unit));
  }
  out = static_cast<Number>(*number);
  return {};
}

template <class Out>
core::Result<void> store_parsed(core::Result<Out> parsed, Out& out) {
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  out = std::move(*parsed);
  return {};
}

}  // namespace

std::span<const Setting> settings() { return kSettings; }

std::string flag_of(const Setting& setting) { return "--" + std::string(setting.name); }

std::string variable_of(const Setting& setting) {
  std::string variable = "TOKEND_";
  for (const char letter : setting.name) {
    variable += letter == '-' ? '_' : static_cast<char>(letter - (letter >= 'a' ? 'a' - 'A' : 0));
  }
  return variable;
}

std::string key_of(const Setting& setting) {
  std::string key(setting.name);
  std::ranges::replace(key, '-', '_');
  return key;
}

core::Result<Value> translate_original(const Setting& setting, std::string_view text) {
  std::string translated(text);
  switch (setting.reading) {
    case Reading::same: break;
    case Reading::yes_or_true:
      translated = text == "yes" || text == "true" ? "true" : "false";
      break;
    case Reading::milliseconds:
    case Reading::days: {
      const auto number = parse_count(text);
      if (!number) return std::unexpected(number.error());
      translated += setting.reading == Reading::days ? "d" : "ms";
      break;
    }
    case Reading::port_of_listen: {
      const auto port = parse_count(text);
      if (!port || *port > 65'535) return core::fail(core::Errc::invalid, "must be a port");
      const std::string_view fallback = setting.fallback;
      translated = std::string(fallback.substr(0, fallback.rfind(':') + 1)) + translated;
      break;
    }
  }
  return Value{{std::move(translated)}, std::string(setting.original)};
}

core::Result<void> assign(const Setting& setting, const Value& value, Config& config) {
  const Target target = setting.target(config);
  if (setting.kind == Kind::list) {
    if (value.texts.empty()) return core::fail(core::Errc::invalid, "must name at least one");
    *std::get<std::vector<std::string>*>(target) = value.texts;
    return {};
  }
  if (value.texts.size() != 1) return core::fail(core::Errc::invalid, "must be one value");
  const std::string& text = value.texts.front();
  switch (setting.kind) {
    case Kind::choice:
      if (!is_choice(setting.choices, text)) {
        return core::fail(core::Errc::invalid, "must be one of " + std::string(setting.choices));
      }
      [[fallthrough]];
    case Kind::text: *std::get<std::string*>(target) = text; return {};
    case Kind::toggle: return store_parsed(parse_switch(text), *std::get<bool*>(target));
    case Kind::cpus: return store_parsed(parse_cpus(text), *std::get<std::vector<int>*>(target));
    case Kind::count:
    case Kind::bytes:
    case Kind::duration:
    case Kind::list: break;
  }
  if (const auto* size = std::get_if<std::size_t*>(&target)) {
    return assign_number(setting, text, **size);
  }
  return assign_number(setting, text, *std::get<std::int64_t*>(target));
}

}  // namespace tokend::tools
