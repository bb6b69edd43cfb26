// What the issuing policies forbid, by the calls that issue.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/http/api/policies_helpers.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using testing::default_options;
using testing::kFormType;
using testing::new_bot;
using testing::Reply;
using testing::set;
using testing::text_after;
using testing::World;

constexpr std::string_view kIssue = "/api/v1/users.createToken";

// Bots and apps may issue.
void let_bots_issue(World& world) {
  const Reply reply = world.post(
      "/api/v1/permissions.update", world.admin(),
      R"({"permissions":[{"_id":"user-generate-access-token","roles":["admin","bot","app"]}]})");
  EXPECT_EQ(reply.status, 200) << reply.body;
}

// Every way to name the target.
std::vector<Reply> issue_in_every_form(World& world, const Credentials& caller,
                                       const std::string& id, const std::string& name) {
  const std::string form = caller.headers() + std::string(kFormType);
  return {world.post(kIssue, caller, R"({"userId":")" + id + R"("})"),
          world.post(kIssue, caller, R"({"username":")" + name + R"("})"),
          world.post(kIssue, caller, R"({"user":")" + name + R"("})"),
          world.post(kIssue, form, "userId=" + id),
          world.post(kIssue, form, "username=" + name),
          world.post(kIssue, caller, R"({"userId":")" + id + R"(","lifetime":60})")};
}
void expect_refused(World& world, const Credentials& caller, const std::string& id,
                    const std::string& name, std::string_view reason) {
  for (const Reply& reply : issue_in_every_form(world, caller, id, name)) {
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body, kNotAuthorized.body);
    ASSERT_FALSE(world.log.lines.empty());
  }
  std::size_t told = 0;
  for (const std::string& line : world.log.lines) {
    told += line.find("refused /api/v1/users.createToken: " + std::string(reason) +
                      "; caller=" + caller.user_id + " target=" + id) != std::string::npos;
  }
  EXPECT_EQ(told, 6U);
  world.log.lines.clear();
}
void expect_issued(World& world, const Credentials& caller, const std::string& id,
                   const std::string& name) {
  for (const Reply& reply : issue_in_every_form(world, caller, id, name)) {
    EXPECT_EQ(reply.status, 200) << reply.body;
  }
}

TEST(IssuingPolicy, TargetsAreOfItsRolesHoweverTheyAreNamed) {
  World world;
  let_bots_issue(world);
  const Credentials bot = new_bot(world);
  const std::string bob = world.create_user("bob");
  const std::string more = world.create_user("more", R"(,"roles":["user","guest"])");
  expect_issued(world, bot, more, "more");
  expect_issued(world, bot, world.admin_id, "admin");
  set(world, R"({"_id":"bot","targetRoles":["user"]})");
  expect_issued(world, bot, bob, "bob");
  constexpr std::string_view kReason = "the issuing policy does not cover the target's roles";
  expect_refused(world, bot, more, "more", kReason);
  expect_refused(world, bot, world.admin_id, "admin", kReason);
  // Others are bound by nothing, and nobody is of its own tokens.
  expect_issued(world, world.admin(), more, "more");
  expect_issued(world, bot, bot.user_id, "robot");
  // Who does not exist is still told, as to every issuer.
  EXPECT_EQ(world.post(kIssue, bot, R"({"userId":"nobody"})").body, kInvalidUser.body);
  EXPECT_EQ(world.post(kIssue, bot, R"({"username":"nobody"})").body, kInvalidUser.body);
}

TEST(IssuingPolicy, AnAdminIsExcludedFromTheMomentItIsOne) {
  World world;
  let_bots_issue(world);
  const Credentials bot = new_bot(world);
  const std::string bob = world.create_user("bob");
  set(world, R"({"_id":"bot","excludeAdmins":true})");
  constexpr std::string_view kReason = "the issuing policy excludes admins";
  expect_issued(world, bot, bob, "bob");
  expect_refused(world, bot, world.admin_id, "admin", kReason);
  const auto change = [&](std::string_view verb) {
    return world
        .post("/api/v1/roles." + std::string(verb), world.admin(),
              R"({"roleId":"admin","username":"bob"})")
        .status;
  };
  EXPECT_EQ(change("addUserToRole"), 200);
  world.log.lines.clear();
  expect_refused(world, bot, bob, "bob", kReason);
  EXPECT_EQ(change("removeUserFromRole"), 200);
  expect_issued(world, bot, bob, "bob");
  // Two steps lead no further than one: apps may issue for admins.
  const std::string app = world.create_user("app", R"(,"roles":["app"])");
  world.log.lines.clear();
  expect_refused(world, bot, app, "app", kReason);
}

