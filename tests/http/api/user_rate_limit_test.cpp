// The users' own windows (UserRateLimitOptions), on the API over a store in memory.

#include <gtest/gtest.h>

#include <string>

#include "tests/http/api/harness.h"

namespace tokend::api::testing {
namespace {

constexpr std::string_view kCreateToken = "/api/v1/users.createToken";

ApiOptions keyed_by(RateLimitKey key, std::size_t entries_max = 1U << 10) {
  ApiOptions options = default_options();
  options.user_rate_limit = {.key = key, .calls_max = 2, .window_ms = 30'000};
  options.rate_limit.entries_max = entries_max;
  return options;
}

store::CommitterOptions limited_to(std::int64_t calls_max) {
  store::CommitterOptions options;
  options.settings.rate_limiter = true;
  options.settings.rate_limiter_calls_max = calls_max;
  return options;
}

struct LimitedWorld : World {
  explicit LimitedWorld(RateLimitKey key, std::int64_t address_calls_max = 4,
                        std::size_t entries_max = 1U << 10)
      : World(keyed_by(key, entries_max), limited_to(address_calls_max)) {}

  void come_from(std::uint8_t number) {
    transport->set_peer(
        {.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, number}, .port = 1});
  }
  // From an address of its own: login is counted too.
  Credentials make(std::uint8_t number) {
    come_from(static_cast<std::uint8_t>(100 + number));
    return new_user("user" + std::to_string(number));
  }
  Reply call(const Credentials& who) { return post(kCreateToken, who, "{}"); }
};

TEST(UserRateLimit, ByDefaultOnlyTheAddressCounts) {
  LimitedWorld world(RateLimitKey::address);
  const Credentials first = world.make(1);
  const Credentials second = world.make(2);
  world.come_from(1);
  EXPECT_EQ(world.call(first).header("X-RateLimit-Remaining"), "3");
  EXPECT_EQ(world.call(second).header("X-RateLimit-Remaining"), "2");
  EXPECT_EQ(world.call(first).header("X-RateLimit-Remaining"), "1");
  EXPECT_EQ(world.call(first).header("X-RateLimit-Remaining"), "0");
  EXPECT_EQ(world.call(second).status, 429);
}

TEST(UserRateLimit, ByUserTheAddressDoesNotCountAndTheHeadersAreTheUsers) {
  LimitedWorld world(RateLimitKey::user);
  const std::int64_t begin_ms = world.clock.turn.wall_ms;
  for (std::uint8_t user = 1; user <= 4; ++user) {
    const Credentials caller = world.make(user);
    world.come_from(1);
    for (const char* remaining : {"1", "0"}) {
      const Reply reply = world.call(caller);
      EXPECT_EQ(reply.status, 400);
      EXPECT_EQ(reply.header("X-RateLimit-Limit"), "2");
      EXPECT_EQ(reply.header("X-RateLimit-Remaining"), remaining);
      EXPECT_EQ(reply.header("X-RateLimit-Reset"), std::to_string(begin_ms + 30'000));
    }
    const Reply refused = world.call(caller);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.body,
              R"({"success":false,"error":"Error, too many requests. Please slow down. You must )"
              R"(wait 30 seconds before trying this endpoint again. [error-too-many-requests]"})");
    EXPECT_EQ(refused.header("X-RateLimit-Limit"), "2");
    EXPECT_EQ(refused.header("X-RateLimit-Remaining"), "0");
    EXPECT_EQ(refused.header("X-RateLimit-Reset"), std::to_string(begin_ms + 30'000));
    // Elsewhere it is the same user.
    world.come_from(2);
    EXPECT_EQ(world.call(caller).status, 429);
  }
}

TEST(UserRateLimit, AWindowEndsAndRoutesHaveTheirOwn) {
  LimitedWorld world(RateLimitKey::user);
  const Credentials caller = world.make(1);
  for (const int status : {400, 400, 429}) EXPECT_EQ(world.call(caller).status, status);
  EXPECT_EQ(
      world.post("/api/v1/users.removeOtherTokens", caller, "").header("X-RateLimit-Remaining"),
      "1");
  world.clock.advance_ms(29'999);
  EXPECT_EQ(world.call(caller).status, 429);
  world.clock.advance_ms(1);
  EXPECT_EQ(world.call(caller).status, 400);
}

TEST(UserRateLimit, ByBothWhatTheUserIsRefusedTakesNothingFromItsAddress) {
  LimitedWorld world(RateLimitKey::both, 5);
  const Credentials greedy = world.make(1);
  const Credentials modest = world.make(2);
  const Credentials other = world.make(3);
  world.come_from(1);
  for (const int status : {400, 400, 429, 429, 429, 429}) {
    EXPECT_EQ(world.call(greedy).status, status);
  }
  EXPECT_EQ(world.call(modest).header("X-RateLimit-Remaining"), "1");
  EXPECT_EQ(world.call(modest).header("X-RateLimit-Remaining"), "0");
  // The address has one left, the user two.
  const Reply last = world.call(other);
  EXPECT_EQ(last.status, 400);
  EXPECT_EQ(last.header("X-RateLimit-Limit"), "5");
  EXPECT_EQ(last.header("X-RateLimit-Remaining"), "0");
  const Reply refused = world.call(other);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("X-RateLimit-Limit"), "5");
  EXPECT_EQ(refused.header("X-RateLimit-Reset"), std::to_string(world.clock.turn.wall_ms + 60'000));
  world.come_from(2);
  EXPECT_EQ(world.call(other).status, 429);  // what its address refused was counted for the user
}

TEST(UserRateLimit, OfEqualWindowsTheHeadersTellOfTheOneThatEndsLater) {
  LimitedWorld world(RateLimitKey::both, 2);
  const Credentials caller = world.make(1);
  world.come_from(1);
  const Reply reply = world.call(caller);
  EXPECT_EQ(reply.header("X-RateLimit-Remaining"), "1");
  EXPECT_EQ(reply.header("X-RateLimit-Reset"), std::to_string(world.clock.turn.wall_ms + 60'000));
}

TEST(UserRateLimit, WhoHasTheBypassIsCountedNowhere) {
  for (const RateLimitKey key : {RateLimitKey::user, RateLimitKey::both}) {
    LimitedWorld world(key);
    for (int time = 0; time < 6; ++time) {
      const Reply reply = world.call(world.admin());
      EXPECT_EQ(reply.status, 400);
      EXPECT_EQ(reply.header("X-RateLimit-Limit"), std::nullopt);
    }
    const Credentials caller = world.make(1);
    world.come_from(1);
    EXPECT_EQ(world.call(caller).header("X-RateLimit-Remaining"), "1");
  }
}

TEST(UserRateLimit, WhoIsNotLoggedInIsCountedByAddress) {
  LimitedWorld world(RateLimitKey::user);
  for (const int status : {401, 401, 401, 401, 429}) {
    EXPECT_EQ(world.post("/api/v1/login", "", R"({"user":"nobody","password":"x"})").status,
              status);
  }
  world.come_from(9);
  EXPECT_EQ(world.post("/api/v1/login", "", R"({"user":"nobody","password":"x"})").status, 401);
}

TEST(UserRateLimit, TurnedOffNobodyIsCounted) {
  World world(keyed_by(RateLimitKey::both));
  const Credentials caller = world.new_user("somebody");
  for (int time = 0; time < 12; ++time) {
    EXPECT_EQ(world.post(kCreateToken, caller, "{}").status, 400);
  }
}

TEST(UserRateLimit, MoreUsersThanEntriesForgetOldWindowsButRefuseNobody) {
  LimitedWorld world(RateLimitKey::user, 1'000, 4);
  Credentials youngest;
  for (std::uint8_t user = 1; user <= 12; ++user) {
    youngest = world.make(user);
    world.clock.advance_ms(1);
    EXPECT_EQ(world.call(youngest).header("X-RateLimit-Remaining"), "1");
  }
  EXPECT_EQ(world.call(youngest).header("X-RateLimit-Remaining"), "0");
  EXPECT_EQ(world.call(youngest).status, 429);
}

TEST(UserRateLimit, ACrowdOfAddressesMakesNoUserForgotten) {
  LimitedWorld world(RateLimitKey::user, 1'000, 4);
  const Credentials caller = world.make(1);
  for (const int status : {400, 400, 429}) EXPECT_EQ(world.call(caller).status, status);
  for (std::uint8_t address = 0; address < 64; ++address) {
    world.come_from(address);
    world.clock.advance_ms(1);
    EXPECT_EQ(world.post("/api/v1/login", "", "{}").status, 400);
  }
  EXPECT_EQ(world.call(caller).status, 429);
}

}  // namespace
}  // namespace tokend::api::testing
