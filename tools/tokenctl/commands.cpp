#include "tools/tokenctl/commands.h"

#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

#include "core/clock.h"
#include "http/api/audit_json.h"
#include "http/api/text.h"
#include "store/audit_reader.h"
#include "store/password.h"
#include "tools/tokenctl/check.h"

namespace tokend::tools {
namespace {

using core::Errc;
using core::fail;
using core::Result;

constexpr std::size_t kUsersPerPage = 100;
constexpr std::size_t kAuditRecordsPerPage = 1000;

Result<void> outcome_of(const store::Operation& operation, std::string_view refused) {
  if (operation.result) return {};
  const Errc code = operation.result.error();
  return fail(code, std::string(code == Errc::refused ? refused : core::name_of(code)));
}

// By id, else by username.
Result<store::User> find(OfflineStore& store, const std::string& user) {
  for (const auto key : {store::UserKey::id, store::UserKey::username}) {
    store::FindUser operation;
    operation.key = key;
    operation.value = user;
    std::optional<store::User> found;
    store.run(operation, found);
    if (found) return *std::move(found);
    const Errc code = operation.result.error();
    if (code != Errc::not_found) return fail(code, std::string(core::name_of(code)));
  }
  return fail(Errc::not_found, "there is no user '" + user + "'");
}

Result<store::Role> role_named(const std::string& name) {
  if (const auto role = store::role_of(name)) return *role;
  std::string known;
  for (std::size_t role = 0; role < store::kRoleCount; ++role) {
    known += ' ';
    known += store::id_of(static_cast<store::Role>(role));
  }
  return fail(Errc::invalid, "there is no role '" + name + "'; the roles are" + known);
}

std::string text_of(store::RoleSet roles) {
  std::string text;
  append_ids(roles, text);
  return text;
}

std::string time_text(std::int64_t wall_ms) {
  return std::string(api::view_of(api::iso_time(wall_ms)));
}

// A misspelt name must not pass for the id of somebody who was deleted.
Result<store::UserId> issuer_of(OfflineStore& store, const TokensToRevoke& tokens) {
  const std::string& text = tokens.issuer ? *tokens.issuer : *tokens.issuer_id;
  if (text.empty()) return fail(Errc::invalid, "an empty text names no issuer");
  const auto user = find(store, text);
  if (tokens.issuer) {
    if (user) return user->id;
    if (user.error().code != Errc::not_found) return std::unexpected(user.error());
    return fail(Errc::not_found,
                user.error().message + "; one who was deleted is named by --issuer-id");
  }
  if (user && user->id.view() != text) {
    return fail(Errc::invalid,
                "'" + text + "' is a username, whose id is " + std::string(user->id.view()));
  }
  if (!user && user.error().code != Errc::not_found) return std::unexpected(user.error());
  if (!store::UserId::fits(text)) return fail(Errc::invalid, "'" + text + "' is no user's id");
  return store::UserId(text);
}

Result<std::string> hash(OfflineStore& store, const std::string& password) {
  store::HashPassword operation;
  operation.sha256_hex = store::sha256_hex(password);
  store.run(operation);
  if (auto outcome = outcome_of(operation, ""); !outcome) return std::unexpected(outcome.error());
  return std::move(operation.password_hash);
}

// Names what may differ from what the operator typed: the user that was meant.
void say(std::string_view what, const store::User& user) {
  std::printf("%.*s: %s (%.*s)\n", static_cast<int>(what.size()), what.data(),
              user.username.c_str(), static_cast<int>(user.id.size()), user.id.view().data());
}

template <class Change>
Result<void> update(OfflineStore& store, const std::string& user, std::string_view done,
                    Change change) {
  const auto found = find(store, user);
  if (!found) return std::unexpected(found.error());
  store::UpdateUser operation;
  operation.id = found->id;
  change(operation);
  store.run(operation);
  if (auto outcome = outcome_of(operation, "the last active admin must stay one"); !outcome) {
    return outcome;
  }
  say(done, operation.user);
  return {};
}

}  // namespace

Result<void> create_user(OfflineStore& store, const NewUser& user) {
  store::CreateUser operation;
  operation.user.username = user.username;
  operation.user.name = user.name.empty() ? user.username : user.name;
  if (!user.email.empty()) operation.user.emails.push_back({user.email, true});
  for (const std::string& name : user.roles) {
    const auto role = role_named(name);
    if (!role) return std::unexpected(role.error());
    operation.user.roles.add(*role);
  }
  if (!user.password.empty()) {
    auto hashed = hash(store, user.password);
    if (!hashed) return std::unexpected(hashed.error());
    operation.user.password_hash = std::move(*hashed);
  }
  store.run(operation);
  if (!operation.result) {
    const Errc code = operation.result.error();
    if (operation.conflict == store::UserConflict::username) {
      return fail(code, "the username is in use");
    }
    if (operation.conflict == store::UserConflict::email) {
      return fail(code, "the e-mail address is in use");
    }
    if (code == Errc::invalid) {
      return fail(code, "the username, the name or the e-mail address is not allowed");
    }
    return outcome_of(operation, "refused");
  }
  say("created", operation.user);
  return {};
}

Result<void> list_users(OfflineStore& store) {
  std::size_t offset = 0;
  for (;;) {
    store::ListUsers operation;
    operation.offset = offset;
    operation.count = kUsersPerPage;
    store.run(operation);
    if (auto outcome = outcome_of(operation, ""); !outcome) return outcome;
    for (const store::User& user : operation.users) {
      std::printf("%-17.*s  %-8s  %-24s  %s\n", static_cast<int>(user.id.size()),
                  user.id.view().data(), user.active ? "active" : "inactive", user.username.c_str(),
                  text_of(user.roles).c_str());
    }
    offset += operation.users.size();
    if (operation.users.empty() || offset >= operation.total) return {};
  }
}

Result<void> show_user(OfflineStore& store, const std::string& user) {
  const auto found = find(store, user);
  if (!found) return std::unexpected(found.error());
  std::printf("id:        %.*s\n", static_cast<int>(found->id.size()), found->id.view().data());
  std::printf("username:  %s\n", found->username.c_str());
  std::printf("name:      %s\n", found->name.c_str());
  for (const store::Email& email : found->emails) {
    std::printf("email:     %s%s\n", email.address.c_str(), email.verified ? "" : " (unverified)");
  }
  std::printf("roles:     %s\n", text_of(found->roles).c_str());
  std::printf("active:    %s\n", found->active ? "yes" : "no");
  std::printf("password:  %s\n", found->password_hash.empty() ? "none" : "set");
  std::printf("created:   %s\n", time_text(found->created_ms).c_str());
  std::printf("updated:   %s\n", time_text(found->updated_ms).c_str());
  return {};
}

Result<void> set_active(OfflineStore& store, const std::string& user, bool active) {
  return update(store, user, active ? "activated" : "deactivated",
                [&](store::UpdateUser& operation) { operation.active = active; });
}

Result<void> set_password(OfflineStore& store, const std::string& user,
                          const std::string& password) {
  auto hashed = hash(store, password);
  if (!hashed) return std::unexpected(hashed.error());
  return update(store, user, "password set, tokens revoked", [&](store::UpdateUser& operation) {
    operation.password_hash = std::move(*hashed);
    operation.revoke_tokens = true;
  });
}

Result<void> add_role(OfflineStore& store, const std::string& user, const std::string& role) {
  const auto named = role_named(role);
  if (!named) return std::unexpected(named.error());
  return update(store, user, "role added",
                [&](store::UpdateUser& operation) { operation.add_roles.add(*named); });
}

Result<void> remove_role(OfflineStore& store, const std::string& user, const std::string& role) {
  const auto named = role_named(role);
  if (!named) return std::unexpected(named.error());
  return update(store, user, "role removed",
                [&](store::UpdateUser& operation) { operation.remove_roles.add(*named); });
}

Result<void> revoke_tokens(OfflineStore& store, const std::string& user) {
  return update(store, user, "tokens revoked",
                [](store::UpdateUser& operation) { operation.revoke_tokens = true; });
}

Result<void> revoke(OfflineStore& store, const TokensToRevoke& tokens) {
  store::RevokeTokens operation;
  if (!tokens.issuer && !tokens.issuer_id && !tokens.before) {
    return fail(Errc::invalid, "name an issuer, a time, or both");
  }
  if (tokens.issuer && tokens.issuer_id) return fail(Errc::invalid, "name one issuer");
  std::string whose = "everybody's tokens";
  if (tokens.issuer || tokens.issuer_id) {
    auto issuer = issuer_of(store, tokens);
    if (!issuer) return std::unexpected(std::move(issuer).error());
    operation.issuer = *issuer;
    whose = "the tokens issued by " + std::string(issuer->view());
  }
  if (tokens.before) {
    operation.before_ms = api::parse_iso_time(*tokens.before);
    if (!operation.before_ms || *operation.before_ms > store.latest_bound_ms()) {
      return fail(Errc::invalid, "'" + *tokens.before +
                                     "' is no moment that has passed, as in 2026-01-31T23:59:59Z");
    }
    whose += " before " + time_text(*operation.before_ms);
  }
  store.run(operation);
  if (auto outcome = outcome_of(operation, ""); !outcome) return outcome;
  std::printf("revoked: %s\n", whose.c_str());
  return {};
}

Result<void> show_audit(OfflineStore& store, const AuditWords& words) {
  store::AuditQuery query;
  query.count = kAuditRecordsPerPage;
  if (!words.event.empty()) {
    query.event = store::audit_event_of(words.event);
    if (!query.event) {
      std::string known;
      for (std::size_t event = 0; event < store::kAuditEventCount; ++event) {
        known += ' ';
        known += store::id_of(static_cast<store::AuditEvent>(event));
      }
      return fail(Errc::invalid, "there is no event '" + words.event + "'; the events are" + known);
    }
  }
  for (const auto& [text, user] :
       {std::pair(&words.actor, &query.actor), std::pair(&words.target, &query.target)}) {
    if (!store::UserId::fits(*text)) return fail(Errc::invalid, "'" + *text + "' is no id");
    *user = store::UserId(*text);
  }
  for (const auto& [text, wall_ms] :
       {std::pair(&words.since, &query.since_ms), std::pair(&words.until, &query.until_ms)}) {
    if (text->empty()) continue;
    const auto moment = api::parse_time_ms(*text);
    if (!moment) {
      return fail(Errc::invalid, "'" + *text + "' is no time such as 2026-01-31T23:59:59Z");
    }
    *wall_ms = *moment;
  }
  std::string line;
  for (std::size_t shown = 0;;) {
    store::AuditPage page;
    if (auto read = read_audit(store.database(), query, page); !read) return read;
    for (const store::AuditPage::Entry& entry : page.entries) {
      api::JsonWriter json(line);
      write_audit_record(json, entry, store.id_of(entry.record.token));
      line += '\n';
      std::fwrite(line.data(), 1, line.size(), stdout);
      if (++shown == words.count) return {};
    }
    if (page.next.empty()) return {};
    query.before = page.next;
  }
}

Result<void> check(OfflineStore& store) {
  const auto report = check_store(store.database(), core::SystemClock().wall_ms());
  if (!report) return std::unexpected(report.error());
  for (const std::string& fault : report->faults) std::printf("%s\n", fault.c_str());
  std::printf("%llu users, %llu of them active\n", static_cast<unsigned long long>(report->users),
              static_cast<unsigned long long>(report->active_users));
  std::printf("%llu token records, %llu of them expired; %zu dated tokens are live\n",
              static_cast<unsigned long long>(report->tokens),
              static_cast<unsigned long long>(report->expired_tokens), store.live_tokens());
  std::printf("%llu faults\n", static_cast<unsigned long long>(report->fault_count));
  if (report->fault_count != 0) return fail(Errc::corrupt, "the store has faults");
  return {};
}

}  // namespace tokend::tools
