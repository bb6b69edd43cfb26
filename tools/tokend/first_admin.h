#pragma once
// The first administrator of an empty store. Without ADMIN_PASS its password is a random one that
// lies in DATA/initial-admin-password, mode 0600, before the user exists: a crash in between leaves
// a password without a user, which the next start uses, and never a user without a password.
//
// Blocking; before threads serve.

#include <string>

#include "core/error.h"
#include "store/bootstrap.h"
#include "store/database.h"
#include "store/token.h"
#include "tools/tokend/config.h"

namespace tokend::tools {

struct AdminPlan {
  store::FirstAdmin admin;
  std::string password_file;  // where the password was written; empty when it was given
};

// Reads whether there is a user; writes the file when it is needed.
[[nodiscard]] core::Result<AdminPlan> plan_first_admin(const Config& config,
                                                       const store::Database& database,
                                                       store::RandomBytes& random);

// `content` on a line of its own in a new file of mode 0600, synced. Errc::exists: the file is
// there already, whatever it holds.
[[nodiscard]] core::Result<void> write_private_file(const std::string& path,
                                                    const std::string& content);

}  // namespace tokend::tools