// The operation has left, with what the core knew; the committer decides again.
TEST(IssuingPolicy, AChangeOvertakesAnIssueThatIsUnderWay) {
  World world;
  let_bots_issue(world);
  const Credentials bot = new_bot(world);
  const std::string bob = world.create_user("bob");
  set(world, R"({"_id":"bot","excludeAdmins":true})");
  EXPECT_TRUE(world.is_logged_in(bot));  // and so in this core's memory
  struct Promote : store::UpdateUser {
    void on_done() noexcept { done = true; }
    bool done = false;
  } promote;
  promote.id = store::UserId(bob);
  promote.add_roles = {store::Role::admin};
  promote.then<&Promote::on_done>(promote);
  world.store->write(promote);
  const std::string body = R"({"userId":")" + bob + R"("})";
  world.send("POST /api/v1/users.createToken HTTP/1.1\r\nHost: x\r\n" + bot.headers() +
             "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_FALSE(promote.done);
  world.run();
  EXPECT_TRUE(promote.done && promote.result);
  EXPECT_EQ(world.take_reply().body, kNotAuthorized.body);
}

TEST(IssuingPolicy, ALongerLifetimeIsRefusedAndTheDefaultCut) {
  World world;
  let_bots_issue(world);
  const Credentials bot = new_bot(world);
  const std::string bob = world.create_user("bob");
  set(world, R"({"_id":"bot","lifetimeMax":"15m"})");
  constexpr std::string_view kTooLong =
      R"({"success":false,"error":"The 'lifetime' param must be whole seconds or a text such as )"
      R"('15m', '12h' or '7d', of at least 1 and at most 900 seconds [error-invalid-lifetime]",)"
      R"("errorType":"error-invalid-lifetime"})";
  for (const std::string target : {R"("username":"bob")", R"("username":"robot")"}) {
    for (const std::string value : {"901", R"("16m")", R"("1d")"}) {
      const Reply reply = world.post(kIssue, bot, "{" + target + R"(,"lifetime":)" + value + "}");
      EXPECT_EQ(reply.status, 400);
      EXPECT_EQ(reply.body, kTooLong);
    }
    EXPECT_EQ(world.post(kIssue, bot, "{" + target + R"(,"lifetime":900})").status, 200);
  }
  EXPECT_EQ(
      world.post(kIssue, bot.headers() + std::string(kFormType), "userId=" + bob + "&lifetime=901")
          .body,
      kTooLong);
  EXPECT_EQ(world.post(kIssue, world.admin(), R"({"username":"bob","lifetime":"1d"})").status, 200);
  // The answer is the original's; the token ends when it must.
  const Reply cut = world.post(kIssue, bot, R"({"username":"bob"})");
  const Credentials token{bob, text_after(cut.body, R"("authToken":")")};
  EXPECT_EQ(cut.body, R"({"data":{"userId":")" + bob + R"(","authToken":")" + token.token +
                          R"("},"success":true})");
  world.clock.advance_ms(900'000 - 1);
  EXPECT_TRUE(world.is_logged_in(token));
  world.clock.advance_ms(1);
  EXPECT_FALSE(world.is_logged_in(token));
  // More than the server takes at all a policy does not allow.
  set(world, R"({"_id":"bot","lifetimeMax":"36500d"})");
  EXPECT_EQ(world.post(kIssue, bot, R"({"username":"bob","lifetime":"366d"})").status, 400);
}

