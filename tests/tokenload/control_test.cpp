#include "tools/tokenload/control.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "tests/tokenload/fake_server.h"

namespace tokend::load {
namespace {

std::string answer_of(std::string_view body, std::string_view status = "200 OK") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

TEST(StringMember, FindsAValueByItsWholeName) {
  constexpr std::string_view kJson = R"({"x_id":"no","_id":"yes","n":1,"e":""})";
  EXPECT_EQ(string_member(kJson, "_id"), "yes");
  EXPECT_EQ(string_member(kJson, "e"), "");
  EXPECT_EQ(string_member(kJson, "n"), "");
  EXPECT_EQ(string_member(kJson, "absent"), "");
}

TEST(Resolve, TakesAddressesWithPortsOnly) {
  EXPECT_TRUE(resolve("127.0.0.1:3000"));
  EXPECT_TRUE(resolve("[::1]:3000"));
  for (const char* target :
       {"", "127.0.0.1", "127.0.0.1:", ":3000", "::1:3000", "127.0.0.1:http://"}) {
    EXPECT_FALSE(resolve(target)) << target;
  }
}

TEST(ControlClient, LogsInWithEscapedCredentials) {
  std::string seen;
  const FakeServer server([&](std::string_view request) {
    seen = request;
    return answer_of(R"({"status":"success","data":{"userId":"u1","authToken":"t1","me":{}}})");
  });
  ControlClient client(*resolve(server.target()));
  ASSERT_TRUE(client.connect());
  const auto credentials = client.login("admin", "pass\"word\\");
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_EQ(credentials->user_id, "u1");
  EXPECT_EQ(credentials->token, "t1");
  EXPECT_TRUE(seen.ends_with(R"({"user":"admin","password":"pass\"word\\"})")) << seen;
}

TEST(ControlClient, RefusedLoginSaysWhatTheServerSaid) {
  const FakeServer server(
      [](std::string_view) { return answer_of(R"({"error":"Unauthorized"})", "401 No"); });
  ControlClient client(*resolve(server.target()));
  ASSERT_TRUE(client.connect());
  const auto credentials = client.login("admin", "wrong");
  ASSERT_FALSE(credentials);
  EXPECT_NE(credentials.error().message.find("401"), std::string::npos);
  EXPECT_NE(credentials.error().message.find("Unauthorized"), std::string::npos);
}

TEST(ControlClient, CreatesOnlyTheUsersThatAreMissing) {
  std::mutex mutex;
  std::map<std::string, std::string, std::less<>> users{{"load-1", "id-of-load-1"}};
  int created = 0;
  const FakeServer server([&](std::string_view request) {
    const std::lock_guard lock(mutex);
    constexpr std::string_view kInfo = "GET /api/v1/users.info?username=";
    if (request.starts_with(kInfo)) {
      const std::string_view rest = request.substr(kInfo.size());
      const auto found = users.find(rest.substr(0, rest.find(' ')));
      if (found == users.end()) return answer_of(R"({"error":"User not found."})", "400 Bad");
      return answer_of(R"({"user":{"_id":")" + found->second + R"("},"success":true})");
    }
    ++created;
    const std::string name(string_member(request, "username"));
    users[name] = "id-of-" + name;
    return answer_of(R"({"user":{"_id":"id-of-)" + name + R"("},"success":true})");
  });
  ControlClient client(*resolve(server.target()));
  ASSERT_TRUE(client.connect());
  constexpr std::size_t kUsers = ControlClient::kBatchMax * 2 + 5;
  const auto targets = client.find_or_create({.user_id = "u", .token = "t"}, kUsers);
  ASSERT_TRUE(targets) << targets.error().message;
  ASSERT_EQ(targets->size(), kUsers);
  for (std::size_t i = 0; i < kUsers; ++i) {
    EXPECT_EQ((*targets)[i].id, "id-of-load-" + std::to_string(i));
  }
  EXPECT_EQ(created, static_cast<int>(kUsers) - 1);
}

TEST(ControlClient, ServerThatHangsUpIsAnError) {
  const FakeServer server([](std::string_view) { return std::nullopt; });
  ControlClient client(*resolve(server.target()));
  ASSERT_TRUE(client.connect());
  EXPECT_FALSE(client.login("a", "b"));
}

}  // namespace
}  // namespace tokend::load
