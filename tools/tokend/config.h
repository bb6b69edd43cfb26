#pragma once
// Everything that an operator can set, read once at the start and immutable afterwards.
//
// A value comes from a flag, else from the environment, else from the configuration file, else from
// its default. The table in settings_table.cpp is the one place where a setting is declared; flags,
// variables, keys of the file, --help and --print-config are all made from it. Whatever is not
// understood is an error that names where it stood.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/reactor.h"
#include "http/session.h"
#include "store/setting.h"
#include "store/store.h"

namespace tokend::tools {

// The defaults of all members are in the table of settings.
struct Config {
  std::vector<std::string> listen;
  std::string metrics_listen;  // empty: nowhere
  std::string proxy_protocol;
  std::string data;
  std::size_t cores = 0;  // 0: one for each CPU that the process may use
  std::vector<int> cpus;
  std::int64_t drain_timeout_ms = 0;
  std::string log_level;
  std::string log_format;

  // Of those that the API can change too: what holds unless something is stored, and which of them
  // were set, so that they hold in any case.
  store::Settings settings;
  store::SettingSet given_settings;

  bool steer_connections = false;
  bool create_tokens_for_users = false;
  std::string create_tokens_for_users_secret;
  std::string create_tokens_for_users_secret_file;
  std::int64_t token_lifetime_ms_max = 0;
  std::size_t tokens_per_user_max = 0;
  std::size_t personal_tokens_per_user_max = 0;
  std::int64_t idempotency_window_ms = 0;
  std::size_t idempotency_bytes_max = 0;
  std::size_t tokens_max = 0;
  std::int64_t audit_retention_ms = 0;  // 0: no audit

  std::string admin_username;
  std::string admin_pass;
  std::string admin_pass_file;
  std::string admin_email;
  std::string admin_name;

  std::size_t rate_limiter_entries = 0;
  std::string rate_limiter_key;
  std::size_t rate_limiter_user_calls_max = 0;
  std::int64_t rate_limiter_user_window_ms = 0;
  bool login_block = true;
  std::size_t login_block_user_failures_max = 0;
  std::size_t login_block_address_failures_max = 0;
  std::int64_t login_block_time_ms = 0;
  std::size_t login_block_entries = 0;
  std::size_t forwarded_count = 0;

  core::ReactorOptions reactor;
  http::SessionLimits http;
  store::StoreOptions store;

  bool accept_log_damage = false;
  std::size_t store_shards = 1;
  std::size_t readers = 0;
  std::size_t reader_queue_max = 0;
  std::size_t hashers = 0;
  std::size_t hasher_queue_max = 0;
  std::size_t bcrypt_cost = 0;
  std::size_t block_cache_bytes = 0;
  std::size_t write_buffer_bytes = 0;
  std::size_t journal_bytes = 0;
};

using Environment = std::map<std::string, std::string, std::less<>>;

// "NAME=value" strings up to a null pointer, as main() finds them.
[[nodiscard]] Environment environment_from(const char* const* variables);

// What the command line asks for.
struct Invocation {
  enum class Action { serve, print };
  Action action = Action::serve;
  Config config;
  std::string text;                   // to print for Action::print
  std::vector<std::string> warnings;  // for the log
};

// `arguments` without the program's name. Fails with `invalid` and one line for the operator.
[[nodiscard]] core::Result<Invocation> read_config(std::span<const std::string> arguments,
                                                   const Environment& environment);

}  // namespace tokend::tools
