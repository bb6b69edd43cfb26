#include "store/bootstrap.h"

#include <algorithm>
#include <memory>

#include "store/meta.h"
#include "store/password.h"
#include "store/user_writes.h"

namespace tokend::store {
namespace {

using core::Errc;
using core::fail;
using core::Result;

constexpr std::size_t kGeneratedPasswordCharacters = 24;

// Empty when there is no such key.
Result<std::string> read_meta(const Database& database, std::string_view key) {
  std::string value;
  const auto found = database.get(Family::meta, key, Reach::disk, value);
  if (!found) return std::unexpected(found.error());
  if (*found != Found::yes) value.clear();
  return value;
}

void put_identity(Batch& batch, const Identity& identity) {
  batch.put(Family::meta, kMetaFormat, encode_format(kFormatVersion));
  batch.put(Family::meta, kMetaTokenKey,
            {reinterpret_cast<const char*>(identity.token_key.data()), identity.token_key.size()});
  batch.put(Family::meta, kMetaCreated,
            encode_u64(static_cast<std::uint64_t>(identity.created_ms)));
  batch.put(Family::meta, kMetaUsers, encode_u64(0));
}

Result<Identity> read_identity(const Database& database, std::string_view format) {
  if (const auto known = check_format(format); !known) return std::unexpected(known.error());
  const auto key = read_meta(database, kMetaTokenKey);
  if (!key) return std::unexpected(key.error());
  const auto created = read_meta(database, kMetaCreated);
  if (!created) return std::unexpected(created.error());
  const auto created_ms = decode_u64(*created);
  if (key->size() != kTokenKeyBytes || !created_ms) {
    return fail(Errc::corrupt, "the store's token key or time of creation does not decode");
  }
  Identity identity;
  std::copy(key->begin(), key->end(), identity.token_key.begin());
  identity.created_ms = static_cast<std::int64_t>(*created_ms);
  return identity;
}

// 138 bits in characters that survive being copied by hand.
std::string make_password(RandomBytes& random) {
  std::string password;
  while (password.size() < kGeneratedPasswordCharacters) password += make_id(random).view();
  password.resize(kGeneratedPasswordCharacters);
  return password;
}

Result<User> make_admin(const FirstAdmin& admin, const std::string& password, std::int64_t now_ms,
                        RandomBytes& random, int bcrypt_cost) {
  User user;
  user.id = make_id(random);
  user.username = admin.username.empty() ? "admin" : admin.username;
  user.name = admin.name.empty() ? user.username : admin.name;
  if (!admin.email.empty()) user.emails.push_back({admin.email, true});
  user.roles = RoleSet{Role::admin, Role::user};
  user.created_ms = user.updated_ms = now_ms;
  std::string hex = sha256_hex(password);
  auto hash = hash_password(hex, bcrypt_cost);
  wipe(hex);
  if (!hash) return std::unexpected(hash.error());
  user.password_hash = *std::move(hash);
  if (!is_valid(user)) {
    return fail(Errc::invalid, "the first administrator's username, name or e-mail is not allowed");
  }
  return user;
}

}  // namespace

Result<void> check_format(std::string_view format) {
  Reader reader(format);
  const std::uint32_t version = reader.u32();
  if (!reader.complete()) return fail(Errc::corrupt, "the store's format version does not decode");
  if (version == kFormatVersion) return {};
  return fail(Errc::refused, "the store has format version " + std::to_string(version) +
                                 ", this program knows version " + std::to_string(kFormatVersion));
}

Result<Prepared> prepare_store(Database& database, const core::Clock& clock, RandomBytes& random,
                               const FirstAdmin& admin, int bcrypt_cost) {
  Prepared prepared;
  const auto batch = database.make_batch();
  const auto format = read_meta(database, kMetaFormat);
  if (!format) return std::unexpected(format.error());
  const auto token_key = read_meta(database, kMetaTokenKey);
  if (!token_key) return std::unexpected(token_key.error());
  const auto created = read_meta(database, kMetaCreated);
  if (!created) return std::unexpected(created.error());
  // The database may have noted the format before this did anything.
  const bool fresh = token_key->empty() && created->empty();
  if (fresh && !format->empty()) {
    if (const auto known = check_format(*format); !known) return std::unexpected(known.error());
  }
  if (fresh) {
    random.fill(prepared.identity.token_key);
    prepared.identity.created_ms = clock.wall_ms();
    put_identity(*batch, prepared.identity);
  } else {
    const auto identity = read_identity(database, *format);
    if (!identity) return std::unexpected(identity.error());
    prepared.identity = *identity;
  }
  const auto last_user = database.last_key(Family::users);
  if (!last_user) return std::unexpected(last_user.error());
  if (last_user->empty()) {
    if (admin.password.empty()) prepared.generated_password = make_password(random);
    const std::string& password =
        admin.password.empty() ? prepared.generated_password : admin.password;
    auto user = make_admin(admin, password, clock.wall_ms(), random, bcrypt_cost);
    if (!user) return std::unexpected(user.error());
    put_new_user(*batch, *user);
    batch->put(Family::meta, kMetaUsers, encode_u64(1));
    prepared.created_admin = *std::move(user);
  }
  // One commit: a first start that fails half-way leaves nothing behind.
  if (batch->count() > 0) {
    if (const auto committed = database.commit(*batch); !committed) {
      return std::unexpected(committed.error());
    }
  }
  return prepared;
}

}  // namespace tokend::store
