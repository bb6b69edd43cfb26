// What an operator does without a server when something has leaked: revoking in bulk, reading the
// audit.

#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "http/api/text.h"
#include "tests/tokenctl/offline_fixture.h"
#include "tools/tokenctl/check.h"
#include "tools/tokenctl/commands.h"

namespace tokend::tools {
namespace {

TEST_F(OfflineTest, WhatAnIssuerIssuedIsRevokedAndGoneAtTheNextStart) {
  make_store();
  {
    const auto store = open();
    ASSERT_TRUE(create_user(*store, {.username = "bob"}));
    const store::UserId admin = find(*store, "admin")->id, bob = find(*store, "bob")->id;
    issue(*store, admin);
    issue(*store, bob);
    ASSERT_TRUE(revoke(*store, {.issuer = "admin"}));
    issue(*store, admin);
  }
  {
    const auto store = open();
    EXPECT_EQ(store->live_tokens(), 2U);
    EXPECT_TRUE(check(*store));
    ASSERT_TRUE(revoke(*store, {.issuer_id = "whoWasDeleted"}));
    ASSERT_TRUE(revoke(*store, {.before = "2001-01-01T00:00:00Z"}));
  }
  const auto store = open();
  EXPECT_EQ(store->live_tokens(), 2U);
  EXPECT_TRUE(check(*store));
}

TEST_F(OfflineTest, WhatIsOlderThanAMomentIsRevoked) {
  make_store();
  {
    const auto store = open();
    const store::UserId admin = find(*store, "admin")->id;
    const store::Locator old = issue(*store, admin);
    while (clock_.wall_ms() <= old.issued_ms()) {
    }
    const std::string moment(api::view_of(api::iso_time(clock_.wall_ms())));
    const store::Locator young = issue(*store, admin);
    ASSERT_TRUE(revoke(*store, {.before = moment}));
    ASSERT_LT(old, young);
  }
  EXPECT_EQ(open()->live_tokens(), 1U);
}

TEST_F(OfflineTest, RevokingWithoutABoundOrBeforeTheFutureIsRefused) {
  make_store();
  const auto store = open();
  const std::string past = "2001-01-01T00:00:00Z";
  for (const TokensToRevoke& tokens :
       {TokensToRevoke{}, TokensToRevoke{.before = "yesterday"}, TokensToRevoke{.before = ""},
        TokensToRevoke{.issuer = "admin", .before = "9000-01-01T00:00:00Z"},
        TokensToRevoke{.issuer = "admin", .before = ""},
        TokensToRevoke{.issuer = "", .before = past},
        TokensToRevoke{.issuer_id = "", .before = past},
        TokensToRevoke{.issuer = "admin", .issuer_id = "admin"},
        TokensToRevoke{.issuer_id = std::string(32, 'x')}}) {
    const auto revoked = revoke(*store, tokens);
    ASSERT_FALSE(revoked);
    EXPECT_EQ(revoked.error().code, core::Errc::invalid);
  }
}

TEST_F(OfflineTest, AnIssuerWhoIsNobodyIsNamedByIdOrNotAtAll) {
  make_store();
  const auto store = open();
  const auto misspelt = revoke(*store, {.issuer = "adnim"});
  ASSERT_FALSE(misspelt);
  EXPECT_EQ(misspelt.error().code, core::Errc::not_found);
  EXPECT_EQ(misspelt.error().message,
            "there is no user 'adnim'; one who was deleted is named by --issuer-id");
  const auto no_id = revoke(*store, {.issuer_id = "admin"});
  ASSERT_FALSE(no_id);
  EXPECT_EQ(no_id.error().code, core::Errc::invalid);
  const std::string id(find(*store, "admin")->id.view());
  EXPECT_TRUE(revoke(*store, {.issuer = id}));
  EXPECT_TRUE(revoke(*store, {.issuer_id = id}));
}

TEST_F(OfflineTest, NowIsAllOfThemAlsoWhenTheClockWasSetBack) {
  make_store();
  store::Locator future;
  {
    const auto store = open();
    const store::Locator issued = issue(*store, find(*store, "admin")->id);
    future = store::Locator::make(issued.issued_ms() + 3'600'000, issued.shard(), 0);
  }
  {
    const auto database = open_database();
    const auto batch = database->make_batch();
    store::TokenRecord record;
    record.user = record.issuer = store::UserId("whoeverItIs");
    record.kind = store::TokenKind::issued;
    std::string bytes;
    store::encode(record, bytes);
    const std::string key(future.bytes.begin(), future.bytes.end());
    batch->put(store::Family::tokens, key, bytes);
    ASSERT_TRUE(database->commit(*batch));
  }
  {
    const auto store = open();
    EXPECT_EQ(store->live_tokens(), 2U);
    const auto text = [](std::int64_t wall_ms) {
      return std::string(api::view_of(api::iso_time(wall_ms)));
    };
    EXPECT_FALSE(revoke(*store, {.before = text(future.issued_ms() + 2)}));
    EXPECT_TRUE(revoke(*store, {.issuer = "admin", .before = text(future.issued_ms() + 1)}));
    EXPECT_TRUE(revoke(*store, {.before = text(clock_.wall_ms())}));
  }
  EXPECT_EQ(open()->live_tokens(), 0U);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST_F(OfflineTest, TheAuditIsShownNewestFirst) {
  make_store();
  store::UserId admin;
  store::Locator token;
  std::string id;
  {
    const auto store = open();
    admin = find(*store, "admin")->id;
    ASSERT_TRUE(create_user(*store, {.username = "bob"}));
    token = issue(*store, admin);
    id = store::view_of(store->id_of(token));
    ASSERT_TRUE(revoke_tokens(*store, "admin"));
  }
  const auto store = open();
  const auto shown = [&](const AuditWords& words) {
    ::testing::internal::CaptureStdout();
    const auto done = show_audit(*store, words);
    std::fflush(stdout);
    EXPECT_TRUE(done) << done.error().message;
    return lines_of(::testing::internal::GetCapturedStdout());
  };
  const auto all = shown({});
  ASSERT_EQ(all.size(), 3U);
  EXPECT_NE(all[0].find(R"("event":"tokens-revoke")"), std::string::npos) << all[0];
  EXPECT_NE(all[0].find(R"("count":1)"), std::string::npos) << all[0];
  EXPECT_EQ(all[0].find("actor"), std::string::npos) << "nobody: it was tokenctl";
  EXPECT_NE(all[1].find(R"("token":")" + id + "\""), std::string::npos) << all[1];
  EXPECT_NE(all[2].find(R"("event":"user-create")"), std::string::npos) << all[2];
  EXPECT_EQ(shown({.count = 2}), std::vector<std::string>(all.begin(), all.begin() + 2));
  EXPECT_EQ(shown({.event = "user-create"}), std::vector{all[2]});
  EXPECT_EQ(shown({.target = std::string(admin.view())}),
            std::vector<std::string>(all.begin(), all.begin() + 2));
  EXPECT_EQ(shown({.actor = std::string(admin.view())}).size(), 1U);
  EXPECT_TRUE(shown({.until = "2001-01-01T00:00:00Z"}).empty());
  EXPECT_EQ(shown({.since = "2001-01-01T00:00:00Z"}), all);
  EXPECT_EQ(show_audit(*store, {.event = "nothing"}).error().code, core::Errc::invalid);
  EXPECT_EQ(show_audit(*store, {.since = "today"}).error().code, core::Errc::invalid);
  EXPECT_EQ(show_audit(*store, {.actor = std::string(40, 'a')}).error().code, core::Errc::invalid);
}

}  // namespace
}  // namespace tokend::tools
