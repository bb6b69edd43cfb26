// What of the requests enters the audit, and GET audit.list. What the store does with it,
// tests/store/audit_test.cpp says.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/timers.h"
#include "http/api/audit_trail.h"
#include "http/api/text.h"
#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using testing::Reply;
using testing::World;

constexpr const char* kList = "/api/v1/audit.list";
constexpr const char* kCreateToken = "/api/v1/users.createToken";

std::string target(const std::string& id) { return R"({"userId":")" + id + R"("})"; }

// The newest record of the list, as it stands there.
std::string newest(World& world, const std::string& query = "") {
  const Reply reply = world.get(kList + std::string("?count=1") + query, world.admin());
  EXPECT_EQ(reply.status, 200) << reply.body;
  const std::size_t begin = reply.body.find('[') + 1;
  return reply.body.substr(begin, reply.body.rfind(R"(],"count")") - begin);
}

std::string reason_of(const std::string& record) {
  return testing::text_after(record, R"("reason":")");
}

TEST(AuditApi, TheReasonThatTheWireHidesIsThere) {
  ApiOptions options = testing::default_options();
  options.create_tokens_secret = "open sesame";
  World world(options);
  const Credentials user = world.new_user("user");
  const std::string inactive = world.create_user("inactive", R"(,"active":false)");
  const auto reason = [&](const Credentials& who, const std::string& body) {
    const Reply reply = world.post(kCreateToken, who, body);
    EXPECT_EQ(reply.status, 400);
    const std::string record = newest(world);
    EXPECT_NE(record.find(R"("event":"token-issue","outcome":"refused")"), std::string::npos);
    EXPECT_NE(record.find(R"("actor":{"_id":")" + who.user_id + R"("})"), std::string::npos);
    return reason_of(record);
  };
  const auto with_secret = [](const std::string& id) {
    return R"({"secret":"open sesame","userId":")" + id + R"("})";
  };
  EXPECT_EQ(reason(user, target(user.user_id)), "secret-missing");
  EXPECT_EQ(reason(user, R"({"secret":"guess"})"), "secret-wrong");
  EXPECT_EQ(reason(user, with_secret(inactive)), "no-permission");
  EXPECT_EQ(reason(world.admin(), with_secret(inactive)), "target-inactive");
  EXPECT_EQ(reason(world.admin(), with_secret("abcdefghijkmnopqr")), "target-unknown");
  EXPECT_NE(newest(world).find(R"("target":{"_id":"abcdefghijkmnopqr"})"), std::string::npos);
  EXPECT_EQ(reason(world.admin(), with_secret("a-password-perhaps")), "target-unknown");
  EXPECT_EQ(newest(world).find("a-password-perhaps"), std::string::npos) << "no id";
  EXPECT_FALSE(world.log.has("a-password-perhaps"));
  EXPECT_EQ(reason(world.admin(), R"({"secret":"open sesame","username":"nobody"})"),
            "target-unknown");
  EXPECT_EQ(newest(world).find("nobody"), std::string::npos) << "what was typed as a name";
  EXPECT_TRUE(world.log.has("refused /api/v1/users.createToken: there is no such target"));
}

TEST(AuditApi, ThatTheFeatureIsOffIsThere) {
  ApiOptions options = testing::default_options();
  options.create_tokens_enabled = false;
  World world(options);
  world.post(kCreateToken, world.admin(), target(world.admin_id));
  EXPECT_EQ(reason_of(newest(world)), "feature-off");
}

