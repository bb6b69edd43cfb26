#pragma once
// What the tests of the rate limit share (contract 1.4 with 9.9). A test's addresses are its own,
// so that no other test's calls are counted in its windows.

#include <atomic>
#include <memory>
#include <string>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {

inline std::string too_many(const std::string& seconds) {
  return R"({"success":false,"error":"Error, too many requests. Please slow down. You must wait )" +
         seconds + R"( seconds before trying this endpoint again. [error-too-many-requests]"})";
}

inline void expect_no_limit_headers(const Response& response) {
  for (const char* name : {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}) {
    EXPECT_EQ(response.count(name), 0U) << name << "\n" << response;
  }
}

template <class Suite>
class LimitedSuite : public ServerSuite<Suite> {
 protected:
  static std::string fresh_address() {
    static std::atomic<int> next{2};
    return "127.0.1." + std::to_string(next++);
  }
  void SetUp() override {
    // Logs in from an address of its own: login is limited too.
    keeper_ = std::make_unique<ApiClient>(this->server(), fresh_address());
    admin_ = keeper_->login_admin();
  }
  // A user without the bypass, and a client at an address that nothing was counted for.
  Credentials make_caller() {
    const Person person = keeper_->create_user(admin_, this->fresh_name());
    return keeper_->issue(admin_, person.id);
  }
  const Credentials& administrator() const { return admin_; }
  ApiClient fresh_client() { return ApiClient(this->server(), fresh_address()); }

 private:
  std::unique_ptr<ApiClient> keeper_;
  Credentials admin_;
};

}  // namespace tokend::tests
