#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using testing::default_options;
using ::testing::MatchesRegex;
using testing::Reply;
using testing::text_after;
using testing::World;

constexpr std::string_view kPath = "/api/v1/users.createToken";
constexpr std::string_view kNotAuthorizedBody =
    R"({"success":false,"error":"Not authorized [error-not-authorized]","errorType":"error-not-authorized"})";
constexpr std::string_view kNoParamBody =
    R"({"success":false,"error":"The required \"userId\" or \"username\" param was not provided [error-user-param-not-provided]","errorType":"error-user-param-not-provided"})";
constexpr std::string_view kInvalidUserBody =
    R"({"success":false,"error":"The required \"userId\" or \"username\" param provided does not match any users [error-invalid-user]","errorType":"error-invalid-user"})";
constexpr std::string_view kNotLoggedInBody =
    R"({"success":false,"error":"You must be logged in to do this.","status":"error","message":"You must be logged in to do this."})";

void expect_issued_for(const Reply& reply, const std::string& id) {
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_THAT(reply.body, MatchesRegex(R"(\{"data":\{"userId":")" + id +
                                       R"(","authToken":"[a-zA-Z0-9_-]{43}"\},"success":true\})"));
}

TEST(CreateToken, TheAnswerIsTheOriginalsToTheByte) {
  World world;
  const std::string id = world.create_user("bob");
  const Reply reply = world.post(kPath, world.admin(), R"({"userId":")" + id + R"("})");
  expect_issued_for(reply, id);
  EXPECT_EQ(reply.header("Content-Type"), "application/json");
  EXPECT_EQ(reply.header("Cache-Control"), "no-store");
  EXPECT_EQ(reply.header("Pragma"), "no-cache");
  EXPECT_EQ(reply.header("X-Instance-ID"), "instance");
  EXPECT_EQ(reply.header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(reply.header("Access-Control-Allow-Headers"),
            "Origin, X-Requested-With, Content-Type, Accept, X-User-Id, X-Auth-Token");
  EXPECT_TRUE(world.is_logged_in({id, text_after(reply.body, R"("authToken":")")}));
}

constexpr std::string_view kFormType = "Content-Type: application/x-www-form-urlencoded\r\n";

std::string bad_lifetime(const std::string& seconds_max) {
  return "{\"success\":false,\"error\":\"The 'lifetime' param must be whole seconds or a text such "
         "as '15m', '12h' or '7d', of at least 1 and at most " +
         seconds_max +
         " seconds [error-invalid-lifetime]\",\"errorType\":\"error-invalid-lifetime\"}";
}

TEST(CreateToken, ALifetimeIsToldAndEndsTheTokenToTheMillisecond) {
  World world;
  const std::string id = world.create_user("bob");
  const Credentials admin = world.admin();
  // The clock of a World stands at 2025-10-09T08:53:20.000Z.
  for (const std::string& body :
       {R"({"userId":")" + id + R"(","lifetime":900})",
        R"({"userId":")" + id + R"(","lifetime":9e2})",
        R"({"lifetime":"900","userId":")" + id + R"("})",
        std::string(R"({"username":"bob","lifetime":" 15m "})"),
        std::string(R"({"username":"bob","lifetime":1,"lifetime":"900s","x":1e999})")}) {
    const Reply reply = world.post(kPath, admin, body);
    const std::string token = text_after(reply.body, R"("authToken":")");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, R"({"data":{"userId":")" + id + R"(","authToken":")" + token +
                              R"(","expiresAt":"2025-10-09T09:08:20.000Z"},"success":true})")
        << body;
  }
  const Reply form =
      world.post(kPath, admin.headers() + std::string(kFormType), "username=bob&lifetime=15m");
  EXPECT_EQ(text_after(form.body, R"("expiresAt":")"), "2025-10-09T09:08:20.000Z");
  EXPECT_EQ(
      text_after(
          world.post(kPath, admin.headers() + std::string(kFormType), "username=bob&lifetime=90")
              .body,
          R"("expiresAt":")"),
      "2025-10-09T08:54:50.000Z");

  const Credentials bob{id, text_after(form.body, R"("authToken":")")};
  world.clock.advance_ms(15 * 60'000 - 1);
  EXPECT_TRUE(world.is_logged_in(bob));
  world.clock.advance_ms(1);
  EXPECT_FALSE(world.is_logged_in(bob));
}

TEST(CreateToken, ALifetimeThatIsNoneIsRefusedAndIssuesNothing) {
  World world;
  world.create_user("bob");
  const Credentials admin = world.admin();
  const std::size_t issued = world.committer->counters().tokens_issued;
  for (const std::string value :
       {"0", "-1", "0.5", "1.5", "1e999", "true", "null", "[]", "{}", R"("")", R"(" ")",
        R"("soon")", R"("15M")", R"("1.5h")", R"("-1m")", R"("0d")", "31536001", R"("366d")",
        "123456789012345678901234567890"}) {
    const Reply reply = world.post(kPath, admin, R"({"username":"bob","lifetime":)" + value + "}");
    EXPECT_EQ(reply.status, 400) << value;
    EXPECT_EQ(reply.body, bad_lifetime("31536000")) << value;
  }
  for (const std::string value : {"", "1e3", "1y", "366d"}) {
    const Reply reply = world.post(kPath, admin.headers() + std::string(kFormType),
                                   "username=bob&lifetime=" + value);
    EXPECT_EQ(reply.status, 400) << value;
    EXPECT_EQ(reply.body, bad_lifetime("31536000")) << value;
  }
  EXPECT_EQ(world.committer->counters().tokens_issued, issued);
}

TEST(CreateToken, TheLongestLifetimeIsASetting) {
  ApiOptions options = default_options();
  options.token_lifetime_ms_max = 3'600'000;
  World world(options);
  const Credentials admin = world.admin();
  const auto with = [&](const std::string& value) {
    return world.post(kPath, admin, R"({"username":"admin","lifetime":)" + value + "}");
  };
  for (const std::string value : {"3600", R"("60m")", R"("1h")"}) {
    EXPECT_EQ(with(value).status, 200) << value;
  }
  for (const std::string value : {"3601", R"("61m")", R"("2h")", R"("1d")"}) {
    EXPECT_EQ(with(value).body, bad_lifetime("3600")) << value;
  }
  // The setting bounds what is asked for, not what the server gives by itself.
  expect_issued_for(world.post(kPath, admin, R"({"username":"admin"})"), world.admin_id);
}

TEST(CreateToken, OutsidersLearnNothingFromALifetime) {
  World world;
  const Credentials eve = world.new_user("eve");
  const Reply reply = world.post(kPath, eve, R"({"username":"admin","lifetime":"nonsense"})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body, kNotAuthorizedBody);
}

TEST(CreateToken, EveryWayToNameTheTargetIsServed) {
  World world;
  const std::string id = world.create_user("Bob.Smith");
  const std::string json_id = '"' + id + '"';
  for (const std::string& body :
       {R"({"userId":)" + json_id + "}", R"({"userId":" )" + id + "\\n\"}",
        std::string(R"({"username":"Bob.Smith"})"), std::string(R"({"username":"  bOB.sMITH "})"),
        std::string(R"({"user":"bob.smith"})"), R"({"userId":)" + json_id + R"(,"username":"x"})",
        std::string(R"({"userId":" ","username":"bob.smith","user":"x"})"),
        std::string(R"({"userId":5,"username":true,"user":"bob.smith"})"),
        std::string(R"({"username":"nobody","username":"bob.smith","extra":[1]})"),
        R"({"userId":)" + json_id + R"(,"secret":"ignored"})"}) {
    SCOPED_TRACE(body);
    expect_issued_for(world.post(kPath, world.admin(), body), id);
  }
  const std::string form =
      world.admin().headers() + "Content-Type: application/x-www-form-urlencoded\r\n";
  expect_issued_for(world.post(kPath, form, "username=bob.smith"), id);
  expect_issued_for(world.post(kPath, form, "user=%42ob.smith+"), id);
  expect_issued_for(world.post(kPath, form, "userId=" + id), id);
}

TEST(CreateToken, WithoutATargetTheParameterIsMissing) {
  World world;
  for (const char* body : {"", "  \r\n", "{}", R"({"userId":""})", R"({"username":"  "})",
                           R"({"userId":1,"username":true,"user":null})", R"({"userId":["x"]})",
                           R"({"username":"admin","username":3})", R"({"name":"admin"})"}) {
    const Reply reply = world.post(kPath, world.admin(), body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.body, kNoParamBody) << body;
  }
  // The query is not read.
  EXPECT_EQ(world.post(std::string(kPath) + "?username=admin", world.admin(), "").body,
            kNoParamBody);
}

TEST(CreateToken, AnUnknownTargetIsAnInvalidUser) {
  World world;
  world.create_user("bob");
  for (const std::string body : {R"({"userId":"nobody"})", R"({"userId":"bob"})",
                                 R"({"username":"nobody"})", R"({"username":"bob\u0000"})",
                                 R"({"userId":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})"}) {
    const Reply reply = world.post(kPath, world.admin(), body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.body, kInvalidUserBody) << body;
  }
}

TEST(CreateToken, WhoeverIsNotLoggedInIsToldTheSameWhateverTheReason) {
  World world;
  const std::string id = world.create_user("bob");
  const Credentials& admin = world.admin();
  const std::string other_token = (admin.token[0] == 'x' ? "y" : "x") + admin.token.substr(1);
  for (const std::string& headers :
       {std::string(), "X-Auth-Token: " + admin.token + "\r\n",
        "X-User-Id: " + admin.user_id + "\r\n", Credentials{id, admin.token}.headers(),
        Credentials{admin.user_id, other_token}.headers(),
        Credentials{admin.user_id, admin.token + "x"}.headers(),
        Credentials{"undefined", "undefined"}.headers(), Credentials{"", ""}.headers(),
        admin.headers() + "X-Auth-Token: " + admin.token + "\r\n",
        admin.headers() + "x-user-id: " + admin.user_id + "\r\n",
        Credentials{std::string(5'000, 'x'), admin.token}.headers()}) {
    // Login comes before anything else about the request, also before its media type and body.
    for (const char* body : {"{}", "{", R"({"username":"bob"})"}) {
      const Reply reply = world.post(kPath, headers + "Content-Type: text/plain\r\n", body);
      EXPECT_EQ(reply.status, 401) << headers;
      EXPECT_EQ(reply.body, kNotLoggedInBody) << headers;
    }
  }
}

TEST(CreateToken, HeaderNamesAreReadWithoutCase) {
  World world;
  expect_issued_for(world.post(kPath,
                               "x-aUTH-tOKEN: " + world.admin().token +
                                   "\r\nx-user-ID: " + world.admin().user_id + "\r\n",
                               R"({"username":"admin"})"),
                    world.admin_id);
}

TEST(CreateToken, AnUnreadableBodyIsRefusedAfterLoginAndBeforeTheGate) {
  ApiOptions options = default_options();
  options.create_tokens_enabled = false;
  World world(options);
  for (const std::string body : {"{", "[]", "\xEF\xBB\xBF{}", R"({"userId":"\ud800"})", "{} x"}) {
    const Reply reply = world.post(kPath, world.admin(), body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.body, kInvalidJson.body) << body;
  }
  const Reply reply =
      world.post(kPath, world.admin().headers() + "Content-Type: text/plain\r\n", "");
  EXPECT_EQ(reply.status, 415);
  EXPECT_EQ(reply.body,
            R"({"success":false,"error":"Unsupported Media Type [error-unsupported-media-type]",)"
            R"("errorType":"error-unsupported-media-type"})");
}

TEST(CreateToken, WithTheFeatureOffEveryRequestIsNotAuthorized) {
  ApiOptions options = default_options();
  options.create_tokens_enabled = false;
  World world(options);
  for (const char* body : {R"({"username":"admin"})", "{}", R"({"username":"nobody"})"}) {
    const Reply reply = world.post(kPath, world.admin(), body);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body, kNotAuthorizedBody);
  }
  EXPECT_TRUE(world.log.has("not enabled; caller=" + world.admin_id + " address="));
}

TEST(CreateToken, TheSecretIsDemandedAndReplacesTheSwitch) {
  ApiOptions options = default_options();
  options.create_tokens_enabled = false;
  options.create_tokens_secret = " se cret\u00e9";
  World world(options);
  const std::string right = R"({"username":"admin","secret":" se cret\u00e9"})";
  expect_issued_for(world.post(kPath, world.admin(), right), world.admin_id);
  expect_issued_for(
      world.post(kPath,
                 world.admin().headers() + "Content-Type: application/x-www-form-urlencoded\r\n",
                 "username=admin&secret=+se%20cret%C3%A9"),
      world.admin_id);
  for (const char* body :
       {R"({"username":"admin"})", R"({"username":"admin","secret":""})",
        R"({"username":"admin","secret":"se cret\u00e9"})",
        R"({"username":"admin","secret":" se cret\u00e9 "})",
        R"({"username":"admin","secret":" se cret\u00e9\u0000"})",
        R"({"username":"admin","secret":" SE cret\u00e9"})", R"({"username":"admin","secret":1})",
        R"({"username":"admin","secret":" se cret\u00e9","secret":"x"})", R"({"secret":"x"})",
        R"({"username":"nobody","secret":"x"})"}) {
    const Reply reply = world.post(kPath, world.admin(), body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.body, kNotAuthorizedBody) << body;
  }
  EXPECT_EQ(world.post(kPath, world.admin(), R"({"secret":" se cret\u00e9"})").body, kNoParamBody);
  EXPECT_TRUE(world.log.has("no secret was given"));
  EXPECT_TRUE(world.log.has("the secret is wrong"));
}

TEST(CreateToken, WithoutThePermissionOnlyOneselfIsServed) {
  World world;
  const Credentials bob = world.new_user("bob");
  world.create_user("Carl");
  expect_issued_for(world.post(kPath, bob, R"({"userId":")" + bob.user_id + R"("})"), bob.user_id);
  expect_issued_for(world.post(kPath, bob, R"({"username":"BOB"})"), bob.user_id);
  expect_issued_for(world.post(kPath, bob, R"({"user":" bob "})"), bob.user_id);
  // Known, unknown, an admin: no outsider learns which users exist.
  for (const char* body :
       {R"({"username":"carl"})", R"({"username":"nobody"})", R"({"username":"admin"})",
        R"({"userId":"nobody"})", R"({"userId":"bob"})"}) {
    const Reply reply = world.post(kPath, bob, body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.body, kNotAuthorizedBody) << body;
  }
  EXPECT_TRUE(world.log.has("no permission; caller=" + bob.user_id));
  EXPECT_EQ(world.post(kPath, bob, "{}").body, kNoParamBody);
}

TEST(CreateToken, AnInactiveTargetIsNotAuthorized) {
  World world;
  const std::string id = world.create_user("bob", R"(,"active":false)");
  const Reply reply = world.post(kPath, world.admin(), R"({"username":"bob"})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body, kNotAuthorizedBody);
  EXPECT_TRUE(world.log.has("inactive; caller=" + world.admin_id + " target=" + id));
}

TEST(CreateToken, AnsweredFromTheDiskItIsTheSame) {
  World world;
  const std::string id = world.create_user("bob");
  const Credentials admin = world.admin();
  // Memory knows nothing and the caches have just been told to forget both users, so that login
  // and target come from workers, when the bytes that the request came in are gone.
  world.database.memory_knows = [](store::Family, std::string_view) { return false; };
  world.post("/api/v1/roles.addUserToRole", admin, R"({"roleId":"bot","username":"bob"})");
  world.post("/api/v1/roles.addUserToRole", admin, R"({"roleId":"bot","username":"admin"})");
  world.send("POST " + std::string(kPath) + " HTTP/1.1\r\nHost: x\r\n" + admin.headers() +
             "Content-Length: 18\r\n\r\n{\"username\":\"bob\"}");
  EXPECT_TRUE(world.transport->output().empty());
  EXPECT_FALSE(world.workers.jobs.empty());
  world.run();
  expect_issued_for(world.take_reply(), id);
}

TEST(CreateToken, AConnectionThatGoesAwayMeanwhileDoesNoHarm) {
  World world;
  world.create_user("bob");
  const Credentials admin = world.admin();
  world.database.memory_knows = [](store::Family, std::string_view) { return false; };
  world.post("/api/v1/roles.addUserToRole", admin, R"({"roleId":"bot","username":"admin"})");
  const std::size_t issued = world.committer->counters().tokens_issued;
  world.send("POST " + std::string(kPath) + " HTTP/1.1\r\nHost: x\r\n" + admin.headers() +
             "Content-Length: 18\r\n\r\n{\"username\":\"bob\"}");
  world.connect();
  world.run();
  EXPECT_EQ(world.committer->counters().tokens_issued, issued + 1);
  EXPECT_TRUE(world.transport->output().empty());
}

TEST(CreateToken, AStoreAtItsLimitIsUnavailableForAMoment) {
  World world;
  const Credentials admin = world.admin();
  world.create_user("bob");
  world.database.memory_knows = [](store::Family, std::string_view) { return false; };
  world.workers.full = true;
  const Reply reply = world.post(kPath, admin, R"({"username":"nobody"})");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.header("Retry-After"), "1");
  EXPECT_EQ(reply.body,
            R"({"success":false,"error":"Service Unavailable [error-service-unavailable]",)"
            R"("errorType":"error-service-unavailable"})");
}

TEST(CreateToken, AfterAFailedSyncNothingIsIssuedAndReadyzSaysSo) {
  World world;
  const Credentials admin = world.admin();
  EXPECT_EQ(world.get("/readyz").status, 200);
  world.database.fail_next_commit(tests::MemoryDatabase::Failure::lost);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const Reply reply = world.post(kPath, admin, R"({"username":"admin"})");
    EXPECT_EQ(reply.status, 503);
    EXPECT_EQ(reply.header("Retry-After"), "1");
  }
  EXPECT_EQ(world.get("/readyz").status, 503);
  EXPECT_EQ(world.get("/livez").status, 200);
}

TEST(CreateToken, ADiskThatFailsIsAnInternalError) {
  World world;
  const Credentials admin = world.admin();
  world.database.fail_reads(store::Family::usernames, true);
  const Reply reply = world.post(kPath, admin, R"({"username":"nobody"})");
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(text_after(reply.body, R"("errorType":")"), "error-internal-server-error");
}

TEST(CreateToken, NoTokenPasswordOrSecretIsLogged) {
  ApiOptions options = default_options();
  options.create_tokens_secret = "hush-hush";
  World world(options);
  const Credentials bob = world.new_user("bob");
  world.post(kPath, bob, R"({"username":"admin","secret":"hush-hush"})");
  world.post(kPath, bob, R"({"username":"admin","secret":"wrong-one"})");
  ASSERT_FALSE(world.log.lines.empty());
  for (const std::string_view hidden :
       {std::string_view(bob.token), std::string_view("hush-hush"), std::string_view("wrong-one"),
        std::string_view("pw-bob"), World::kAdminPassword}) {
    EXPECT_FALSE(world.log.has(hidden)) << hidden;
  }
}

}  // namespace
}  // namespace tokend::api
