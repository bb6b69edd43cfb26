#include "store/revocation_floors.h"

#include <gmock/gmock.h>

namespace tokend::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const UserId kAnna("anna"), kBert("bert");

Locator at(std::int64_t ms, std::uint32_t sequence = 0) { return Locator::make(ms, 1, sequence); }

RevocationFloors with(std::vector<RevocationFloor> all) {
  RevocationFloors floors;
  std::vector<UserId> superseded;
  for (const RevocationFloor& floor : all) EXPECT_TRUE(floors.raise(floor, superseded));
  return floors;
}

TEST(RevocationFloors, OfAnIssuerIsAboutWhatItIssuedBelow) {
  const RevocationFloors floors = with({{kAnna, at(5, 3)}});
  EXPECT_TRUE(floors.revokes(at(5, 2), TokenKind::issued, kAnna));
  EXPECT_FALSE(floors.revokes(at(5, 3), TokenKind::issued, kAnna));
  EXPECT_FALSE(floors.revokes(at(5, 2), TokenKind::issued, kBert));
  EXPECT_FALSE(floors.revokes(at(5, 2), TokenKind::login, kAnna));
  EXPECT_FALSE(floors.revokes(at(5, 2), TokenKind::personal, kAnna));
}

TEST(RevocationFloors, OfEveryoneIsAboutAllKinds) {
  const RevocationFloors floors = with({{{}, at(5)}});
  for (const TokenKind kind : {TokenKind::login, TokenKind::issued, TokenKind::personal}) {
    EXPECT_TRUE(floors.revokes(at(4, 9), kind, kAnna));
    EXPECT_FALSE(floors.revokes(at(5), kind, kAnna));
  }
}

TEST(RevocationFloors, AreNeverLowered) {
  const RevocationFloors floors = with({{kAnna, at(5)}, {kAnna, at(3)}, {{}, at(2)}, {{}, at(1)}});
  EXPECT_EQ(floors.floor_of(kAnna), at(5));
  EXPECT_EQ(floors.everyone(), at(2));
  EXPECT_EQ(floors.highest(), at(5));
}

TEST(RevocationFloors, ThatOfEveryoneTakesThePlaceOfThoseBelowIt) {
  RevocationFloors floors = with({{kAnna, at(5)}, {kBert, at(7)}});
  std::vector<UserId> superseded;
  ASSERT_TRUE(floors.raise({{}, at(6)}, superseded));
  EXPECT_THAT(superseded, ElementsAre(kAnna));
  EXPECT_EQ(floors.floor_of(kAnna), Locator{});
  EXPECT_EQ(floors.floor_of(kBert), at(7));
  // And none comes beside it that would say nothing.
  ASSERT_TRUE(floors.raise({kAnna, at(6)}, superseded));
  EXPECT_EQ(floors.issuers().size(), 1U);
}

TEST(RevocationFloors, HaveALimitOfIssuersAndRoomForEveryone) {
  RevocationFloors floors;
  std::vector<UserId> superseded;
  for (std::size_t i = 0; i < kIssuerFloorsMax; ++i) {
    ASSERT_TRUE(floors.raise({UserId("issuer" + std::to_string(i)), at(5)}, superseded));
  }
  EXPECT_FALSE(floors.raise({kAnna, at(5)}, superseded));
  EXPECT_FALSE(floors.revokes(at(4), TokenKind::issued, kAnna));
  EXPECT_TRUE(floors.raise({UserId("issuer7"), at(6)}, superseded));
  EXPECT_TRUE(floors.raise({{}, at(5)}, superseded));
  EXPECT_THAT(floors.issuers(), testing::SizeIs(1));
}

TEST(RevocationFloors, AreForgottenUnlessTheyHaveBeenRaisedSince) {
  RevocationFloors floors = with({{kAnna, at(5)}, {kBert, at(5)}, {{}, at(2)}});
  const RevocationFloors removed = floors;
  std::vector<UserId> superseded;
  ASSERT_TRUE(floors.raise({kBert, at(6)}, superseded));
  std::vector<UserId> forgotten;
  for (const RevocationFloor& floor : floors.forget(removed)) forgotten.push_back(floor.issuer);
  EXPECT_THAT(forgotten, ElementsAre(UserId{}, kAnna));
  EXPECT_EQ(floors.floor_of(kBert), at(6));
  EXPECT_TRUE(floors.everyone().empty());
  EXPECT_THAT(floors.forget(removed), IsEmpty());
  static_cast<void>(floors.forget(floors));
  EXPECT_TRUE(floors.empty());
}

TEST(RevocationFloorRecord, ComesBackAsItWas) {
  for (const RevocationFloor& floor : {RevocationFloor{{}, at(5, 7)}, RevocationFloor{kAnna, at(6)},
                                       RevocationFloor{UserId("everyone"), at(6)}}) {
    const auto decoded = decode_floor(floor_key(floor.issuer), encode_floor(floor.below));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->issuer, floor.issuer);
    EXPECT_EQ(decoded->below, floor.below);
  }
}

TEST(RevocationFloorRecord, OfAnotherKeyLengthOrVersionIsNone) {
  const std::string value = encode_floor(at(5));
  EXPECT_FALSE(decode_floor("somebody", value));
  EXPECT_FALSE(decode_floor("issuer/", value));
  EXPECT_FALSE(decode_floor("issuer/" + std::string(32, 'x'), value));
  for (std::size_t length = 0; length < value.size(); ++length) {
    EXPECT_FALSE(decode_floor("everyone", std::string_view(value).substr(0, length))) << length;
  }
  EXPECT_FALSE(decode_floor("everyone", value + '\0'));
  EXPECT_FALSE(decode_floor("everyone", '\2' + value.substr(1)));
  EXPECT_FALSE(decode_floor("everyone", encode_floor({})));
}

}  // namespace
}  // namespace tokend::store
