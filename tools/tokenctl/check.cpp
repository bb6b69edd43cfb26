#include "tools/tokenctl/check.h"

#include <string_view>
#include <utility>

#include "store/audit.h"
#include "store/idempotency.h"
#include "store/issuing_policy.h"
#include "store/meta.h"
#include "store/permission.h"
#include "store/personal_token.h"
#include "store/revocation_floors.h"
#include "store/setting.h"
#include "store/token.h"
#include "store/user.h"

namespace tokend::tools {
namespace {

using core::Result;
using store::Family;

// Keys are bytes; faults are for people.
std::string printable(std::string_view key) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char letter : key) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte > 0x20 && byte < 0x7f) {
      text += letter;
    } else {
      text += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return text;
}

class Check {
 public:
  Check(const store::Database& database, std::int64_t now_ms)
      : database_(database),
        now_ms_(now_ms) {}

  Result<CheckReport> run() {
    for (const auto family :
         {Family::tokens, Family::users, Family::usernames, Family::emails, Family::members,
          Family::permissions, Family::personal_tokens, Family::settings, Family::revocations,
          Family::idempotency, Family::audit, Family::issuances}) {
      core::Result<void> read;
      const auto scanned =
          database_.scan(family, {}, [&](std::string_view key, std::string_view value) {
            read = look_at(family, key, value);
            return read.has_value();
          });
      if (!scanned) return std::unexpected(scanned.error());
      if (!read) return std::unexpected(read.error());
    }
    std::string value;
    const auto found = database_.get(Family::meta, store::kMetaUsers, store::Reach::disk, value);
    if (!found) return std::unexpected(found.error());
    const auto counted = store::decode_u64(value);
    if (*found != store::Found::yes || counted != report_.users) {
      fault("meta", store::kMetaUsers, "is not the number of users");
    }
    return std::move(report_);
  }

 private:
  void fault(std::string_view family, std::string_view key, std::string_view what) {
    ++report_.fault_count;
    if (report_.faults.size() == CheckReport::kFaultsShownMax) return;
    report_.faults.push_back(std::string(family) + "/" + printable(key) + ": " + std::string(what));
  }

  Result<void> look_at(Family family, std::string_view key, std::string_view value) {
    switch (family) {
      case Family::tokens: look_at_token(key, value); return {};
      case Family::users: return look_at_user(key, value);
      case Family::usernames: return look_at_name("usernames", key, value);
      case Family::emails: return look_at_name("emails", key, value);
      case Family::members: return look_at_member(key);
      case Family::permissions: look_at_permission(key, value); return {};
      case Family::personal_tokens: return look_at_personal_tokens(key, value);
      case Family::settings: look_at_setting(key, value); return {};
      case Family::revocations:
        if (!store::decode_floor(key, value)) fault("revocations", key, "does not decode");
        return {};
      case Family::idempotency: look_at_keyed_part(key, value); return {};
      case Family::audit:
        if (!store::locator_from(key) || !store::decode_audit_record(value)) {
          fault("audit", key, "does not decode");
        }
        return {};
      case Family::issuances:
        if (!store::locator_from(key) || !store::decode_issuance_record(value)) {
          fault("issuances", key, "does not decode");
        }
        return {};
      case Family::meta:
      case Family::count_: return {};
    }
    return {};
  }

  void look_at_permission(std::string_view key, std::string_view value) {
    const bool decodes = store::role_of_policy_key(key)
                             ? store::decode_policy(value).has_value()
                             : store::permission_of(key) && store::decode_permission(value);
    if (!decodes) fault("permissions", key, "does not decode");
  }

  void look_at_setting(std::string_view key, std::string_view value) {
    const auto setting = store::setting_of(key);
    const auto decoded = store::decode_setting(value);
    if (!setting || !decoded || !store::is_valid(*setting, *decoded)) {
      fault("settings", key, "does not decode");
    }
  }

  void look_at_keyed_part(std::string_view key, std::string_view value) {
    if (key.size() != store::kPartKeyBytes || !store::decode_part(value)) {
      fault("idempotency", key, "does not decode");
    }
  }

  void look_at_token(std::string_view key, std::string_view value) {
    ++report_.tokens;
    const auto record = store::decode_token_record(value);
    if (!store::locator_from(key) || !record) {
      fault("tokens", key, "does not decode");
    } else if (record->expires_ms <= now_ms_) {
      ++report_.expired_tokens;
    }
  }

  Result<void> look_at_user(std::string_view key, std::string_view value) {
    ++report_.users;
    const auto user = store::decode_user(value);
    if (!user || user->id.view() != key) {
      fault("users", key, "does not decode");
      return {};
    }
    if (user->active) ++report_.active_users;
    if (auto read = expect_user(Family::usernames, store::fold(user->username), key); !read) {
      return read;
    }
    for (const store::Email& email : user->emails) {
      if (auto read = expect_user(Family::emails, store::fold(email.address), key); !read) {
        return read;
      }
    }
    return {};
  }

  // `name` must lead to the user.
  Result<void> expect_user(Family family, std::string_view name, std::string_view user) {
    std::string value;
    const auto found = database_.get(family, name, store::Reach::disk, value);
    if (!found) return std::unexpected(found.error());
    if (*found != store::Found::yes || value != user) {
      fault("users", user, "is not found by one of its names");
    }
    return {};
  }

  // Empty when there is no such user or it does not decode, which was said where it stands.
  Result<std::optional<store::User>> user_of(std::string_view id) {
    std::string value;
    const auto found = database_.get(Family::users, id, store::Reach::disk, value);
    if (!found) return std::unexpected(found.error());
    if (*found != store::Found::yes) return std::nullopt;
    auto user = store::decode_user(value);
    if (!user) return std::nullopt;
    return std::move(*user);
  }

  Result<void> look_at_name(std::string_view family, std::string_view key, std::string_view value) {
    const auto user = user_of(value);
    if (!user) return std::unexpected(user.error());
    if (!*user) fault(family, key, "leads to no user");
    return {};
  }

  Result<void> look_at_member(std::string_view key) {
    const auto role = key.empty() ? store::kRoleCount : static_cast<unsigned char>(key.front());
    if (role >= store::kRoleCount) {
      fault("members", key, "names no role");
      return {};
    }
    const auto user = user_of(key.substr(1));
    if (!user) return std::unexpected(user.error());
    if (!*user || !(*user)->roles.has(static_cast<store::Role>(role))) {
      fault("members", key, "is a role that the user does not have");
    }
    return {};
  }

  Result<void> look_at_personal_tokens(std::string_view key, std::string_view value) {
    const auto user = user_of(key);
    if (!user) return std::unexpected(user.error());
    if (!*user) fault("personal_tokens", key, "belongs to no user");
    const auto tokens = store::decode_personal_tokens(value);
    if (!tokens) {
      fault("personal_tokens", key, "does not decode");
      return {};
    }
    for (const store::PersonalToken& token : *tokens) {
      std::string record;
      const auto found =
          database_.get(Family::tokens, store::view_of(token.locator), store::Reach::disk, record);
      if (!found) return std::unexpected(found.error());
      if (*found != store::Found::yes) fault("personal_tokens", key, "names a token that is gone");
    }
    return {};
  }

  const store::Database& database_;
  const std::int64_t now_ms_;
  CheckReport report_;
};

}  // namespace

core::Result<CheckReport> check_store(const store::Database& database, std::int64_t now_ms) {
  return Check(database, now_ms).run();
}

}  // namespace tokend::tools
