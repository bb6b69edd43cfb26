// policies.list and policies.update.

#include <gtest/gtest.h>

#include <string>

#include "tests/http/api/policies_helpers.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using testing::kFormType;
using testing::new_bot;
using testing::Reply;
using testing::set;
using testing::update;
using testing::World;

constexpr std::string_view kUpdate = testing::kUpdatePolicies;
constexpr std::string_view kList = "/api/v1/policies.list";
constexpr std::string_view kNone = R"({"policies":[],"success":true})";

TEST(PoliciesApi, AreShownAndChangedToTheByte) {
  World world;
  EXPECT_EQ(world.get(kList, world.admin()).body, kNone);
  const std::string app =
      R"({"_id":"app","_updatedAt":"2025-10-09T08:53:20.000Z","targetRoles":[],)"
      R"("excludeAdmins":false,"lifetimeMax":86400,"rateLimit":null})";
  const std::string bot =
      R"({"_id":"bot","_updatedAt":"2025-10-09T08:53:20.000Z","targetRoles":["user","guest"],)"
      R"("excludeAdmins":true,"lifetimeMax":null,"rateLimit":{"tokens":100,"window":900}})";
  const std::string both = R"({"policies":[)" + bot + "," + app + R"(],"success":true})";
  const Reply reply =
      update(world, R"({"_id":"bot","targetRoles":["guest","user"],"excludeAdmins":true,)"
                    R"("rateLimit":{"window":"15m","tokens":100}},)"
                    R"({"_id":"app","targetRoles":[],"lifetimeMax":"1d","excludeAdmins":null})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, both);
  EXPECT_EQ(world.get(kList, world.admin()).body, both);
  EXPECT_TRUE(world.log.has("changed /api/v1/policies.update: bot; caller=" + world.admin_id));
  // What is shown can be sent back.
  EXPECT_EQ(update(world, bot + "," + app).body, both);
  EXPECT_EQ(update(world, "").body, both);
  // A policy is replaced as a whole; of a role named twice the last counts.
  EXPECT_EQ(update(world, R"({"_id":"app","lifetimeMax":9},{"_id":"app"},{"_id":"bot"})").body,
            kNone);
  EXPECT_EQ(world.get(kList, world.admin()).body, kNone);
}

TEST(PoliciesApi, NeedThePermission) {
  World world;
  const Credentials bob = world.new_user("bob");
  const std::string body = R"({"policies":[{"_id":"user","excludeAdmins":true}]})";
  EXPECT_EQ(world.get(kList, bob).body, kForbidden.body);
  EXPECT_EQ(world.post(kUpdate, bob, body).body, kForbidden.body);
  EXPECT_EQ(world.post(kUpdate, bob, body).status, 403);
  EXPECT_EQ(world.get(kList).status, 401);
  EXPECT_EQ(world.post(kUpdate, "", body).status, 401);
  EXPECT_EQ(world.get(kUpdate, world.admin()).status, 405);
  EXPECT_EQ(world.get(kList, world.admin()).body, kNone);
  world.post("/api/v1/permissions.update", world.admin(),
             R"({"permissions":[{"_id":"edit-issuing-policies","roles":["bot"]}]})");
  const Credentials bot = new_bot(world);
  EXPECT_EQ(world.post(kUpdate, bot, body).status, 200);
  EXPECT_EQ(world.get(kList, bot).status, 200);
  EXPECT_EQ(world.get(kList, world.admin()).status, 403);
}

TEST(PoliciesApi, WhatIsNoPolicyIsRefusedAndChangesNothing) {
  World world;
  const auto expect_fault = [&](const std::string& members, std::string_view what) {
    // The one in front of it is good, and is not taken either.
    const Reply reply =
        update(world, R"({"_id":"app","excludeAdmins":true},{"_id":"bot",)" + members + "}");
    EXPECT_EQ(reply.status, 400) << members;
    EXPECT_TRUE(reply.body.starts_with(R"({"success":false,"error":"The policy of bot )" +
                                       std::string(what)))
        << members << reply.body;
    EXPECT_TRUE(
        reply.body.ends_with(R"([error-invalid-policy]","errorType":"error-invalid-policy"})"))
        << reply.body;
  };
  for (const char* value : {"1", "true", R"("user")", R"(["User"])", R"([1])", "{}"}) {
    expect_fault(R"("targetRoles":)" + std::string(value), "must have an array of known role ids");
  }
  for (const char* value : {"1", R"("true")", "[]"}) {
    expect_fault(R"("excludeAdmins":)" + std::string(value), "must have true or false");
  }
  for (const char* value :
       {"0", "-1", "-18446744073709550", "1.5", "1e3", R"("")", R"("soon")", R"("0s")",
        "3153600001", R"("36501d")", "9223372036854775807", "true", "[]"}) {
    expect_fault(R"("lifetimeMax":)" + std::string(value), "must have whole seconds");
  }
  for (const char* value :
       {"5", "[]", "{}", R"({"tokens":5})", R"({"window":60})", R"({"tokens":0,"window":60})",
        R"({"tokens":1000001,"window":60})", R"({"tokens":5,"window":0})",
        R"({"tokens":5,"window":86401})", R"({"tokens":5,"window":"25h"})",
        R"({"tokens":"5","window":60})", R"({"tokens":5,"window":60,"more":1})"}) {
    expect_fault(R"("rateLimit":)" + std::string(value), "must have {tokens, window}");
  }
  // A misspelt bound must not become none.
  for (const char* members : {R"("lifetime":60)", R"("exclude_admins":true)",
                              R"("excludeAdmins":true,"excludeAdmins":false)", R"("_id":"bot")"}) {
    expect_fault(members, "has a member that is unknown");
  }
  constexpr std::string_view kNoList =
      R"({"success":false,"error":"The 'policies' param must be an array of policies, each with )"
      R"(a known role's _id [error-invalid-policy]","errorType":"error-invalid-policy"})";
  for (const char* body :
       {"", "{}", R"({"policies":{}})", R"({"policies":null})", R"({"policies":[1]})",
        R"({"policies":[{}]})", R"({"policies":[{"_id":"pope"}]})", R"({"policies":[{"_id":1}]})",
        R"({"policies":[{"_id":"app","excludeAdmins":true},{"_id":"Bot"}]})"}) {
    const Reply reply = world.post(kUpdate, world.admin(), body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.body, kNoList) << body;
  }
  EXPECT_EQ(
      world.post(kUpdate, world.admin().headers() + std::string(kFormType), "policies=[]").body,
      kNoList);
  EXPECT_EQ(world.get(kList, world.admin()).body, kNone);
  // The bounds of the bounds.
  set(world,
      R"({"_id":"bot","lifetimeMax":3153600000,"rateLimit":{"tokens":1000000,"window":86400}})");
  set(world, R"({"_id":"bot","lifetimeMax":1,"rateLimit":{"tokens":1,"window":1}})");
}

TEST(PoliciesApi, AFailedDiskChangesNothingAndIsSaid) {
  World world;
  const Credentials admin = world.admin();
  world.database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  EXPECT_EQ(world.post(kUpdate, admin, R"({"policies":[{"_id":"bot","lifetimeMax":1}]})").status,
            503);
  EXPECT_EQ(world.get(kList, admin).body, kNone);
}

}  // namespace
}  // namespace tokend::api
