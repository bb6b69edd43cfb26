// Administration over a real data directory, with the rules of the server.
#include "tools/tokenctl/offline.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "http/api/text.h"
#include "store/issuing_policy.h"
#include "store/password.h"
#include "store/revocation_floors.h"
#include "tests/tokenctl/offline_fixture.h"
#include "tools/tokenctl/check.h"
#include "tools/tokenctl/commands.h"

namespace tokend::tools {
namespace {

TEST_F(OfflineTest, NoStoreIsMadeByLooking) {
  const auto store = OfflineStore::open(folder_, kCost);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, core::Errc::not_found);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(OfflineTest, ADamagedLogIsRefusedAsByTheServer) {
  const auto database = open_database();
  const auto writes = database->make_batch();
  for (int change = 0; change < 10; ++change) {
    writes->clear();
    writes->put(store::Family::meta, "change" + std::to_string(change), "value");
    ASSERT_TRUE(database->commit(*writes));
  }
  // As SIGKILL would leave it: its files are the same from here on.
  const std::string killed = folder_ + "/killed";
  std::filesystem::create_directory(killed);
  for (const std::string folder : {"/db", "/journal"}) {
    std::filesystem::copy(folder_ + folder, killed + folder,
                          std::filesystem::copy_options::recursive);
  }
  for (const auto& entry : std::filesystem::directory_iterator(killed + "/journal")) {
    std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    const std::size_t at = content.find("change5");
    if (at == std::string::npos) continue;
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file << "damage5";
  }
  const auto store = OfflineStore::open(killed, kCost);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, core::Errc::corrupt);
  EXPECT_NE(store.error().message.find("the journal is damaged: frame"), std::string::npos);
}

TEST_F(OfflineTest, AStoreWithoutAUserGetsNone) {
  open_database().reset();
  const auto store = OfflineStore::open(folder_, kCost);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, core::Errc::not_found);
}

TEST_F(OfflineTest, ADirectoryInUseIsNamed) {
  make_store();
  const auto holder = open_database();
  const auto store = OfflineStore::open(folder_, kCost);
  ASSERT_FALSE(store.has_value());
  EXPECT_NE(store.error().message.find(folder_), std::string::npos);
  EXPECT_NE(store.error().message.find("in use"), std::string::npos);
}

TEST_F(OfflineTest, WhatIsChangedLastsBeyondTheProgram) {
  make_store();
  {
    const auto store = open();
    ASSERT_TRUE(create_user(
        *store,
        {.username = "Bob", .email = "b@example.com", .roles = {"bot"}, .password = "one"}));
    ASSERT_TRUE(add_role(*store, "bob", "admin"));
    ASSERT_TRUE(set_active(*store, "bob", false));
    ASSERT_TRUE(set_password(*store, "BOB", "two"));
  }
  const auto store = open();
  const auto user = find(*store, "bob");
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ(user->username, "Bob");
  EXPECT_FALSE(user->active);
  EXPECT_TRUE(user->roles.has(store::Role::admin));
  EXPECT_TRUE(user->roles.has(store::Role::bot));
  EXPECT_FALSE(user->roles.has(store::Role::user));
  EXPECT_TRUE(store::verify_password(store::sha256_hex("two"), user->password_hash, kCost));
  EXPECT_FALSE(store::verify_password(store::sha256_hex("one"), user->password_hash, kCost));
}

TEST_F(OfflineTest, TheServersRulesHold) {
  make_store();
  const auto store = open();
  EXPECT_EQ(set_active(*store, "admin", false).error().code, core::Errc::refused);
  EXPECT_EQ(remove_role(*store, "admin", "admin").error().code, core::Errc::refused);
  EXPECT_EQ(create_user(*store, {.username = "ADMIN"}).error().code, core::Errc::exists);
  EXPECT_EQ(create_user(*store, {.username = "no spaces"}).error().code, core::Errc::invalid);
  EXPECT_EQ(create_user(*store, {.username = "x", .roles = {"king"}}).error().code,
            core::Errc::invalid);
  EXPECT_EQ(show_user(*store, "nobody").error().code, core::Errc::not_found);
}

TEST_F(OfflineTest, AUserIsNamedByIdToo) {
  make_store();
  const auto store = open();
  const auto admin = find(*store, "admin");
  ASSERT_TRUE(admin.has_value());
  ASSERT_TRUE(add_role(*store, std::string(admin->id.view()), "bot"));
  EXPECT_TRUE(find(*store, "admin")->roles.has(store::Role::bot));
}

// The server may keep more for each user than its default.
TEST_F(OfflineTest, OpeningDisplacesNoToken) {
  make_store();
  constexpr int kTokens = 60;
  {
    const auto store = open();
    const store::UserId admin = find(*store, "admin")->id;
    for (int count = 0; count < kTokens; ++count) issue(*store, admin);
    EXPECT_EQ(store->live_tokens(), kTokens);
  }
  const auto store = open();
  EXPECT_EQ(store->live_tokens(), kTokens);
  EXPECT_TRUE(check(*store));
}

