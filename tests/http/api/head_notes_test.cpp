// What a connection keeps of a head that it repeats is not whether the token in it is valid.

#include "http/api/head_notes.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/http/api/harness.h"

namespace tokend::api {
namespace {

using testing::Credentials;
using testing::Reply;
using testing::World;

// The user whom a gateway is told of, or the status.
std::string user_of(World& world, std::string_view headers) {
  const Reply reply = world.get("/auth", headers);
  if (reply.status != 200) return std::to_string(reply.status);
  return reply.header("X-User-Id").value_or("nobody");
}

TEST(HeadNotes, AreOfTheHeadThatWasSentLast) {
  World world;
  const Credentials bob = world.new_user("bob");
  for (const Credentials& who : {bob, bob, world.admin(), world.admin(), bob}) {
    EXPECT_EQ(user_of(world, who.headers()), who.user_id);
  }
  // The same token for another path, with another user's id, and as another kind of credentials.
  EXPECT_EQ(world.get("/api/v1/me", bob).status, 200);
  EXPECT_EQ(world.get("/api/v1/nowhere", bob).status, 404);
  EXPECT_EQ(world.get("/api/v1/nowhere", bob).status, 404);
  EXPECT_EQ(user_of(world, Credentials{world.admin().user_id, bob.token}.headers()), "401");
  EXPECT_EQ(user_of(world, "Authorization: Bearer " + bob.token + "\r\n"), bob.user_id);
  EXPECT_EQ(user_of(world, "Authorization: Bearer " + bob.token + "\r\n"), bob.user_id);
}

TEST(HeadNotes, ATokenIsAskedAboutEachTime) {
  World world;
  const Credentials bob = world.new_user("bob");
  const Credentials other = world.login("bob", "pw-bob");
  // Revoked while its connection goes on showing it, and nothing else.
  for (int time = 0; time < 3; ++time) EXPECT_EQ(user_of(world, bob.headers()), bob.user_id);
  const auto proof = world.store->read_token(bob.token);
  ASSERT_TRUE(proof);
  struct Revocation : store::RevokeToken {
    void on_done() noexcept { done = true; }
    bool done = false;
  } revocation;
  revocation.user = store::UserId(bob.user_id);
  revocation.locator = proof->locator;
  revocation.token_kind = store::TokenKind::login;
  revocation.then<&Revocation::on_done>(revocation);
  world.store->write(revocation);
  world.run();
  ASSERT_TRUE(revocation.done && revocation.result);
  for (int time = 0; time < 3; ++time) EXPECT_EQ(user_of(world, bob.headers()), "401");
  // Expired.
  for (int time = 0; time < 3; ++time) EXPECT_EQ(user_of(world, other.headers()), bob.user_id);
  world.clock.advance_ms(91LL * 24 * 3600 * 1000);
  for (int time = 0; time < 3; ++time) EXPECT_EQ(user_of(world, other.headers()), "401");
}

TEST(HeadNotes, RevokedBetweenTwoEqualHeads) {
  World world;
  const Credentials bob = world.new_user("bob");
  EXPECT_EQ(world.post("/api/v1/logout", bob, "").status, 200);
  EXPECT_EQ(world.post("/api/v1/logout", bob, "").status, 401);
  EXPECT_EQ(world.post("/api/v1/logout", bob, "").status, 401);
}

TEST(HeadNotes, WhatNoTokenLooksLikeIsRefusedEachTime) {
  World world;
  const Credentials none{world.admin().user_id, "no token"};
  for (int time = 0; time < 3; ++time) EXPECT_EQ(user_of(world, none.headers()), "401");
}

}  // namespace
}  // namespace tokend::api
