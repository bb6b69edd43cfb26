#include "tools/tokend/config.h"

#include <CLI/CLI.hpp>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include "http/api/cors.h"
#include "tools/tokend/config_file.h"
#include "tools/tokend/settings.h"

namespace tokend::tools {
namespace {

using core::Errc;
using core::fail;
using core::Result;

// What stood on the command line; for each setting the texts of its flag, none when it is absent.
struct Flags {
  std::vector<std::vector<std::string>> texts;
  std::string config_file;
  bool print_config = false;
  bool version = false;
  bool help = false;
};

// The only place that knows CLI11, which throws.
Result<Flags> parse_flags(std::span<const std::string> arguments) {
  Flags flags;
  flags.texts.resize(settings().size());
  std::vector<std::string> toggles(settings().size());
  CLI::App app;
  app.set_help_flag();
  app.add_flag("-h,--help", flags.help);
  app.add_flag("--version", flags.version);
  app.add_flag("--print-config", flags.print_config);
  app.add_option("--config", flags.config_file);
  for (std::size_t index = 0; index < settings().size(); ++index) {
    const Setting& setting = settings()[index];
    if (setting.kind == Kind::toggle) {
      app.add_flag(flag_of(setting), toggles[index]);
    } else {
      CLI::Option* option = app.add_option(flag_of(setting), flags.texts[index]);
      option->allow_extra_args(false);
      if (setting.kind != Kind::list) {
        option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::Throw);
      }
    }
  }
  // CLI11 takes its arguments from the back.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::Error& error) {
    return fail(Errc::invalid, std::string(error.what()) + " (tokend --help lists the flags)");
  }
  for (std::size_t index = 0; index < toggles.size(); ++index) {
    if (!toggles[index].empty()) flags.texts[index] = {std::move(toggles[index])};
  }
  return flags;
}

std::vector<std::string> split_at_commas(const std::vector<std::string>& texts) {
  std::vector<std::string> items;
  for (const std::string& text : texts) {
    std::size_t begin = 0;
    while (begin <= text.size()) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      if (end > begin) items.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return items;
}

// nullptr when the variable is missing or empty: a container's empty variable means "not set".
const std::string* find(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  return found == environment.end() || found->second.empty() ? nullptr : &found->second;
}

Result<Value> from_original(const Setting& setting, const std::string& text) {
  auto value = translate_original(setting, text);
  if (!value) {
    return fail(Errc::invalid, std::string(setting.original) + ": " + value.error().message);
  }
  return value;
}

// The value that wins: flag, environment, file, default.
Result<Value> resolve(const Setting& setting, const std::vector<std::string>& flag,
                      const Environment& environment, Value in_file) {
  if (!flag.empty()) return Value{flag, flag_of(setting)};
  const std::string variable = variable_of(setting);
  if (const std::string* text = find(environment, variable)) return Value{{*text}, variable};
  // PORT changes the default only; the other variables of the original win over the file.
  const bool changes_default = setting.reading == Reading::port_of_listen;
  const std::string* original =
      setting.original.empty() ? nullptr : find(environment, setting.original);
  if (original && !changes_default) return from_original(setting, *original);
  if (!in_file.texts.empty()) return in_file;
  if (original) return from_original(setting, *original);
  return Value{{std::string(setting.fallback)}, std::string(kDefaultSource)};
}

Result<std::string> read_first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file.is_open()) return fail(Errc::invalid, path + ": " + std::strerror(errno));
  if (!std::getline(file, line) || line.empty()) {
    return fail(Errc::invalid, path + ": the first line is empty");
  }
  return line;
}

Result<void> read_secret_file(const std::string& path, std::string_view flag, std::string& secret) {
  if (path.empty()) return {};
  if (!secret.empty()) {
    return fail(Errc::invalid,
                std::string(flag) + " and " + std::string(flag) + "-file: set one of them");
  }
  auto line = read_first_line(path);
  if (!line) {
    return fail(Errc::invalid, std::string(flag) + "-file: " + line.error().message);
  }
  secret = std::move(*line);
  return {};
}