TEST(IssuingPolicy, ALifetimeIsRefusedByAPolicyThatOvertookIt) {
  World world;
  let_bots_issue(world);
  const Credentials bot = new_bot(world);
  world.create_user("bob");
  EXPECT_TRUE(world.is_logged_in(bot));
  struct Change : store::UpdatePolicies {
    void on_done() noexcept {}
  } change;
  change.changes = {{store::Role::bot, {}}};
  change.changes[0].policy.lifetime_ms_max = 60'000;
  change.then<&Change::on_done>(change);
  world.store->write(change);
  const Reply reply = world.post(kIssue, bot, R"({"username":"bob","lifetime":61})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.body.find("at most 60 seconds [error-invalid-lifetime]"), std::string::npos)
      << reply.body;
}

TEST(IssuingPolicy, TheRateIsOfEachIssuerAndExact) {
  World world;
  let_bots_issue(world);
  const Credentials one = new_bot(world, "one");
  const Credentials two = new_bot(world, "two");
  world.create_user("bob");
  set(world, R"({"_id":"bot","rateLimit":{"tokens":3,"window":60}})");
  const auto issue = [&](const Credentials& caller, std::string_view name = "bob") {
    return world.post(kIssue, caller, R"({"username":")" + std::string(name) + R"("})");
  };
  const std::uint64_t issued = world.committer->counters().tokens_issued;
  for (int time = 0; time < 3; ++time) EXPECT_EQ(issue(one).status, 200);
  world.clock.advance_ms(500);
  for (int time = 0; time < 3; ++time) {
    const Reply reply = issue(one);
    EXPECT_EQ(reply.status, 429);
    EXPECT_EQ(reply.body,
              R"({"success":false,"error":"Error, too many requests. Please slow down. You must )"
              R"(wait 60 seconds before trying this endpoint again. [error-too-many-requests]"})");
  }
  EXPECT_TRUE(world.log.has("the rate of the issuing policy is spent; caller=" + one.user_id));
  // For oneself as for others; on another connection too.
  EXPECT_EQ(issue(one, "one").status, 429);
  world.connect();
  EXPECT_EQ(issue(one).status, 429);
  EXPECT_EQ(world.committer->counters().tokens_issued, issued + 3);
  EXPECT_EQ(issue(two).status, 200);
  for (int time = 0; time < 5; ++time) EXPECT_EQ(issue(world.admin()).status, 200);
  // Who it is and not whence it calls: no bypass of the general limit helps, nor another address.
  world.clock.advance_ms(59'499);
  EXPECT_EQ(issue(one).status, 429);
  world.clock.advance_ms(1);
  EXPECT_EQ(issue(one).status, 200);
}

