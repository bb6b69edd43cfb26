#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using ::testing::HasSubstr;
using testing::Reply;
using testing::World;

constexpr std::string_view kCalls = "API_Enable_Rate_Limiter_Limit_Calls_Default";

std::string path_of(std::string_view id) { return "/api/v1/settings/" + std::string(id); }

Reply change(World& world, std::string_view id, std::string_view value) {
  return world.post(path_of(id), world.admin(), R"({"value":)" + std::string(value) + "}");
}

std::string value_of(World& world, std::string_view id) {
  const std::string body = world.get(path_of(id), world.admin()).body;
  const std::string before = R"({"_id":")" + std::string(id) + R"(","value":)";
  constexpr std::string_view kAfter = R"(,"success":true})";
  EXPECT_TRUE(body.starts_with(before) && body.ends_with(kAfter)) << body;
  return body.substr(before.size(), body.size() - before.size() - kAfter.size());
}

TEST(SettingsApi, ShowsAndChangesEveryOne) {
  World world;
  const struct {
    std::string_view id;
    std::string_view value;
    std::string_view other;
  } settings[] = {
      {"Accounts_LoginExpiration", "90", "36500"},
      {"API_Enable_Rate_Limiter", "false", "true"},
      {kCalls, "10", "1000000000"},
      {"API_Enable_Rate_Limiter_Limit_Time_Default", "60000", "86400000"},
      {"API_Enable_CORS", "false", "true"},
      {"API_CORS_Origin", R"("*")", R"("https://example.org")"},
  };
  static_assert(std::size(settings) == store::kSettingCount);
  for (const auto& [id, value, other] : settings) {
    EXPECT_EQ(value_of(world, id), value);
    const Reply reply = change(world, id, other);
    EXPECT_EQ(reply.status, 200) << id;
    EXPECT_EQ(reply.body, R"({"success":true})") << id;
    EXPECT_EQ(value_of(world, id), other);
    EXPECT_TRUE(world.log.has("changed " + path_of(":_id") + ": " + std::string(id) +
                              "; caller=" + world.admin_id));
  }
}

TEST(SettingsApi, FormsSayValuesAsText) {
  World world;
  const std::string headers =
      world.admin().headers() + "Content-Type: application/x-www-form-urlencoded\r\n";
  EXPECT_EQ(world.post(path_of(kCalls), headers, "value=7").status, 200);
  EXPECT_EQ(value_of(world, kCalls), "7");
  for (const char* form : {"value=", "value=x", "value=7x", "value=-1", "value=1.5", "value=+7",
                           "value=99999999999999999999", ""}) {
    EXPECT_EQ(world.post(path_of(kCalls), headers, form).status, 400) << form;
  }
  EXPECT_EQ(world.post(path_of("API_Enable_CORS"), headers, "value=true").status, 200);
  EXPECT_EQ(value_of(world, "API_Enable_CORS"), "true");
  EXPECT_EQ(value_of(world, kCalls), "7");
}

TEST(SettingsApi, WhatCannotBeAValueIsRefusedAndSaysWhatCould) {
  World world;
  const auto refusal = [](std::string_view id, std::string_view what) {
    return R"({"success":false,"error":"The value of )" + std::string(id) + " must be " +
           std::string(what) +
           R"( [error-invalid-setting-value]","errorType":"error-invalid-setting-value"})";
  };
  for (const char* value : {"0", "-1", "1000000001", "99999999999999999999", "1.5", "1e3", "1e999",
                            "true", "\"5\"", "null", "[]", "{}"}) {
    const Reply reply = change(world, kCalls, value);
    EXPECT_EQ(reply.status, 400) << value;
    EXPECT_EQ(reply.body, refusal(kCalls, "a whole number from 1 to 1000000000")) << value;
  }
  // A number that nothing can hold does no harm to the others of the body.
  EXPECT_EQ(world.post(path_of(kCalls), world.admin(), R"({"x":1e999,"value":12345})").status, 200);
  EXPECT_EQ(value_of(world, kCalls), "12345");
  EXPECT_EQ(world.post(path_of(kCalls), world.admin(), R"({"x":1e999,"value":7})").status, 200);
  EXPECT_EQ(value_of(world, kCalls), "7");
  for (const char* value : {"0", "-1", "-213503982334", "36501", "9223372036854775807"}) {
    EXPECT_EQ(change(world, "Accounts_LoginExpiration", value).body,
              refusal("Accounts_LoginExpiration", "a whole number from 1 to 36500"));
  }
  for (const char* value : {"1", "\"true\"", "null"}) {
    EXPECT_EQ(change(world, "API_Enable_CORS", value).body,
              refusal("API_Enable_CORS", "true or false"));
  }
  EXPECT_EQ(world.post(path_of(kCalls), world.admin(), "{}").status, 400);
  EXPECT_EQ(world.post(path_of(kCalls), world.admin(), "").status, 400);
  EXPECT_EQ(value_of(world, "Accounts_LoginExpiration"), "90");
}