// What no setting can say of itself alone.
Result<void> complete(Config& config) {
  if (auto read = read_secret_file(config.create_tokens_for_users_secret_file,
                                   "--create-tokens-for-users-secret",
                                   config.create_tokens_for_users_secret);
      !read) {
    return read;
  }
  if (auto read = read_secret_file(config.admin_pass_file, "--admin-pass", config.admin_pass);
      !read) {
    return read;
  }
  if (!api::is_origin_list(config.settings.cors_origin) ||
      config.settings.cors_origin.size() > store::kSettingTextBytesMax) {
    return fail(Errc::invalid, "--cors-origin: " + std::string(api::kOriginListWanted));
  }
  if (config.data.empty()) return fail(Errc::invalid, "--data: must name a directory");
  if (!std::has_single_bit(config.reactor.receive_buffers)) {
    return fail(Errc::invalid, "--receive-buffers: must be a power of two");
  }
  if (config.http.target_bytes_max > config.http.header_bytes_max) {
    return fail(Errc::invalid, "--target-bytes-max: must not be above --header-bytes-max");
  }
  if (config.cores != 0 && !config.cpus.empty() && config.cpus.size() != config.cores) {
    return fail(Errc::invalid, "--cpus: must name one CPU for each of --cores");
  }
  if (config.cores == 0) config.cores = config.cpus.size();
  config.reactor.proxy_protocol = config.proxy_protocol == "v2";
  config.reactor.proxy_header_timeout_ms = config.http.header_timeout_ms;
  config.reactor.connections_max = config.http.connections_max;
  return {};
}

// A variable of ours that no setting has is a typing error as a rule, but it can also be put there
// by an orchestrator that names its variables after services, so it can't be refused.
std::vector<std::string> unknown_variables(const Environment& environment) {
  std::vector<std::string> warnings;
  for (auto entry = environment.lower_bound("TOKEND_");
       entry != environment.end() && entry->first.starts_with("TOKEND_"); ++entry) {
    const bool known = entry->first == "TOKEND_CONFIG" ||
                       std::ranges::find(settings(), entry->first, variable_of) != settings().end();
    if (!known) warnings.push_back("the variable " + entry->first + " is no setting");
  }
  return warnings;
}

}  // namespace

Environment environment_from(const char* const* variables) {
  Environment environment;
  for (; *variables; ++variables) {
    const std::string_view variable = *variables;
    const std::size_t equals = variable.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return environment;
}

Result<Invocation> read_config(std::span<const std::string> arguments,
                               const Environment& environment) {
  const auto flags = parse_flags(arguments);
  if (!flags) return std::unexpected(flags.error());
  Invocation invocation;
  if (flags->help || flags->version) {
    invocation.action = Invocation::Action::print;
    invocation.text = flags->help ? help_text() : "tokend " TOKEND_VERSION "\n";
    return invocation;
  }

  std::vector<Value> in_file(settings().size());
  const std::string* variable = find(environment, "TOKEND_CONFIG");
  const std::string path = !flags->config_file.empty() ? flags->config_file
                           : variable                  ? *variable
                                                       : std::string();
  if (!path.empty()) {
    auto read = read_config_file(path);
    if (!read) return std::unexpected(read.error());
    in_file = std::move(*read);
  }

  std::vector<Value> values;
  for (std::size_t index = 0; index < settings().size(); ++index) {
    const Setting& setting = settings()[index];
    auto value = resolve(setting, flags->texts[index], environment, std::move(in_file[index]));
    if (!value) return std::unexpected(value.error());
    if (setting.kind == Kind::list) value->texts = split_at_commas(value->texts);
    if (auto assigned = assign(setting, *value, invocation.config); !assigned) {
      return fail(Errc::invalid, value->source + ": " + std::string(setting.name) + " " +
                                     assigned.error().message);
    }
    if (setting.stored && value->source != kDefaultSource) {
      invocation.config.given_settings.set(static_cast<std::size_t>(*setting.stored));
    }
    values.push_back(std::move(*value));
  }
  if (auto completed = complete(invocation.config); !completed) {
    return std::unexpected(completed.error());
  }
  invocation.warnings = unknown_variables(environment);
  if (flags->print_config) {
    invocation.action = Invocation::Action::print;
    invocation.text = print_text(values);
  }
  return invocation;
}

}  // namespace tokend::tools
