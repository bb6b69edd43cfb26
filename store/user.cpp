#include "store/user.h"

#include "store/bytes.h"

// User, versions 1 and 2. Integers are little-endian; text8 and text16 as in the token's record.
// Version 2 is written only where dated tokens alone were revoked: all other records can still be
// read by programs that know version 1 only, and those refuse the rest rather than forget it.
//
//   offset  bytes  what
//        0      1  version: 1 or 2
//        1      1  0x01 active, 0x02 a change of the password is required
//        2      8  roles: a bit for each, numbered as store/permission.h lists them
//       10      8  created: milliseconds since the epoch
//       18      8  updated
//       26     12  valid_from: tokens with a lower locator are revoked
//       38     12  valid_exception: all zero, or the one locator that is not
//       50     12  version 2: dated_from: dated tokens with a lower locator are revoked
//       62     12  version 2: dated_exception: all zero, or the one locator that is not
//  50 or 74         id: text8; username: text16; display name: text16; password's hash: text16
//                  number of e-mail addresses: one byte; for each: one byte, 0x01 verified, and
//                  the address as text16

namespace tokend::store {
namespace {

constexpr std::uint8_t kRecordVersion = 1;
constexpr std::uint8_t kRecordVersionDated = 2;
constexpr std::uint8_t kActive = 0x01;
constexpr std::uint8_t kRequirePasswordChange = 0x02;
constexpr std::uint8_t kVerified = 0x01;

}  // namespace

void encode(const User& user, std::string& out) {
  CHECK(user.emails.size() <= kEmailsMax);
  Writer writer(out);
  const bool dated = !user.dated_from.empty();
  writer.u8(dated ? kRecordVersionDated : kRecordVersion);
  writer.u8(static_cast<std::uint8_t>(
      (user.active ? kActive : 0U) | (user.require_password_change ? kRequirePasswordChange : 0U)));
  writer.u64(user.roles.bits());
  writer.i64(user.created_ms);
  writer.i64(user.updated_ms);
  writer.bytes(user.valid_from.bytes);
  writer.bytes(user.valid_exception.bytes);
  if (dated) {
    writer.bytes(user.dated_from.bytes);
    writer.bytes(user.dated_exception.bytes);
  }
  writer.text8(user.id.view());
  writer.text16(user.username);
  writer.text16(user.name);
  writer.text16(user.password_hash);
  writer.u8(static_cast<std::uint8_t>(user.emails.size()));
  for (const Email& email : user.emails) {
    writer.u8(email.verified ? kVerified : 0);
    writer.text16(email.address);
  }
}

core::Result<User> decode_user(std::string_view bytes) {
  Reader reader(bytes);
  User user;
  const std::uint8_t version = reader.u8();
  const std::uint8_t flags = reader.u8();
  user.active = flags & kActive;
  user.require_password_change = flags & kRequirePasswordChange;
  user.roles = RoleSet(reader.u64());
  user.created_ms = reader.i64();
  user.updated_ms = reader.i64();
  reader.bytes(user.valid_from.bytes);
  reader.bytes(user.valid_exception.bytes);
  if (version == kRecordVersionDated) {
    reader.bytes(user.dated_from.bytes);
    reader.bytes(user.dated_exception.bytes);
  }
  user.id = reader.fixed<UserId>();
  user.username = reader.text16();
  user.name = reader.text16();
  user.password_hash = reader.text16();
  const std::size_t emails = reader.u8();
  bool valid = (version == kRecordVersion || version == kRecordVersionDated) && !reader.failed() &&
               emails <= kEmailsMax;
  for (std::size_t i = 0; valid && i < emails; ++i) {
    Email& email = user.emails.emplace_back();
    email.verified = reader.u8() & kVerified;
    email.address = reader.text16();
    valid = !reader.failed();
  }
  if (!valid || !reader.complete() || user.id.empty()) {
    return core::fail(core::Errc::corrupt, "a user's record does not decode");
  }
  return user;
}

}  // namespace tokend::store
