#pragma once
// A data directory as a first start of tokend leaves it, and tokenctl on it.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "store/bootstrap.h"
#include "store/rocks.h"
#include "tools/tokenctl/offline.h"

namespace tokend::tools {

inline constexpr int kCost = 4;

class OfflineTest : public ::testing::Test {
 protected:
  OfflineTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "tokenctl-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~OfflineTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<store::RocksDatabase> open_database() {
    store::RocksOptions options;
    options.directory = folder_;
    auto database = store::RocksDatabase::open(options, clock_);
    EXPECT_TRUE(database.has_value());
    return std::move(*database);
  }
  // As a first start of tokend leaves it.
  void make_store() {
    store::RandomBytes random;
    const auto database = open_database();
    store::FirstAdmin admin;
    admin.password = "secret";
    const auto prepared = store::prepare_store(*database, clock_, random, admin, kCost);
    ASSERT_TRUE(prepared.has_value());
  }
  std::unique_ptr<OfflineStore> open() {
    auto store = OfflineStore::open(folder_, kCost);
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
  static std::optional<store::User> find(OfflineStore& store, std::string_view username) {
    store::FindUser operation;
    operation.key = store::UserKey::username;
    operation.value = username;
    std::optional<store::User> user;
    store.run(operation, user);
    return user;
  }
  static store::Locator issue(OfflineStore& store, const store::UserId& user) {
    store::IssueToken operation;
    operation.user = operation.issuer = user;
    store.run(operation);
    EXPECT_TRUE(operation.result.has_value());
    return operation.locator;
  }

  const core::SystemClock clock_;
  std::string folder_;
};

}  // namespace tokend::tools
