// What an operator can set, by which way it wins, and what is refused.
#include "tools/tokend/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "http/api/options.h"
#include "store/committer.h"
#include "tools/tokend/settings.h"

namespace tokend::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tokend-config-XXXXXX");
    CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  std::string write_file(const std::string& name, const std::string& text) {
    const std::string path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }

  static core::Result<Invocation> read(const std::vector<std::string>& arguments,
                                       const Environment& environment = {}) {
    return read_config(arguments, environment);
  }
  static Config config_of(const std::vector<std::string>& arguments,
                          const Environment& environment = {}) {
    const auto invocation = read(arguments, environment);
    EXPECT_TRUE(invocation.has_value()) << invocation.error().message;
    return invocation ? invocation->config : Config{};
  }
  static std::string error_of(const std::vector<std::string>& arguments,
                              const Environment& environment = {}) {
    const auto invocation = read(arguments, environment);
    EXPECT_FALSE(invocation.has_value()) << "was taken";
    return invocation ? "" : invocation.error().message;
  }

  std::filesystem::path folder_;
};

// A text that the setting takes and that is not its default.
std::string sample_of(const Setting& setting, int which) {
  switch (setting.kind) {
    case Kind::text:
      if (setting.name == "cors-origin") return "https://example.org:" + std::to_string(which);
      return "text" + std::to_string(which);
    case Kind::list: return "127.0.0.1:" + std::to_string(4'000 + which);
    case Kind::count:
    case Kind::bytes:
      if (setting.name == "receive-buffers") return std::to_string(1 << which);
      return std::to_string(setting.least + 7 + which);
    case Kind::duration: return std::to_string(setting.least + 100 + which) + "ms";
    case Kind::toggle: return setting.fallback == "true" ? "false" : "true";
    case Kind::cpus: return std::to_string(which);
    case Kind::choice: return std::string(setting.choices.substr(setting.choices.rfind('|') + 1));
  }
  return {};
}

std::string text_of(const Setting& setting, Config& config) {
  return std::visit(
      [](auto* member) {
        using Member = std::remove_pointer_t<decltype(member)>;
        std::string text;
        if constexpr (std::is_same_v<Member, std::string>) {
          text = *member;
        } else if constexpr (std::is_arithmetic_v<Member>) {
          text = std::to_string(*member);
        } else {
          for (const auto& item : *member) text += ::testing::PrintToString(item) + ";";
        }
        return text;
      },
      setting.target(config));
}

// Whether the row `setting` can be set alone.
bool stands_alone(const Setting& setting) {
  return !setting.name.ends_with("-file") && setting.name != "target-bytes-max" &&
         setting.name != "header-bytes-max" && setting.name != "cpus";
}

TEST_F(ConfigTest, DefaultsAreComplete) {
  const Config config = config_of({});
  EXPECT_EQ(config.listen, std::vector<std::string>{"127.0.0.1:3000"});
  EXPECT_EQ(config.data, "./data");
  EXPECT_EQ(config.settings.token_lifetime_ms, 90LL * 86'400'000);
  EXPECT_EQ(config.token_lifetime_ms_max, api::ApiOptions().token_lifetime_ms_max);
  EXPECT_EQ(config.tokens_per_user_max, 50U);
  EXPECT_EQ(config.personal_tokens_per_user_max, 100U);
  EXPECT_EQ(config.idempotency_window_ms, store::CommitterOptions().idempotency_window_ms);
  EXPECT_EQ(config.idempotency_bytes_max, store::CommitterOptions().idempotency_bytes_max);
  EXPECT_FALSE(config.create_tokens_for_users);
  EXPECT_TRUE(config.settings.rate_limiter);
  EXPECT_EQ(config.settings.rate_limiter_calls_max, 10);
  EXPECT_EQ(config.settings.rate_limiter_window_ms, 60'000);
  EXPECT_EQ(config.http.body_bytes_max, 64U * 1024);
  EXPECT_EQ(config.http.header_bytes_max, 16U * 1024);
  EXPECT_EQ(config.http.target_bytes_max, 8U * 1024);
}

TEST_F(ConfigTest, DefaultsAreThoseOfTheParts) {
  const Config config = config_of({});
  const http::SessionLimits http;
  EXPECT_EQ(config.http.connections_max, http.connections_max);
  EXPECT_EQ(config.http.exchanges_max, http.exchanges_max);
  EXPECT_EQ(config.http.pipeline_depth_max, http.pipeline_depth_max);
  EXPECT_EQ(config.http.header_bytes_max, http.header_bytes_max);
  EXPECT_EQ(config.http.target_bytes_max, http.target_bytes_max);
  EXPECT_EQ(config.http.body_bytes_max, http.body_bytes_max);
  EXPECT_EQ(config.http.output_bytes_max, http.output_bytes_max);
  EXPECT_EQ(config.http.kept_requests_max, http.kept_requests_max);
  EXPECT_EQ(config.http.header_timeout_ms, http.header_timeout_ms);
  EXPECT_EQ(config.http.body_timeout_ms, http.body_timeout_ms);
  EXPECT_EQ(config.http.idle_timeout_ms, http.idle_timeout_ms);
  const core::ReactorOptions reactor;
  EXPECT_EQ(config.reactor.connections_max, reactor.connections_max);
  EXPECT_EQ(config.reactor.receive_buffers, reactor.receive_buffers);
  EXPECT_EQ(config.reactor.receive_buffer_bytes, reactor.receive_buffer_bytes);
  EXPECT_EQ(config.reactor.send_blocks_max, reactor.send_blocks_max);
  EXPECT_EQ(config.reactor.linger_timeout_ms, reactor.linger_timeout_ms);
  EXPECT_EQ(config.reactor.send_timeout_ms, reactor.send_timeout_ms);
  EXPECT_EQ(config.reactor.proxy_protocol, reactor.proxy_protocol);
  EXPECT_EQ(config.reactor.proxy_header_timeout_ms, reactor.proxy_header_timeout_ms);
  const api::UserRateLimitOptions per_user;
  EXPECT_EQ(config.rate_limiter_key, "address");
  EXPECT_EQ(config.rate_limiter_user_calls_max, per_user.calls_max);
  EXPECT_EQ(config.rate_limiter_user_window_ms, per_user.window_ms);
  const store::StoreOptions store;
  EXPECT_EQ(config.store.token_cache_entries, store.token_cache_entries);
  EXPECT_EQ(config.store.user_cache_entries, store.user_cache_entries);
}

TEST_F(ConfigTest, EverySettingCanBeSetFromEverySourceAndTheNearestWins) {
  for (const Setting& setting : settings()) {
    if (!stands_alone(setting)) continue;
    SCOPED_TRACE(setting.name);
    const bool named = setting.kind == Kind::toggle || setting.kind == Kind::choice;
    const std::string in_file = sample_of(setting, 1);
    const std::string in_variable = named ? std::string(setting.fallback) : sample_of(setting, 2);
    const std::string in_flag = sample_of(setting, 3);
    const std::string file =
        write_file("tokend.toml", key_of(setting) + " = \"" + in_file + "\"\n");
    const auto expected = [&](const std::string& text) {
      Config config;
      const auto assigned = assign(setting, {{text}, "test"}, config);
      EXPECT_TRUE(assigned.has_value());
      return text_of(setting, config);
    };
    const auto actual = [&](std::vector<std::string> arguments, const Environment& environment) {
      Config config = config_of(arguments, environment);
      return text_of(setting, config);
    };
    const std::string flag = flag_of(setting) + "=" + in_flag;
    const Environment variable = {{variable_of(setting), in_variable}};

    EXPECT_NE(expected(in_file), actual({}, {})) << "the sample is the default";
    EXPECT_EQ(actual({"--config", file}, {}), expected(in_file));
    EXPECT_EQ(actual({}, variable), expected(in_variable));
    EXPECT_EQ(actual({flag}, {}), expected(in_flag));
    EXPECT_EQ(actual({"--config", file}, variable), expected(in_variable));
    EXPECT_EQ(actual({"--config", file, flag}, variable), expected(in_flag));
  }
}

TEST_F(ConfigTest, TheOriginalsVariableLosesToOursAndWinsOverTheFile) {
  const std::string file = write_file("tokend.toml", "max_resume_login_tokens = 7\n");
  const Environment both = {{"MAX_RESUME_LOGIN_TOKENS", "8"},
                            {"TOKEND_MAX_RESUME_LOGIN_TOKENS", "9"}};
  EXPECT_EQ(config_of({"--config", file}, both).tokens_per_user_max, 9U);
  EXPECT_EQ(config_of({"--config", file}, {{"MAX_RESUME_LOGIN_TOKENS", "8"}}).tokens_per_user_max,
            8U);
  EXPECT_EQ(config_of({}, {{"TOKEND_CONFIG", file}}).tokens_per_user_max, 7U);
}

TEST_F(ConfigTest, OnlyYesAndTrueEnableIssuingByTheOriginalsVariable) {
  for (const char* on : {"yes", "true"}) {
    EXPECT_TRUE(config_of({}, {{"CREATE_TOKENS_FOR_USERS", on}}).create_tokens_for_users) << on;
  }
  for (const char* off : {"", "TRUE", "1", "on", "Yes", "no", " true"}) {
    EXPECT_FALSE(config_of({}, {{"CREATE_TOKENS_FOR_USERS", off}}).create_tokens_for_users) << off;
  }
  EXPECT_TRUE(config_of({"--create-tokens-for-users"}).create_tokens_for_users);
  EXPECT_THAT(error_of({}, {{"TOKEND_CREATE_TOKENS_FOR_USERS", "TRUE"}}),
              HasSubstr("TOKEND_CREATE_TOKENS_FOR_USERS"));
}

TEST_F(ConfigTest, TheOriginalsUnitsAreUnderstood) {
  const Config config = config_of({}, {{"API_Enable_Rate_Limiter_Limit_Time_Default", "1500"},
                                       {"API_Enable_Rate_Limiter_Limit_Calls_Default", "3"},
                                       {"API_Enable_Rate_Limiter", "false"},
                                       {"Accounts_LoginExpiration", "2"},
                                       {"HTTP_FORWARDED_COUNT", "1"}});
  EXPECT_EQ(config.settings.rate_limiter_window_ms, 1'500);
  EXPECT_EQ(config.settings.rate_limiter_calls_max, 3);
  EXPECT_FALSE(config.settings.rate_limiter);
  EXPECT_EQ(config.settings.token_lifetime_ms, 2LL * 86'400'000);
  EXPECT_EQ(config.forwarded_count, 1U);
}

TEST_F(ConfigTest, ThePartsAreToldOfTheProxyProtocol) {
  EXPECT_FALSE(config_of({}).reactor.proxy_protocol);
  const Config config = config_of({"--proxy-protocol", "v2", "--header-timeout", "3s"});
  EXPECT_TRUE(config.reactor.proxy_protocol);
  EXPECT_EQ(config.reactor.proxy_header_timeout_ms, 3'000);
  EXPECT_THAT(error_of({"--proxy-protocol", "v1"}), HasSubstr("--proxy-protocol"));
}

TEST_F(ConfigTest, WhatIsSetInAnyWayIsKnownToBeGiven) {
  const auto given = [](const Config& config, store::SettingKey key) {
    return config.given_settings.test(static_cast<std::size_t>(key));
  };
  EXPECT_TRUE(config_of({}).given_settings.none());
  const std::string file = write_file("tokend.toml", "token_lifetime = \"90d\"\n");
  const Config config =
      config_of({"--rate-limiter-calls", "10", "--config", file},
                {{"TOKEND_RATE_LIMITER_WINDOW", "60s"}, {"API_Enable_Rate_Limiter", "true"}});
  EXPECT_TRUE(given(config, store::SettingKey::token_lifetime));
  EXPECT_TRUE(given(config, store::SettingKey::rate_limiter));
  EXPECT_TRUE(given(config, store::SettingKey::rate_limiter_calls));
  EXPECT_TRUE(given(config, store::SettingKey::rate_limiter_window));
  EXPECT_TRUE(config_of({}, {{"API_Enable_Rate_Limiter", ""}}).given_settings.none());
}

// Whoever gives the server another default gives it to the store's settings too.
TEST_F(ConfigTest, DefaultsAreThoseOfTheStoredSettings) {
  const Config config = config_of({});
  for (std::size_t i = 0; i < store::kSettingCount; ++i) {
    const auto key = static_cast<store::SettingKey>(i);
    EXPECT_EQ(get(config.settings, key), get(store::Settings{}, key)) << id_of(key);
  }
  for (const Setting& setting : settings()) {
    if (!setting.stored) continue;
    EXPECT_EQ(setting.original, id_of(*setting.stored)) << setting.name;
    if (setting.kind != Kind::count && setting.kind != Kind::duration) continue;
    EXPECT_EQ(setting.least, bounds_of(*setting.stored).least) << setting.name;
    EXPECT_EQ(setting.greatest, bounds_of(*setting.stored).greatest) << setting.name;
  }
}

TEST_F(ConfigTest, CorsIsForAllOrForAListOfOrigins) {
  EXPECT_FALSE(config_of({}).settings.cors);
  EXPECT_EQ(config_of({}).settings.cors_origin, "*");
  const Config config = config_of(
      {}, {{"API_Enable_CORS", "true"}, {"API_CORS_Origin", "https://a.org, http://b.org:8080"}});
  EXPECT_TRUE(config.settings.cors);
  EXPECT_EQ(config.settings.cors_origin, "https://a.org, http://b.org:8080");
  EXPECT_THAT(error_of({"--cors-origin", "example.org"}), HasSubstr("--cors-origin: must be *"));
  const std::string path = "https://" + std::string(store::kSettingTextBytesMax, 'x');
  EXPECT_THAT(error_of({"--cors-origin", path}), HasSubstr("--cors-origin"));
}

TEST_F(ConfigTest, PortChangesTheDefaultAddressOnly) {
  const Environment port = {{"PORT", "4001"}};
  EXPECT_EQ(config_of({}, port).listen, std::vector<std::string>{"127.0.0.1:4001"});
  EXPECT_EQ(config_of({"--listen", "[::1]:5"}, port).listen, std::vector<std::string>{"[::1]:5"});
  const std::string file = write_file("tokend.toml", "listen = [\"127.0.0.1:6\"]\n");
  EXPECT_EQ(config_of({"--config", file}, port).listen, std::vector<std::string>{"127.0.0.1:6"});
  EXPECT_THAT(error_of({}, {{"PORT", "65536"}}), HasSubstr("PORT"));
}

TEST_F(ConfigTest, AListIsRepeatedOrSeparatedByCommas) {
  const std::vector<std::string> both = {"127.0.0.1:1", "[::1]:2"};
  EXPECT_EQ(config_of({"--listen", both[0], "--listen", both[1]}).listen, both);
  EXPECT_EQ(config_of({"--listen", both[0] + "," + both[1]}).listen, both);
  EXPECT_EQ(config_of({}, {{"TOKEND_LISTEN", both[0] + "," + both[1]}}).listen, both);
  const std::string file =
      write_file("tokend.toml", "listen = [\"" + both[0] + "\", \"" + both[1] + "\"]\n");
  EXPECT_EQ(config_of({"--config", file}).listen, both);
}

TEST_F(ConfigTest, WhatIsNotUnderstoodIsRefusedByTheNameOfItsPlace) {
  EXPECT_THAT(error_of({"--no-such-flag"}), HasSubstr("--no-such-flag"));
  EXPECT_THAT(error_of({"serve"}), HasSubstr("serve"));
  EXPECT_THAT(error_of({"--cores", "two"}), HasSubstr("--cores"));
  EXPECT_THAT(error_of({"--cores", "1", "--cores", "2"}), HasSubstr("--cores"));
  EXPECT_THAT(error_of({"--token-lifetime", "90"}), HasSubstr("--token-lifetime"));
  EXPECT_THAT(error_of({"--log-level", "loud"}), HasSubstr("debug|info|warning|error"));
  EXPECT_THAT(error_of({"--bcrypt-cost", "3"}), HasSubstr("from 4 to 16"));
  EXPECT_THAT(error_of({"--receive-buffers", "1000"}), HasSubstr("power of two"));
  EXPECT_THAT(error_of({"--target-bytes-max", "32KiB"}), HasSubstr("--header-bytes-max"));
  EXPECT_THAT(error_of({"--cores", "2", "--cpus", "0"}), HasSubstr("--cpus"));
  EXPECT_THAT(error_of({"--data", ""}), HasSubstr("--data"));
  EXPECT_THAT(error_of({"--config", "/no/such/file"}), HasSubstr("/no/such/file"));
  EXPECT_THAT(error_of({}, {{"TOKEND_CORES", "-1"}}), HasSubstr("TOKEND_CORES"));
  EXPECT_THAT(error_of({}, {{"HTTP_FORWARDED_COUNT", "x"}}), HasSubstr("HTTP_FORWARDED_COUNT"));
}

TEST_F(ConfigTest, AnErrorInTheFileNamesFileAndLine) {
  const auto error_in = [&](const std::string& text) {
    return error_of({"--config", write_file("bad.toml", text)});
  };
  EXPECT_THAT(error_in("cores = 1\ntoken_lifetme = \"1d\"\n"),
              HasSubstr("bad.toml:2: unknown key"));
  EXPECT_THAT(error_in("\n\ncores = \"two\"\n"), HasSubstr("bad.toml:3: cores"));
  EXPECT_THAT(error_in("cores = 1.5\n"), HasSubstr("bad.toml:1: cores"));
  EXPECT_THAT(error_in("cores = \n"), HasSubstr("bad.toml:1"));
  EXPECT_THAT(error_in("listen = [1]\n"), HasSubstr("bad.toml:1: listen"));
  EXPECT_THAT(error_in("[http]\ncores = 1\n"), HasSubstr("unknown key 'http'"));
  EXPECT_THAT(error_in("cores = 1\ncores = 2\n"), HasSubstr("bad.toml:2"));
}

TEST_F(ConfigTest, AnUnknownVariableOfOursIsAWarning) {
  const auto invocation = read({}, {{"TOKEND_LIFETIME", "1d"}, {"TOKEND_CONFIG", ""}});
  ASSERT_TRUE(invocation.has_value());
  ASSERT_EQ(invocation->warnings.size(), 1U);
  EXPECT_THAT(invocation->warnings[0], HasSubstr("TOKEND_LIFETIME"));
}

TEST_F(ConfigTest, SecretsCanComeFromFiles) {
  const std::string file = write_file("secret", "s3cret\n");
  EXPECT_EQ(
      config_of({}, {{"CREATE_TOKENS_FOR_USERS_SECRET_FILE", file}}).create_tokens_for_users_secret,
      "s3cret");
  EXPECT_EQ(config_of({"--admin-pass-file", file, "--admin-username", "root"}).admin_pass,
            "s3cret");
  EXPECT_THAT(error_of({"--admin-pass-file", file, "--admin-pass", "x", "--admin-username", "y"}),
              HasSubstr("set one of them"));
  EXPECT_THAT(error_of({"--admin-pass-file", write_file("empty", "")}), HasSubstr("empty"));
}

TEST_F(ConfigTest, ErrorsAndPrintedConfigNeverShowASecret) {
  const Environment environment = {{"ADMIN_USERNAME", "root"},
                                   {"ADMIN_PASS", "hunter2-password"},
                                   {"CREATE_TOKENS_FOR_USERS_SECRET", "hunter2-secret"}};
  const auto printed = read({"--print-config"}, environment);
  ASSERT_TRUE(printed.has_value());
  EXPECT_EQ(printed->action, Invocation::Action::print);
  EXPECT_THAT(printed->text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(printed->text, HasSubstr("# admin_pass = \"********\"  # ADMIN_PASS"));
  EXPECT_THAT(error_of({"--token-lifetime", "hunter2"}), Not(HasSubstr("hunter2")));
}

TEST_F(ConfigTest, ThePrintedConfigSaysTheSourceAndReadsBackTheSame) {
  const std::string file = write_file("tokend.toml", "body_bytes_max = \"1MiB\"\ncores = 3\n");
  const auto printed =
      read({"--print-config", "--config", file, "--log-format", "json", "--rate-limiter=no",
            "--listen", "127.0.0.1:1,[::1]:2", "--admin-name", "A \"quoted\" \\ name\twith tab"},
           {{"TOKEND_TOKEN_LIFETIME", "12h"}, {"Accounts_LoginExpiration", "4"}});
  ASSERT_TRUE(printed.has_value()) << printed.error().message;
  EXPECT_THAT(printed->text, HasSubstr("cores = 3  # " + file + ":2\n"));
  EXPECT_THAT(printed->text, HasSubstr("token_lifetime = \"12h\"  # TOKEND_TOKEN_LIFETIME\n"));
  EXPECT_THAT(printed->text, HasSubstr("log_format = \"json\"  # --log-format\n"));
  EXPECT_THAT(printed->text, HasSubstr("idle_timeout = \"75s\"  # default\n"));
  // One that the API can change is not fixed by a file that only repeats the default.
  EXPECT_THAT(printed->text, HasSubstr("\n# rate_limiter_calls = 10  # default\n"));

  Config first = printed->config;
  Config again = config_of({"--config", write_file("printed.toml", printed->text)});
  for (const Setting& setting : settings()) {
    EXPECT_EQ(text_of(setting, first), text_of(setting, again)) << setting.name;
  }
  EXPECT_EQ(first.given_settings, again.given_settings);
}

TEST_F(ConfigTest, HelpNamesEveryFlagVariableAndDefault) {
  const auto invocation = read({"--help"});
  ASSERT_TRUE(invocation.has_value());
  std::set<std::string_view> names;
  for (const Setting& setting : settings()) {
    EXPECT_TRUE(names.insert(setting.name).second) << setting.name << " is there twice";
    EXPECT_THAT(invocation->text, HasSubstr("  " + flag_of(setting)));
    EXPECT_THAT(invocation->text, HasSubstr(variable_of(setting)));
    EXPECT_THAT(invocation->text, HasSubstr(std::string(setting.original)));
  }
  EXPECT_THAT(read({"--version"})->text, HasSubstr(TOKEND_VERSION));
}

}  // namespace
}  // namespace tokend::tools