TEST_F(OfflineTest, RevokedTokensAreRevokedAfterReopening) {
  make_store();
  store::Locator token;
  {
    const auto store = open();
    token = issue(*store, find(*store, "admin")->id);
    EXPECT_TRUE(find(*store, "admin")->accepts(token, store::TokenKind::login));
    ASSERT_TRUE(revoke_tokens(*store, "admin"));
  }
  const auto store = open();
  EXPECT_FALSE(find(*store, "admin")->accepts(token, store::TokenKind::login));
  EXPECT_EQ(store->live_tokens(), 0U);
}

TEST_F(OfflineTest, ASoundStoreHasNoFaultsAndIsCounted) {
  make_store();
  {
    const auto database = open_database();
    const auto batch = database->make_batch();
    std::string policy;
    store::encode(store::IssuingPolicy{.exclude_admins = true}, policy);
    batch->put(store::Family::permissions, store::policy_key(store::Role::bot), policy);
    ASSERT_TRUE(database->commit(*batch).has_value());
  }
  const auto store = open();
  ASSERT_TRUE(create_user(*store, {.username = "bob", .email = "b@example.com"}));
  ASSERT_TRUE(set_active(*store, "bob", false));
  issue(*store, find(*store, "admin")->id);
  EXPECT_TRUE(check(*store));
  const auto report = check_store(store->database(), clock_.wall_ms());
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->users, 2U);
  EXPECT_EQ(report->active_users, 1U);
  EXPECT_EQ(report->tokens, 1U);
  EXPECT_EQ(report->expired_tokens, 0U);
  EXPECT_EQ(report->fault_count, 0U);
  EXPECT_EQ(check_store(store->database(), INT64_MAX - 1)->expired_tokens, 1U);
}

struct Damage {
  const char* what;
  store::Family family;
  std::string key;
  std::string value;
};

TEST_F(OfflineTest, EveryKindOfDamageIsAFault) {
  using store::Family;
  const Damage damages[] = {
      {"a token that does not decode", Family::tokens, std::string(12, '\x01'), "x"},
      {"a token under a short key", Family::tokens, "short", ""},
      {"a user that does not decode", Family::users, "nobody", "x"},
      {"a username that leads nowhere", Family::usernames, "ghost", "nobody"},
      {"an e-mail that leads nowhere", Family::emails, "g@example.com", "nobody"},
      {"a role of nobody", Family::members, std::string(1, '\0') + "nobody", ""},
      {"a role that is none", Family::members, "\x7fnobody", ""},
      {"personal tokens that do not decode", Family::personal_tokens, "nobody", "x"},
      {"personal tokens that are gone", Family::personal_tokens, "nobody",
       std::string("\x01\x01", 2) + std::string(13 + 1 + 6 + 2, '\0')},
      {"an unknown permission", Family::permissions, "fly", "x"},
      {"a policy that does not decode", Family::permissions, "policy/bot", "x"},
      {"a policy of no role", Family::permissions, "policy/pope",
       std::string("\x01", 1) + std::string(37, '\0')},
      {"a keyed request that does not decode", Family::idempotency, std::string(20, 'n'), "x"},
      {"an unknown setting", Family::settings, "fly", std::string("\x01\x00\x01", 3)},
      {"a setting that does not decode", Family::settings, "API_Enable_CORS", "x"},
      {"a setting of another type", Family::settings, "API_CORS_Origin",
       std::string("\x01\x00\x01", 3)},
      {"a floor that does not decode", Family::revocations, "everyone", "x"},
      {"a floor of nobody", Family::revocations, "issuer/", store::encode_floor(store::Locator{})},
      {"a record of the audit that does not decode", Family::audit, std::string(12, '\x01'), "x"},
      {"a record of the audit under a short key", Family::audit, "short",
       std::string("\x01\x00\x00\x00", 4)},
      {"an issued token of the audit that does not decode", Family::issuances,
       std::string(12, '\x01'), "x"},
      {"a wrong count of users", Family::meta, "users", std::string(8, '\x07')},
      {"a name that was taken over", Family::usernames, "admin", "nobody"},
  };
  for (const Damage& damage : damages) {
    SCOPED_TRACE(damage.what);
    make_store();
    {
      const auto database = open_database();
      const auto batch = database->make_batch();
      batch->put(damage.family, damage.key, damage.value);
      ASSERT_TRUE(database->commit(*batch).has_value());
      const auto report = check_store(*database, clock_.wall_ms());
      ASSERT_TRUE(report.has_value());
      EXPECT_GE(report->fault_count, 1U);
      EXPECT_FALSE(report->faults.empty());
    }
    std::filesystem::remove_all(folder_);
  }
}

}  // namespace
}  // namespace tokend::tools
