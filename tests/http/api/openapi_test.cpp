// The description against the table of routes: nothing is served that is not described, nothing
// described that is not served.

#include "http/api/openapi.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "http/api/api.h"
#include "tests/http/api/harness.h"
#include "tests/support/api_description.h"

namespace tokend::api {
namespace {

using simdjson::dom::element;
using testing::Reply;
using testing::World;

// "/settings/:_id" is "/settings/{_id}" there.
std::string template_of(std::string_view path) {
  const std::size_t colon = path.find(':');
  if (colon == std::string_view::npos) return std::string(path);
  return std::string(path.substr(0, colon)) + "{" + std::string(path.substr(colon + 1)) + "}";
}

std::string_view security_of(Access access) {
  switch (access) {
    case Access::open: return "[]";
    case Access::optional: return R"([{},{"authToken":[],"userId":[]}])";
    case Access::login: return R"([{"authToken":[],"userId":[]}])";
    case Access::gateway:
    case Access::oauth: return R"([{"authToken":[],"userId":[]},{"bearer":[]}])";
  }
  return {};
}

class OpenapiDescription : public ::testing::Test {
 protected:
  [[nodiscard]] element paths() const { return description_.document().at_key("paths").value(); }
  [[nodiscard]] std::optional<element> operation(const Route& route, const char* method) const {
    element item;
    element found;
    if (paths().at_key(template_of(route.path)).get(item) || item.at_key(method).get(found)) {
      return std::nullopt;
    }
    return found;
  }

  tests::ApiDescription description_{openapi_description()};
};

TEST_F(OpenapiDescription, HasNoDefect) { EXPECT_EQ(description_.defect(), ""); }

TEST_F(OpenapiDescription, NamesEachRouteWithEachOfItsMethodsAndNoOther) {
  for (const Route& route : kRoutes) {
    EXPECT_EQ(operation(route, "get").has_value(), route.serves(http::Method::get)) << route.path;
    EXPECT_EQ(operation(route, "post").has_value(), route.serves(http::Method::post)) << route.path;
  }
  std::size_t count = 0;
  for (const auto& [path, item] : tests::members_of(paths())) {
    ++count;
    for (const auto& [method, described] : tests::members_of(item)) {
      EXPECT_TRUE(method == "get" || method == "post") << path << " " << method;
    }
  }
  EXPECT_EQ(count, kRoutes.size());
}

TEST_F(OpenapiDescription, SaysWhatEachRouteDemandsOfItsCaller) {
  for (const Route& route : kRoutes) {
    for (const char* method : {"get", "post"}) {
      const auto described = operation(route, method);
      if (!described) continue;
      EXPECT_EQ(simdjson::minify(described->at_key("security").value()), security_of(route.access))
          << route.path;
      std::string_view permission;
      if (described->at_key("x-permission").get(permission)) permission = {};
      EXPECT_EQ(permission, route.permission ? id_of(*route.permission) : "") << route.path;
      EXPECT_EQ(described->at_key("requestBody").error() == simdjson::SUCCESS,
                std::string_view(method) == "post")
          << route.path;
    }
  }
}

TEST_F(OpenapiDescription, NamesNoOperationTwice) {
  std::set<std::string> names;
  std::size_t count = 0;
  for (const auto& [path, item] : tests::members_of(paths())) {
    for (const auto& [method, described] : tests::members_of(item)) {
      names.emplace(described.at_key("operationId").get_string().value());
      ++count;
    }
  }
  EXPECT_EQ(names.size(), count);
}

TEST_F(OpenapiDescription, KnowsEveryRolePermissionAndSetting) {
  const auto values_of = [&](std::string name) {
    std::set<std::string> values;
    auto schema = description_.document().at_pointer("/components/schemas/" + name + "/enum");
    for (const element value : tests::elements_of(schema.value())) {
      values.emplace(value.get_string().value());
    }
    return values;
  };
  std::set<std::string> roles;
  for (std::size_t index = 0; index < store::kRoleCount; ++index) {
    roles.emplace(id_of(static_cast<store::Role>(index)));
  }
  EXPECT_EQ(values_of("RoleId"), roles);
  std::set<std::string> permissions;
  for (std::size_t index = 0; index < store::kPermissionCount; ++index) {
    permissions.emplace(id_of(static_cast<store::Permission>(index)));
  }
  EXPECT_EQ(values_of("PermissionId"), permissions);
  std::set<std::string> settings;
  for (std::size_t index = 0; index < store::kSettingCount; ++index) {
    settings.emplace(id_of(static_cast<store::SettingKey>(index)));
  }
  EXPECT_EQ(values_of("SettingId"), settings);
}

TEST(Openapi, IsServedToEverybodyAsItIs) {
  World world;
  const Reply reply = world.exchange("GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("Content-Type"), "application/json");
  EXPECT_EQ(reply.body, openapi_description());
}

}  // namespace
}  // namespace tokend::api
