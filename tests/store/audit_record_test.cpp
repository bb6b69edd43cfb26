// Records of the audit at rest, and the pile that a core puts aside.

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "store/audit.h"
#include "store/audit_pile.h"

namespace tokend::store {
namespace {

constexpr std::array<std::uint8_t, 16> kIpv4 = {0, 0, 0,    0,    0,  0, 0, 0,
                                                0, 0, 0xff, 0xff, 10, 0, 0, 9};
constexpr std::array<std::uint8_t, 16> kIpv6 = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
                                                0,    0,    0,    0,    0, 0, 0, 1};

TEST(AuditRecord, ComesBackAsItWas) {
  AuditRecord full;
  full.event = AuditEvent::tokens_revoke;
  full.reason = AuditReason::no_permission;
  full.origin = {UserId("actor"), kIpv4};
  full.target = UserId("target");
  full.token = Locator::make(1, 2, 3);
  full.count = 77;
  full.details = audit_details("details");
  AuditRecord far = full;
  far.origin.address = kIpv6;
  for (const AuditRecord& record : {full, far, AuditRecord{}}) {
    std::string bytes;
    encode(record, bytes);
    const auto decoded = decode_audit_record(bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->event, record.event);
    EXPECT_EQ(decoded->reason, record.reason);
    EXPECT_EQ(decoded->origin.actor, record.origin.actor);
    EXPECT_EQ(decoded->origin.address, record.origin.address);
    EXPECT_EQ(decoded->target, record.target);
    EXPECT_EQ(decoded->token, record.token);
    EXPECT_EQ(decoded->count, record.count);
    EXPECT_EQ(decoded->details, record.details);
    for (std::size_t end = 0; end < bytes.size(); ++end) {
      EXPECT_FALSE(decode_audit_record(std::string_view(bytes).substr(0, end)));
    }
    EXPECT_FALSE(decode_audit_record(bytes + "x"));
    bytes[0] = 2;
    EXPECT_FALSE(decode_audit_record(bytes)) << "an unknown version";
  }
  EXPECT_FALSE(decode_audit_record(std::string("\1\x7f\0\0", 4))) << "an unknown event";
  EXPECT_FALSE(decode_audit_record(std::string("\1\0\x7f\0", 4))) << "an unknown reason";
}

TEST(AuditRecord, OfATokenIsItsRecordWithoutTheDigest) {
  TokenRecord token;
  token.digest.fill(0xdd);
  token.user = UserId("user");
  token.issuer = UserId("issuer");
  token.kind = TokenKind::personal;
  token.expires_ms = 1234;
  token.address = kIpv6;
  token.name = "name";
  std::string bytes, issuance;
  encode(token, bytes);
  append_issuance(bytes, issuance);
  EXPECT_EQ(issuance.find(std::string(4, '\xdd')), std::string::npos);
  const Locator at = Locator::make(5, 6, 7);
  const auto record = decode_issuance(at, issuance);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->event, AuditEvent::personal_token_issue);
  EXPECT_EQ(record->origin.actor, token.issuer);
  EXPECT_EQ(record->origin.address, kIpv6);
  EXPECT_EQ(record->target, token.user);
  EXPECT_EQ(record->token, at);
  EXPECT_EQ(record->details.view(), "name");
  EXPECT_EQ(record->expires_ms, 1234);
  EXPECT_FALSE(decode_issuance(at, "junk"));
}

TEST(AuditRecord, DetailsEndWithAWholeCharacter) {
  const std::string text = std::string(kAuditDetailsBytesMax - 1, 'a') + "\xc3\xa4";
  EXPECT_EQ(audit_details(text).view(), std::string(kAuditDetailsBytesMax - 1, 'a'));
  EXPECT_EQ(audit_details("short").view(), "short");
}

TEST(AuditNames, AreDifferentAndLeadBack) {
  std::set<std::string_view> ids;
  for (std::size_t i = 0; i < kAuditEventCount; ++i) {
    const auto event = static_cast<AuditEvent>(i);
    EXPECT_EQ(audit_event_of(id_of(event)), event);
    ids.insert(id_of(event));
  }
  EXPECT_EQ(ids.size(), kAuditEventCount);
  EXPECT_FALSE(audit_event_of("nothing"));
}

TEST(AuditPile, CountsByEventWhatIsTooMuch) {
  AuditPile pile = AuditPile::with_room();
  EXPECT_TRUE(pile.empty());
  AuditRecord record;
  for (std::size_t i = 0; i < AuditPile::kRecordsMax + 5; ++i) {
    record.event = i % 2 ? AuditEvent::login : AuditEvent::token_issue;
    pile.add(record);
  }
  EXPECT_EQ(pile.records().size(), AuditPile::kRecordsMax);
  EXPECT_EQ(pile.dropped(AuditEvent::login), 2U);
  EXPECT_EQ(pile.dropped(AuditEvent::token_issue), 3U);
  EXPECT_EQ(pile.dropped(AuditEvent::call), 0U);
  pile.clear();
  EXPECT_TRUE(pile.empty());
  EXPECT_EQ(pile.dropped(AuditEvent::login), 0U);
}

TEST(AuditPile, EqualRefusalsAreOneWithTheirNumber) {
  AuditPile pile = AuditPile::with_room();
  AuditRecord flood;
  flood.event = AuditEvent::login;
  flood.reason = AuditReason::rate_limit;
  AuditRecord other = flood;
  other.reason = AuditReason::password_wrong;
  other.origin.address[15] = 7;
  for (std::size_t i = 0; i < 4 * AuditPile::kRecordsMax; ++i) {
    pile.add(flood);
    if (i % AuditPile::kRecordsMax == 9) pile.add(other);
  }
  ASSERT_EQ(pile.records().size(), 2U);
  EXPECT_EQ(pile.records()[0].count, 4 * AuditPile::kRecordsMax);
  EXPECT_EQ(pile.records()[1].reason, AuditReason::password_wrong);
  EXPECT_EQ(pile.records()[1].count, 4U);
  EXPECT_EQ(pile.dropped(AuditEvent::login), 0U);
}

}  // namespace
}  // namespace tokend::store