TEST(SettingsApi, NeedsThePermissionsAndAKnownSetting) {
  World world;
  const Credentials bob = world.new_user("bob");
  for (const std::string_view id : {kCalls, std::string_view("no_such_setting")}) {
    EXPECT_EQ(world.get(path_of(id), bob).body, kForbidden.body);
    EXPECT_EQ(world.post(path_of(id), bob, R"({"value":1})").body, kForbidden.body);
    EXPECT_EQ(world.get(path_of(id)).status, 401);
    EXPECT_EQ(world.post(path_of(id), "", R"({"value":1})").status, 401);
  }
  for (const char* id : {"no_such_setting", "api_enable_cors", "API%5FEnable_CORS", ":_id"}) {
    EXPECT_EQ(world.get(path_of(id), world.admin()).body, kSettingNotFound.body) << id;
    EXPECT_EQ(change(world, id, "1").body, kSettingNotFound.body) << id;
  }
  for (const char* path : {"/api/v1/settings", "/api/v1/settings/", "/api/v1/settings/a/b"}) {
    EXPECT_EQ(world.get(path, world.admin()).status, 404) << path;
  }
  EXPECT_EQ(
      world.exchange("PUT " + path_of(kCalls) + " HTTP/1.1\r\nHost: x\r\n\r\n").header("Allow"),
      "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(value_of(world, kCalls), "10");
}

TEST(SettingsApi, WhatTheOperatorGaveIsShownAndNotChanged) {
  store::CommitterOptions given = testing::default_committer_options();
  given.settings.token_lifetime_ms = 12LL * 3600 * 1000;
  given.given_settings.set(static_cast<std::size_t>(store::SettingKey::token_lifetime));
  World world(testing::default_options(), given);
  EXPECT_EQ(value_of(world, "Accounts_LoginExpiration"), "0.5");
  const Reply reply = change(world, "Accounts_LoginExpiration", "30");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body,
            R"({"success":false,"error":"Editing settings is not allowed: the server was started )"
            R"(with Accounts_LoginExpiration [error-action-not-allowed]",)"
            R"("errorType":"error-action-not-allowed"})");
  EXPECT_EQ(value_of(world, "Accounts_LoginExpiration"), "0.5");
}

TEST(SettingsApi, TheRateLimitChangesAtOnce) {
  World world;
  const Credentials bob = world.new_user("bob");
  const auto call = [&] { return world.post("/api/v1/users.removeOtherTokens", bob, ""); };
  EXPECT_EQ(call().header("X-RateLimit-Limit"), std::nullopt);
  EXPECT_EQ(change(world, "API_Enable_Rate_Limiter", "true").status, 200);
  EXPECT_EQ(call().header("X-RateLimit-Remaining"), "9");
  EXPECT_EQ(change(world, kCalls, "2").status, 200);
  EXPECT_EQ(call().header("X-RateLimit-Limit"), "2");
  EXPECT_EQ(call().status, 429);
  EXPECT_EQ(change(world, "API_Enable_Rate_Limiter_Limit_Time_Default", "1000").status, 200);
  world.clock.advance_ms(1000);
  const Reply fresh = call();
  EXPECT_EQ(fresh.status, 200);
  EXPECT_EQ(fresh.header("X-RateLimit-Reset"), std::to_string(world.clock.wall_ms() + 1000));
  EXPECT_EQ(change(world, "API_Enable_Rate_Limiter", "false").status, 200);
  for (int time = 0; time < 3; ++time) EXPECT_EQ(call().status, 200);
}

TEST(SettingsApi, AFailedDiskChangesNothingAndIsSaid) {
  World world;
  const Credentials admin = world.admin();
  world.database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  EXPECT_EQ(world.post(path_of(kCalls), admin, R"({"value":3})").status, 503);
  EXPECT_EQ(value_of(world, kCalls), "10");
}

}  // namespace
}  // namespace tokend::api
