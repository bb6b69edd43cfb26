#pragma once
// What the contract suites share: one real tokend for each suite, an admin who is logged in, users
// of the test's own, and the bodies that many answers have in common. Every suite ends by
// stopping its server, which must end well and must have logged no secret.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "tests/support/api_client.h"
#include "tests/support/server_process.h"

namespace tokend::tests {

inline constexpr const char* kCreateToken = "/api/v1/users.createToken";

inline constexpr const char* kMustBeLoggedIn =
    R"({"success":false,"error":"You must be logged in to do this.","status":"error",)"
    R"("message":"You must be logged in to do this."})";
inline constexpr const char* kNotAuthorized =
    R"({"success":false,"error":"Not authorized [error-not-authorized]",)"
    R"("errorType":"error-not-authorized"})";
inline constexpr const char* kNoTarget =
    R"({"success":false,"error":"The required \"userId\" or \"username\" param was not provided )"
    R"([error-user-param-not-provided]","errorType":"error-user-param-not-provided"})";
inline constexpr const char* kUnknownTarget =
    R"({"success":false,"error":"The required \"userId\" or \"username\" param provided does not )"
    R"(match any users [error-invalid-user]","errorType":"error-invalid-user"})";
inline constexpr const char* kForbidden =
    R"({"success":false,"error":"User does not have the permissions required for this action )"
    R"([error-unauthorized]"})";
inline constexpr const char* kInvalidJson =
    R"({"success":false,"error":"Invalid JSON body [error-invalid-json]",)"
    R"("errorType":"error-invalid-json"})";
inline constexpr const char* kUnsupportedMediaType =
    R"({"success":false,"error":"Unsupported Media Type [error-unsupported-media-type]",)"
    R"("errorType":"error-unsupported-media-type"})";
inline constexpr const char* kMethodNotAllowed =
    R"({"success":false,"error":"Method Not Allowed [error-method-not-allowed]",)"
    R"("errorType":"error-method-not-allowed"})";
inline constexpr const char* kNotFound =
    R"({"success":false,"error":"Not Found [error-not-found]","errorType":"error-not-found"})";
inline constexpr const char* kUnauthorizedLogin =
    R"({"success":false,"error":"Unauthorized","status":"error","message":"Unauthorized"})";
inline constexpr const char* kIssued =
    R"({"data":{"userId":"<id>","authToken":"<token>"},"success":true})";
inline constexpr const char* kLoggedOut =
    R"({"status":"success","data":{"message":"You've been logged out!"}})";

inline std::string json_pair(const std::string& key, const std::string& value) {
  return "{\"" + key + "\":\"" + value + "\"}";
}

// gtest's answer for a response whose status and body are both part of the claim.
inline testing::AssertionResult answers(const Response& response, int status,
                                        const std::string& body_pattern) {
  if (response.status == status && matches(response.body, body_pattern)) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure()
         << "expected " << status << " " << body_pattern << "\ngot " << response;
}

// `Suite::settings()` says how the suite's server is started.
template <class Suite>
class ServerSuite : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<ServerProcess>(Suite::settings());
    ASSERT_TRUE(server_->start()) << server_->report();
  }
  static void TearDownTestSuite() {
    EXPECT_EQ(server_->stop(), 0) << server_->report();
    EXPECT_EQ(server_->secrets_in_log(), std::vector<std::string>{}) << server_->report();
    server_.reset();
  }
  static ServerSettings settings() { return {}; }

  void SetUp() override {
    client_ = std::make_unique<ApiClient>(server());
    admin_ = client_->login_admin();
  }
  void TearDown() override {
    if (HasFailure()) std::cerr << server().report();
  }

  static ServerProcess& server() { return *server_; }
  ApiClient& client() { return *client_; }
  const Credentials& admin() const { return admin_; }
  HttpClient connect() { return HttpClient(Endpoint{.port = server().port()}); }

  // Users whose names no other test has.
  static std::string fresh_name(const std::string& stem = "user") {
    static std::atomic<int> next{1};
    return stem + "." + std::to_string(next++);
  }
  Person make_user(const std::string& more = "") {
    return client().create_user(admin(), fresh_name(), more);
  }
  Credentials log_in(const Person& person) {
    return client().login(person.username, person.password);
  }
  Response create_token(const std::string& body, const Credentials* caller) {
    return client().post(kCreateToken, body, caller);
  }
  void set_active(const Person& person, bool active) {
    const Response response = client().post(
        "/api/v1/users.setActiveStatus",
        R"({"userId":")" + person.id + R"(","activeStatus":)" + (active ? "true" : "false") + "}",
        &admin());
    ASSERT_EQ(response.status, 200) << response;
  }

 private:
  static inline std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<ApiClient> client_;
  Credentials admin_;
};

}  // namespace tokend::tests
