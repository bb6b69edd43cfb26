#pragma once
// What decides whether a token may be issued, as the batch under construction and those on their
// way to the disk leave it.
//
// Concurrency: changed by the committer only, and only while nobody else issues
// (store/issuing_shard.h); until then any issuer reads it.

#include <expected>
#include <optional>
#include <string>

#include "core/cache_line.h"
#include "core/error.h"
#include "store/database.h"
#include "store/issuing_policy.h"
#include "store/overlay.h"
#include "store/permission.h"
#include "store/setting.h"
#include "store/token.h"
#include "store/user.h"

namespace tokend::store {

struct alignas(core::kCacheLineBytes) WriteState {
  WriteState(const Database& database, const Settings& at_first)
      : overlay(database),
        settings(at_first) {}

  Overlay overlay;
  PermissionTable permissions;
  IssuingPolicies policies;
  Settings settings;
  // The highest floor of everyone so far. It does not end with the floor: what is on its way here
  // was admitted at some time before.
  std::optional<Locator> revoked_everybodys;

  // `scratch` is for its bytes. Reads the disk where it has to.
  [[nodiscard]] std::expected<User, core::Errc> read_user(const UserId& id,
                                                          std::string& scratch) const {
    const auto found = overlay.get(Family::users, id.view(), scratch);
    if (!found) return std::unexpected(found.error().code);
    if (*found != Found::yes) return std::unexpected(core::Errc::not_found);
    auto user = decode_user(scratch);
    if (!user) return std::unexpected(user.error().code);
    return *std::move(user);
  }
};

}  // namespace tokend::store
