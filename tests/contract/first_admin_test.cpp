// Where the first admin comes from: the environment while the store has no user, else a random
// password in a file (contract 9.21).

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string login_body(const std::string& username, const std::string& password) {
  return R"({"user":")" + username + R"(","password":")" + password + "\"}";
}

TEST(FirstAdmin, ComesFromTheEnvironmentAndHoldsBothRoles) {
  ServerProcess server;
  ASSERT_TRUE(server.start()) << server.report();
  ApiClient client(server);
  const Response response =
      client.post("/api/v1/login", login_body(kAdminUsername, kAdminPassword));
  ASSERT_EQ(response.status, 200) << response;
  EXPECT_THAT(response.body, HasSubstr(R"("roles":["admin","user"])"));
  EXPECT_THAT(response.body, HasSubstr(R"("name":"Root Admin")"));
  EXPECT_THAT(response.body, HasSubstr(kAdminEmail));
  EXPECT_NE(access((server.data_path() + "/initial-admin-password").c_str(), F_OK), 0);
  EXPECT_EQ(server.stop(), 0) << server.report();
  EXPECT_THAT(server.log(), Not(HasSubstr(kAdminPassword)));
}

TEST(FirstAdmin, LaterChangesOfTheEnvironmentChangeNothing) {
  ServerProcess server;
  ASSERT_TRUE(server.start()) << server.report();
  ASSERT_EQ(server.stop(), 0) << server.report();
  server.settings().environment = {{"ADMIN_USERNAME", "someone.else"},
                                   {"ADMIN_PASS", "another-password"},
                                   {"ADMIN_EMAIL", "else@example.com"}};
  ASSERT_TRUE(server.start()) << server.report();
  ApiClient client(server);
  EXPECT_EQ(client.post("/api/v1/login", login_body(kAdminUsername, kAdminPassword)).status, 200);
  EXPECT_EQ(client.post("/api/v1/login", login_body(kAdminUsername, "another-password")).status,
            401);
  EXPECT_EQ(client.post("/api/v1/login", login_body("someone.else", "another-password")).status,
            401);
}

TEST(FirstAdmin, WithoutTheEnvironmentHasARandomPasswordInAPrivateFile) {
  ServerProcess server({.default_environment = false});
  ASSERT_TRUE(server.start()) << server.report();
  const std::string path = server.data_path() + "/initial-admin-password";
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  std::string password = read_whole_file(path);
  while (!password.empty() && password.back() == '\n') password.pop_back();
  ASSERT_GE(password.size(), 16U);
  server.remember_secret(password);

  ApiClient client(server);
  const Response response = client.post("/api/v1/login", login_body("admin", password));
  EXPECT_EQ(response.status, 200) << response;
  EXPECT_THAT(response.body, HasSubstr(R"("roles":["admin","user"])"));

  // Started again it is the same admin, and no other password is made. The log is written by a
  // thread of its own, and is whole when the server has ended.
  ASSERT_EQ(server.stop(), 0) << server.report();
  EXPECT_THAT(server.log(), HasSubstr(path));
  ASSERT_TRUE(server.start()) << server.report();
  ApiClient again(server);
  EXPECT_EQ(again.post("/api/v1/login", login_body("admin", password)).status, 200);
  EXPECT_EQ(server.stop(), 0) << server.report();
  EXPECT_EQ(server.secrets_in_log(), std::vector<std::string>{});
}

TEST(FirstAdmin, TwoStoresHaveTwoPasswords) {
  std::string first;
  for (int time = 0; time < 2; ++time) {
    ServerProcess server({.default_environment = false});
    ASSERT_TRUE(server.start()) << server.report();
    const std::string password = read_whole_file(server.data_path() + "/initial-admin-password");
    EXPECT_NE(password, first);
    first = password;
  }
}

}  // namespace
}  // namespace tokend::tests