TEST(AuditApi, TokensAreThereWithTheirPublicIds) {
  World world;
  const std::string user = world.create_user("user");
  const Reply reply = world.post(kCreateToken, world.admin(), target(user));
  ASSERT_EQ(reply.status, 200);
  const std::string token = testing::text_after(reply.body, R"("authToken":")");
  const std::string listed = world.get("/api/v1/users.listTokens", Credentials{user, token}).body;
  const std::string record = newest(world, "&event=token-issue&userId=" + user);
  EXPECT_EQ(testing::text_after(record, R"("token":")"), testing::text_after(listed, R"("id":")"));
  EXPECT_NE(record.find(R"("address":")"), std::string::npos);
  EXPECT_NE(record.find(R"("expiresAt":")"), std::string::npos);
  EXPECT_EQ(record.find("reason"), std::string::npos);
}

TEST(AuditApi, LoginsAreThereAndWhyTheyFailed) {
  World world;
  world.admin();
  EXPECT_NE(newest(world).find(R"("event":"login","outcome":"success")"), std::string::npos);
  const Credentials user = world.new_user("user");
  const auto log_in = [&](const std::string& body) {
    world.post("/api/v1/login", "", body);
    return newest(world);
  };
  EXPECT_EQ(reason_of(log_in(R"({"user":"hunter2","password":"x"})")), "user-unknown");
  EXPECT_EQ(newest(world).find("hunter2"), std::string::npos) << "it may be a password";
  const std::string wrong = log_in(R"({"user":"user","password":"x"})");
  EXPECT_EQ(reason_of(wrong), "password-wrong");
  EXPECT_NE(wrong.find(R"("target":{"_id":")" + user.user_id), std::string::npos);
  const std::string resumed = log_in(R"({"resume":")" + user.token + R"("})");
  EXPECT_NE(resumed.find(R"("event":"resume","outcome":"success")"), std::string::npos);
  EXPECT_NE(resumed.find(user.user_id), std::string::npos);
  EXPECT_EQ(reason_of(log_in(R"({"resume":"no token"})")), "token-invalid");
  for (int attempt = 0; attempt < 10; ++attempt) log_in(R"({"user":"user","password":"x"})");
  EXPECT_EQ(reason_of(newest(world)), "name-blocked");
}

TEST(AuditApi, ARefusedCallSaysWhich) {
  World world;
  const Credentials user = world.new_user("user");
  EXPECT_EQ(world.get("/api/v1/policies.list", user).status, 403);
  EXPECT_NE(newest(world).find(R"("event":"call","outcome":"refused","reason":"no-permission")"),
            std::string::npos);
  EXPECT_NE(newest(world).find(R"("details":"/api/v1/policies.list")"), std::string::npos);
  world.post("/api/v1/users.delete", world.admin(), target(world.admin_id));
  EXPECT_EQ(reason_of(newest(world)), "last-admin");
}

TEST(AuditApi, WhatTheRateLimitRefusesIsThere) {
  store::CommitterOptions committer = testing::default_committer_options();
  committer.settings.rate_limiter = true;
  committer.settings.rate_limiter_calls_max = 1;
  World world(testing::default_options(), committer);
  const Credentials user = world.login("admin", World::kAdminPassword);
  world.connect();
  for (int call = 0; call < 2; ++call) world.post("/api/v1/login", "", "{}");
  const Reply reply = world.get(std::string(kList) + "?count=1", user);
  EXPECT_EQ(reason_of(reply.body), "rate-limit") << reply.body;
}

TEST(AuditApi, IsForThoseWithThePermission) {
  World world;
  const Credentials user = world.new_user("user");
  EXPECT_EQ(world.get(kList, user).status, 403);
  EXPECT_EQ(world.get(kList).status, 401);
  EXPECT_EQ(world.get(kList, world.admin()).status, 200);
}

TEST(AuditApi, WhatCannotBeAskedIsSaid) {
  World world;
  const auto code = [&](const std::string& query) {
    const Reply reply = world.get(kList + query, world.admin());
    EXPECT_EQ(reply.status, 400) << query;
    return testing::text_after(reply.body, R"("errorType":")");
  };
  EXPECT_EQ(code("?count=x"), "error-invalid-params");
  EXPECT_EQ(code("?event=nothing"), "error-invalid-event");
  EXPECT_EQ(code("?cursor=00"), "error-invalid-cursor");
  EXPECT_EQ(code("?since=yesterday"), "error-invalid-time");
  EXPECT_EQ(code("?until=2026-02-30T00:00:00Z"), "error-invalid-time");
  EXPECT_EQ(code("?actor=" + std::string(40, 'a')), "error-invalid-user");
}

TEST(AuditApi, PagesFollowOneAnother) {
  World world;
  const std::string user = world.create_user("user");
  for (int count = 0; count < 25; ++count) world.post(kCreateToken, world.admin(), target(user));
  std::vector<std::string> tokens;
  std::string cursor;
  for (int page = 0; page < 10; ++page) {
    const Reply reply = world.get(kList + std::string("?event=token-issue&count=10") +
                                      (cursor.empty() ? "" : "&cursor=" + cursor),
                                  world.admin());
    ASSERT_EQ(reply.status, 200) << reply.body;
    constexpr std::string_view kToken = R"("token":")";
    for (std::size_t at = 0; (at = reply.body.find(kToken, at)) != std::string::npos; ++at) {
      tokens.push_back(reply.body.substr(at + kToken.size(), 32));
    }
    cursor = testing::text_after(reply.body, R"("cursor":")");
    if (cursor.empty()) break;
  }
  EXPECT_EQ(tokens.size(), 25U);
  std::ranges::sort(tokens);
  EXPECT_EQ(std::ranges::adjacent_find(tokens), tokens.end());
}

TEST(AuditApi, SwitchedOffNothingIsRecorded) {
  ApiOptions options = testing::default_options();
  options.audit = false;
  World world(options);
  world.post("/api/v1/login", "", R"({"user":"user","password":"x"})");
  EXPECT_EQ(world.database.size(store::Family::audit), 0U);
}

TEST(AuditTime, IsReadAsItIsWritten) {
  for (const std::int64_t ms : {std::int64_t{0}, std::int64_t{1'760'000'000'123}}) {
    EXPECT_EQ(parse_time_ms(view_of(iso_time(ms))), ms);
    EXPECT_EQ(parse_time_ms(std::to_string(ms)), ms);
  }
  EXPECT_EQ(parse_time_ms("1970-01-01T00:00:01Z"), 1000);
  for (const char* wrong :
       {"", "-1", "1x", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z",
        "1970-13-01T00:00:00Z", "1970-02-30T00:00:00Z", "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z", "1970-01-01T00:00:60Z", "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00,000Z", "999999999999999999999"}) {
    EXPECT_FALSE(parse_time_ms(wrong)) << wrong;
  }
}

// With a wheel of its own, as a core has one.
class AuditTrailTest : public ::testing::Test {
 protected:
  AuditTrailTest() {
    world.run();
    before = world.committer->counters().operations;
  }
  std::size_t sent() {
    world.run();
    return world.committer->counters().operations - before;
  }
  void pass(std::int64_t ms) {
    world.clock.advance_ms(ms);
    wheel.advance_to(world.clock.turn.monotonic_ns);
  }
  World world;
  core::TimerWheel wheel{world.clock.turn.monotonic_ns};
  AuditTrail trail{
      {.store = *world.store, .clock = world.clock.turn, .timers = &wheel, .on = true}};
  std::size_t before = 0;
};

TEST_F(AuditTrailTest, LeavesAtMostFourTimesASecondHoweverMuchThereIs) {
  for (int ms = 0; ms < 1000; ++ms) {
    for (int count = 0; count < 200; ++count) trail.add({});
    pass(1);
    world.run();
  }
  EXPECT_LE(sent(), 4U);
  pass(AuditTrail::kDepartureMs + 4);
  EXPECT_GE(sent(), 4U);
  std::uint64_t told = 0;
  std::size_t records = 0;
  store::AuditQuery query;
  query.count = 100'000;
  store::AuditPage page;
  ASSERT_TRUE(read_audit(world.database, query, page));
  for (const auto& entry : page.entries) {
    const bool dropped = entry.record.event == store::AuditEvent::dropped;
    told += dropped ? entry.record.count : 1;
    records += !dropped;
  }
  EXPECT_LE(records, 5 * store::AuditPile::kRecordsMax);
  EXPECT_EQ(told, 200'000U) << "not one is left out of the counts";
}

TEST_F(AuditTrailTest, WaitsForThoseBefore) {
  trail.add({});
  pass(AuditTrail::kDepartureMs + 4);
  // The committer has not answered yet.
  trail.add({});
  pass(AuditTrail::kDepartureMs + 4);
  EXPECT_EQ(sent(), 2U);
  EXPECT_EQ(world.database.size(store::Family::audit), 2U);
}

TEST_F(AuditTrailTest, TheRestIsSentInTheEnd) {
  trail.send_rest();
  EXPECT_EQ(sent(), 0U);
  trail.add({});
  trail.send_rest();
  EXPECT_EQ(sent(), 1U);
  EXPECT_EQ(world.database.size(store::Family::audit), 1U);
  trail.send_rest();
  EXPECT_EQ(sent(), 1U);
}

}  // namespace
}  // namespace tokend::api
