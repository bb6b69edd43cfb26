#pragma once
// Which user a request means: `userId` (an exact id), else `username`, else `user` (a username);
// the first that is not blank after trimming (contract 1.1). Numbers and booleans count as absent.

#include <optional>
#include <string_view>

#include "http/api/body.h"
#include "store/read_operation.h"

namespace tokend::api {

struct Target {
  store::UserKey key;
  std::string_view value;  // of the body: valid as long as that
};

[[nodiscard]] inline std::optional<Target> target_of(const Body& body) noexcept {
  if (const auto id = body.name("userId")) return Target{store::UserKey::id, *id};
  if (const auto name = body.name("username")) return Target{store::UserKey::username, *name};
  if (const auto user = body.name("user")) return Target{store::UserKey::username, *user};
  return std::nullopt;
}

}  // namespace tokend::api
