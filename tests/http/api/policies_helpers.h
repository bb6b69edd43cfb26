#pragma once
// What the tests of the policies' calls and of what the policies do share.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/http/api/harness.h"

namespace tokend::api::testing {

inline constexpr std::string_view kUpdatePolicies = "/api/v1/policies.update";
inline constexpr std::string_view kFormType = "Content-Type: application/x-www-form-urlencoded\r\n";

inline Reply update(World& world, const std::string& policy) {
  return world.post(kUpdatePolicies, world.admin(), R"({"policies":[)" + policy + "]}");
}
inline void set(World& world, const std::string& policy) {
  const Reply reply = update(world, policy);
  EXPECT_EQ(reply.status, 200) << reply.body;
}
inline Credentials new_bot(World& world, std::string_view name = "robot") {
  return world.new_user(name, R"(,"roles":["bot"])");
}

}  // namespace tokend::api::testing
