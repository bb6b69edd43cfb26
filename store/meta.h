#pragma once
// What the family `meta` and the small families hold: their keys and the bytes of their values.
//
//   meta/format         u32: kFormatVersion
//   meta/token_key      32 bytes
//   meta/created        i64: milliseconds since the epoch
//   meta/users          u64: how many users there are
//   meta/last_locator   12 bytes: no locator up to this one will be made again
//   meta/journal        u64 id of the journal, u64 checkpoint: the greatest sequence number up to
//                       which everything is in RocksDB's own files
//   usernames, emails   folded name -> user id
//   members             role (one byte) and user id -> nothing
//   permissions         permission id -> version byte 1, u64 roles, i64 updated
//   permissions         policy/<role id> -> an issuing policy (store/issuing_policy.cpp)
//   revocations         "everyone" or issuer/<user id> -> a floor (store/revocation_floors.h)
//   idempotency         a request's name and an item's number -> a part (store/idempotency.cpp)
//   audit               locator -> a record (store/audit.cpp)
//   issuances           locator -> what remains of a token's record (store/token.cpp)
//   settings            setting id -> version byte 1, type byte, value (store/setting.cpp)

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/bytes.h"
#include "store/journal.h"
#include "store/permission.h"
#include "store/token.h"

namespace tokend::store {

inline constexpr std::string_view kMetaFormat = "format";
inline constexpr std::string_view kMetaTokenKey = "token_key";
inline constexpr std::string_view kMetaCreated = "created";
inline constexpr std::string_view kMetaUsers = "users";
inline constexpr std::string_view kMetaLastLocator = "last_locator";
inline constexpr std::string_view kMetaJournal = "journal";

// Former versions are raised to this one when they are first opened.
inline constexpr std::uint32_t kFormatVersion = 3;
inline constexpr std::uint32_t kFormatVersionUnjournaled = 1;  // RocksDB's own log instead
inline constexpr std::uint32_t kFormatVersionWithoutTail =
    2;  // the journal holds RocksDB's batches

[[nodiscard]] inline std::string encode_format(std::uint32_t version) {
  std::string bytes;
  Writer(bytes).u32(version);
  return bytes;
}

[[nodiscard]] inline std::string encode_journal_mark(const JournalMark& mark) {
  std::string bytes;
  Writer writer(bytes);
  writer.u64(mark.id);
  writer.u64(mark.checkpoint);
  return bytes;
}

[[nodiscard]] inline std::optional<JournalMark> decode_journal_mark(
    std::string_view bytes) noexcept {
  Reader reader(bytes);
  JournalMark mark;
  mark.id = reader.u64();
  mark.checkpoint = reader.u64();
  return reader.complete() ? std::optional(mark) : std::nullopt;
}

[[nodiscard]] inline std::string_view view_of(const Locator& locator) noexcept {
  return {reinterpret_cast<const char*>(locator.bytes.data()), locator.bytes.size()};
}

[[nodiscard]] inline std::optional<Locator> locator_from(std::string_view bytes) noexcept {
  Locator locator;
  if (bytes.size() != locator.bytes.size()) return std::nullopt;
  std::memcpy(locator.bytes.data(), bytes.data(), bytes.size());
  return locator;
}

[[nodiscard]] inline std::string encode_u64(std::uint64_t value) {
  std::string bytes;
  Writer(bytes).u64(value);
  return bytes;
}

[[nodiscard]] inline std::optional<std::uint64_t> decode_u64(std::string_view bytes) noexcept {
  Reader reader(bytes);
  const std::uint64_t value = reader.u64();
  return reader.complete() ? std::optional(value) : std::nullopt;
}

[[nodiscard]] inline std::string member_key(Role role, const UserId& user) {
  std::string key(1, static_cast<char>(role));
  return key.append(user.view());
}

inline void encode(const PermissionTable::Entry& entry, std::string& out) {
  Writer writer(out);
  writer.u8(1);
  writer.u64(entry.roles.bits());
  writer.i64(entry.updated_ms);
}

[[nodiscard]] inline std::optional<PermissionTable::Entry> decode_permission(
    std::string_view bytes) noexcept {
  Reader reader(bytes);
  PermissionTable::Entry entry;
  const std::uint8_t version = reader.u8();
  entry.roles = RoleSet(reader.u64());
  entry.updated_ms = reader.i64();
  if (!reader.complete() || version != 1) return std::nullopt;
  return entry;
}

}  // namespace tokend::store
