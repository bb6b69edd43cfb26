#include "store/bootstrap.h"

#include <gtest/gtest.h>

#include "store/meta.h"
#include "store/password.h"
#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

class BootstrapTest : public testing::Test {
 protected:
  core::Result<Prepared> prepare(const FirstAdmin& admin = {}) {
    return prepare_store(database, clock, random, admin, 4);
  }
  tests::MemoryDatabase database;
  FixedClock clock;
  RandomBytes random;
};

TEST_F(BootstrapTest, TheFirstStartMakesTheGivenAdmin) {
  const auto prepared = prepare({"Boss", "secret", "boss@x.org", "The Boss"});
  ASSERT_TRUE(prepared);
  ASSERT_TRUE(prepared->created_admin);
  EXPECT_EQ(prepared->created_admin->username, "Boss");
  EXPECT_EQ(prepared->created_admin->name, "The Boss");
  EXPECT_EQ(prepared->created_admin->roles, (RoleSet{Role::admin, Role::user}));
  EXPECT_TRUE(prepared->generated_password.empty());
  EXPECT_TRUE(verify_password(sha256_hex("secret"), prepared->created_admin->password_hash, 4));
  EXPECT_TRUE(database.has(Family::usernames, "boss"));
  EXPECT_TRUE(database.has(Family::emails, "boss@x.org"));
}

TEST_F(BootstrapTest, WithoutAPasswordOneIsMade) {
  const auto prepared = prepare();
  ASSERT_TRUE(prepared && prepared->created_admin);
  EXPECT_EQ(prepared->created_admin->username, "admin");
  EXPECT_EQ(prepared->generated_password.size(), 24U);
  EXPECT_TRUE(verify_password(sha256_hex(prepared->generated_password),
                              prepared->created_admin->password_hash, 4));
}

TEST_F(BootstrapTest, LaterStartsKeepWhatIsThere) {
  const auto first = prepare({"boss", "secret", "", ""});
  ASSERT_TRUE(first);
  clock.now_ms += 1000;
  const auto second = prepare({"other", "changed", "", ""});
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->created_admin);
  EXPECT_TRUE(second->generated_password.empty());
  EXPECT_EQ(second->identity.token_key, first->identity.token_key);
  EXPECT_EQ(second->identity.created_ms, first->identity.created_ms);
  EXPECT_EQ(database.size(Family::users), 1U);
}

TEST_F(BootstrapTest, TwoStoresHaveTwoKeys) {
  tests::MemoryDatabase other;
  const auto first = prepare();
  const auto second = prepare_store(other, clock, random, {}, 4);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->identity.token_key, second->identity.token_key);
}

TEST_F(BootstrapTest, AnUnknownFormatVersionIsRefused) {
  ASSERT_TRUE(prepare());
  database.set(Family::meta, "format", encode_format(kFormatVersion + 1));
  const auto prepared = prepare();
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, Errc::refused);
  EXPECT_NE(prepared.error().message.find("version " + std::to_string(kFormatVersion + 1)),
            std::string::npos);
}

TEST_F(BootstrapTest, DamagedMetaIsCorrupt) {
  ASSERT_TRUE(prepare());
  database.set(Family::meta, "token_key", "short");
  const auto prepared = prepare();
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, Errc::corrupt);
}

TEST_F(BootstrapTest, AnImpossibleAdminIsInvalidAndLeavesNothing) {
  const auto prepared = prepare({"a b", "secret", "", ""});
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, Errc::invalid);
  EXPECT_EQ(database.size(Family::meta), 0U);
}

TEST(Password, OnlyTheRightOneVerifies) {
  const auto hash = hash_password(sha256_hex("secret"), 4);
  ASSERT_TRUE(hash);
  EXPECT_TRUE(hash->starts_with("$2b$04$"));
  EXPECT_TRUE(verify_password(sha256_hex("secret"), *hash, 4));
  EXPECT_FALSE(verify_password(sha256_hex("Secret"), *hash, 4));
  EXPECT_FALSE(verify_password(sha256_hex("secret"), "", 4));
  EXPECT_FALSE(verify_password(sha256_hex("secret"), "plain", 4));
  EXPECT_FALSE(verify_password(sha256_hex("secret"), "*0", 4));
}

TEST(Password, TheSameTwiceHasTwoHashes) {
  EXPECT_NE(*hash_password(sha256_hex("secret"), 4), *hash_password(sha256_hex("secret"), 4));
}

TEST(Password, ACostOutOfRangeIsInvalid) {
  EXPECT_EQ(hash_password("x", 3).error().code, Errc::invalid);
  EXPECT_EQ(hash_password("x", 17).error().code, Errc::invalid);
}

TEST(Password, ItsDigestIsLowerCaseHex) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace tokend::store