TEST(IssuingPolicy, BindsEachTokenOfManyAndCountsAll) {
  constexpr std::string_view kBulk = "/api/v1/users.createTokens";
  World world;
  let_bots_issue(world);
  const Credentials bot = new_bot(world);
  world.create_user("bob");
  set(world, R"({"_id":"bot","targetRoles":["user"],"excludeAdmins":true,"lifetimeMax":60,)"
             R"("rateLimit":{"tokens":5,"window":60}})");
  Reply reply = world.post(kBulk, bot, R"({"usernames":["bob","admin","bob"]})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(world.log.has("refused /api/v1/users.createTokens: the issuing policy "));
  std::size_t issued = 0;
  for (std::size_t at = reply.body.find("authToken"); at != std::string::npos;
       at = reply.body.find("authToken", at + 1)) {
    ++issued;
  }
  EXPECT_EQ(issued, 2U) << reply.body;
  EXPECT_NE(reply.body.find(R"(},{"error":"Not authorized [error-not-authorized]",)"),
            std::string::npos)
      << reply.body;
  reply = world.post(kBulk, bot, R"({"usernames":["bob"],"lifetime":61})");
  EXPECT_NE(reply.body.find("at most 60 seconds [error-invalid-lifetime]"), std::string::npos);
  // Three are counted, so three more do not fit; the window is used up then.
  EXPECT_EQ(world.post(kBulk, bot, R"({"usernames":["bob","bob","bob"]})").status, 429);
  EXPECT_EQ(world.post(kBulk, bot, R"({"usernames":["bob"]})").status, 429);
  EXPECT_EQ(world.post(kBulk, world.admin(), R"({"usernames":["bob","admin"]})").status, 200);
  world.clock.advance_ms(60'000);
  EXPECT_EQ(world.post(kBulk, bot, R"({"usernames":["bob","bob","bob"]})").status, 200);
}

TEST(IssuingPolicy, WhatIsRefusedForItsTargetCountsAndWhatIsMalformedDoesNot) {
  World world;
  let_bots_issue(world);
  const Credentials bot = new_bot(world);
  const Credentials eve = world.new_user("eve");
  world.create_user("bob");
  set(world, R"({"_id":"bot","excludeAdmins":true,"rateLimit":{"tokens":2,"window":60}},)"
             R"({"_id":"user","rateLimit":{"tokens":1,"window":60}})");
  EXPECT_EQ(world.post(kIssue, bot, "{}").body, kUserParamNotProvided.body);
  EXPECT_EQ(world.post(kIssue, bot, R"({"username":"bob","lifetime":0})").status, 400);
  EXPECT_EQ(world.post(kIssue, bot, R"({"username":"admin"})").body, kNotAuthorized.body);
  EXPECT_EQ(world.post(kIssue, bot, R"({"username":"bob"})").status, 200);
  EXPECT_EQ(world.post(kIssue, bot, R"({"username":"bob"})").status, 429);
  // Without the permission nobody learns of policies.
  for (int time = 0; time < 3; ++time) {
    EXPECT_EQ(world.post(kIssue, eve, R"({"username":"bob"})").body, kNotAuthorized.body);
  }
  EXPECT_EQ(world.post(kIssue, eve, R"({"username":"eve"})").status, 200);
  EXPECT_EQ(world.post(kIssue, eve, R"({"username":"eve"})").status, 429);
}

TEST(IssuingPolicy, OfSeveralRolesAllBind) {
  World world;
  let_bots_issue(world);
  const Credentials both = world.new_user("both", R"(,"roles":["bot","app","admin"])");
  const std::string bob = world.create_user("bob");
  const std::string guest = world.create_user("guest", R"(,"roles":["guest"])");
  set(world, R"({"_id":"bot","targetRoles":["user","guest"],"lifetimeMax":100,)"
             R"("rateLimit":{"tokens":100,"window":60}},)"
             R"({"_id":"app","targetRoles":["user"],"lifetimeMax":60,)"
             R"("rateLimit":{"tokens":8,"window":60}})");
  expect_issued(world, both, bob, "bob");
  EXPECT_EQ(world.post(kIssue, both, R"({"username":"guest"})").body, kNotAuthorized.body);
  EXPECT_EQ(world.post(kIssue, both, R"({"username":"bob","lifetime":61})").status, 400);
  EXPECT_EQ(world.post(kIssue, both, R"({"username":"bob","lifetime":60})").status, 200);
  EXPECT_EQ(world.post(kIssue, both, R"({"username":"bob"})").status, 429);
}

TEST(IssuingPolicy, BindsWhoeverKnowsTheSecret) {
  ApiOptions options = default_options();
  options.create_tokens_enabled = false;
  options.create_tokens_secret = "the secret";
  World world(options);
  let_bots_issue(world);
  const Credentials bot = new_bot(world);
  world.create_user("bob");
  set(world, R"({"_id":"bot","excludeAdmins":true})");
  const auto issue = [&](const std::string& target) {
    return world.post(kIssue, bot, R"({"secret":"the secret",)" + target + "}");
  };
  EXPECT_EQ(issue(R"("username":"bob")").status, 200);
  EXPECT_EQ(issue(R"("username":"admin")").body, kNotAuthorized.body);
  EXPECT_EQ(issue(R"("userId":")" + world.admin_id + '"').body, kNotAuthorized.body);
}

TEST(IssuingPolicy, BindsAnIssuerFromTheMomentItHasTheRole) {
  World world;
  let_bots_issue(world);
  const Credentials app = world.new_user("app", R"(,"roles":["app"])");
  set(world, R"({"_id":"bot","excludeAdmins":true})");
  const auto issue = [&] {
    return world.post(kIssue, app, R"({"userId":")" + world.admin_id + R"("})").status;
  };
  EXPECT_EQ(issue(), 200);
  EXPECT_EQ(world
                .post("/api/v1/roles.addUserToRole", world.admin(),
                      R"({"roleId":"bot","username":"app"})")
                .status,
            200);
  EXPECT_EQ(issue(), 400);
}

}  // namespace
}  // namespace tokend::api
