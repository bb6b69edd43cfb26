#include <algorithm>

#include "store/store_impl.h"

namespace tokend::store {

void Store::Impl::finish(Operation& operation) noexcept {
  // A continuation may ask again and so displace the user that an outer one still looks at.
  ++continuations;
  operation.finish();
  if (--continuations == 0) users.release();
}

// Only what the committer says happens here, in the order in which it happened: tokens that were
// issued, then everything that was revoked. Tokens issued in this batch and displaced in it go in
// and out again. One that was displaced by a later batch comes in by this notice and out by that
// batch's, which is behind it in the same mailbox.
void Store::Impl::apply(Broadcast& broadcast) noexcept {
  for (const core::Message* message = broadcast.waiting(number); message; message = message->next) {
    const auto& write = static_cast<const Write&>(*message);
    // Of one that was refused the locator is not its own.
    if (!issues(write.kind) || !write.result) continue;
    remember(static_cast<const IssueToken&>(write));
  }
  for (const Locator& locator : broadcast.removed_tokens) {
    guard.invalidate(hash_of(locator));
    tokens.remove(locator);
  }
  for (const UserId& id : broadcast.changed_users) {
    guard.invalidate(hash_of(id));
    users.remove(id);
  }
  if (broadcast.permissions_changed) permissions = broadcast.permissions;
  if (broadcast.policies_changed) policies = broadcast.policies;
  if (broadcast.settings_changed) {
    settings = broadcast.settings;
    if (settings_watcher) settings_watcher->on_settings_changed();
  }
  users.release();
  // Floors that were raised are acknowledged by the sweep, maybe before this returns: afterwards
  // the broadcast is the committer's again.
  const bool sweeps = !broadcast.raised_floors.empty();
  if (broadcast.floors) take_over_floors(broadcast);
  if (!sweeps) broadcast.acknowledge();
}

std::int64_t Store::Impl::delay_after_failure_ms(std::int64_t last_ms, std::string_view what,
                                                 core::Errc why) const {
  const std::int64_t delay_ms = std::clamp(2 * last_ms, kFailureDelayMsMin, kFailureDelayMsMax);
  if (parts.log) {
    parts.log->write(core::Severity::warning, std::string(what)
                                                  .append(" (")
                                                  .append(core::name_of(why))
                                                  .append("), again in ")
                                                  .append(std::to_string(delay_ms))
                                                  .append(" ms"));
  }
  return delay_ms;
}

// A fill from the database's memory needs no guard: read and fill happen in one step of this core,
// so the notice of whatever is committed after the read is applied after the fill.

Got Store::Impl::get(Family family, std::string_view key, Operation& operation) noexcept {
  const auto found = parts.database.get(family, key, Reach::memory, value);
  if (!found) {
    operation.result = std::unexpected(found.error().code);
    return Got::failed;
  }
  return *found == Found::yes ? Got::yes : *found == Found::no ? Got::no : Got::unknown;
}

void Store::Impl::remember(const Locator& locator, const TokenRecord& record) noexcept {
  tokens.put(
      {record.digest, record.expires_ms, locator, record.user, record.kind, tag_of(record.issuer)});
}

void Store::Impl::remember(const IssueToken& issued) noexcept {
  tokens.put({issued.digest, issued.expires_ms, issued.locator, issued.user, issued.token_kind,
              tag_of(issued.issuer.empty() ? issued.user : issued.issuer)});
}

const TokenCache::Entry* Store::Impl::token(Authenticate& operation, bool counts,
                                            Got& got) noexcept {
  got = Got::yes;
  if (const TokenCache::Entry* entry = tokens.find(operation.locator)) {
    counters.token_hits += counts;
    return entry;
  }
  counters.token_misses += counts;
  got = get(Family::tokens, view_of(operation.locator), operation);
  if (got != Got::yes) return nullptr;
  const auto record = decode_token_record(value);
  if (!record) {
    operation.result = std::unexpected(record.error().code);
    got = Got::failed;
    return nullptr;
  }
  if (!guard.admits(*floors, operation.locator, *record)) {
    got = Got::no;
    return nullptr;
  }
  remember(operation.locator, *record);
  return tokens.find(operation.locator);
}

const User* Store::Impl::user(const UserId& id, Operation& operation, bool counts,
                              Got& got) noexcept {
  got = Got::yes;
  if (const User* cached = users.find(id)) {
    counters.user_hits += counts;
    return cached;
  }
  counters.user_misses += counts;
  got = get(Family::users, id.view(), operation);
  if (got != Got::yes) return nullptr;
  auto decoded = decode_user(value);
  if (!decoded) {
    operation.result = std::unexpected(decoded.error().code);
    got = Got::failed;
    return nullptr;
  }
  return &users.put(*std::move(decoded));
}

Store::Store(const StoreParts& parts, const StoreOptions& options)
    : impl_(std::make_unique<Impl>(parts, options)) {}
Store::~Store() = default;

void Store::authenticate(Authenticate& operation) noexcept { impl_->authenticate(operation); }
std::optional<TokenProof> Store::read_token(std::string_view text,
                                            std::string_view holder) noexcept {
  return impl_->read_token(text, holder);
}
void Store::find_user(FindUser& operation) noexcept { impl_->find_user(operation); }
void Store::resolve_usernames(ResolveUsernames& operation) noexcept {
  impl_->resolve_usernames(operation);
}
void Store::list_users(ListUsers& operation) noexcept {
  impl_->send_to_worker(impl_->parts.readers, operation);
}
void Store::list_personal_tokens(ListPersonalTokens& operation) noexcept {
  operation.floors = impl_->floors;
  impl_->send_to_worker(impl_->parts.readers, operation);
}

void Store::list_tokens(ListTokens& operation) noexcept { impl_->list_tokens(operation); }
void Store::find_token(FindToken& operation) noexcept { impl_->find_token(operation); }
void Store::name_request(const UserId& issuer, std::string_view key,
                         KeyedRequest& request) noexcept {
  impl_->idempotency_keys.name(issuer, key, request);
}
void Store::find_keyed(FindKeyed& operation) noexcept { impl_->find_keyed(operation); }
TokenText Store::token_of(const KeyedRequest& request, std::uint32_t item) noexcept {
  const Locator& locator = request.items[item].locator;
  TokenText text;
  impl_->codec.encode(locator, token_bytes_of(request, item, locator), text);
  return text;
}
void Store::list_audit(ListAudit& operation) noexcept { impl_->list_audit(operation); }
std::optional<Locator> Store::locator_of(std::string_view id) noexcept {
  return impl_->token_ids.decode(id);
}
TokenId Store::id_of(const Locator& token) noexcept { return impl_->token_ids.encode(token); }

void Store::Impl::on_written(core::Message& message) noexcept {
  auto& write = static_cast<Write&>(message);
  Impl& store = of(write);
  // Those that waited came in with the notice, and may be out again by now.
  if (issues(write.kind) && write.result && !write.waited) {
    // The table is large, and where a new token goes is in nobody's cache. The answers of a batch
    // come one behind the other, so what the next ones need is fetched while this one is served.
    if (const IssueToken* next = issue_behind(message)) {
      store.tokens.expect_next(next->locator);
      if (const IssueToken* soon = issue_behind(*next)) store.tokens.expect_soon(soon->locator);
    }
    store.remember(static_cast<const IssueToken&>(write));
  }
  store.finish(write);
}

const IssueToken* Store::Impl::issue_behind(const core::Message& message) noexcept {
  if (!message.next || message.next->deliver != &on_written) return nullptr;
  const auto& write = static_cast<const Write&>(*message.next);
  return issues(write.kind) ? &static_cast<const IssueToken&>(write) : nullptr;
}

void Store::Impl::write(Write& operation) noexcept {
  adopt(operation);
  operation.deliver = &on_written;
  core::Mailbox& committer = parts.committer.mailbox_for(operation);
  if (parts.outbox) {
    parts.outbox->put(committer, operation);
  } else {
    committer.post(operation);
  }
}

void Store::write(Write& operation) noexcept { impl_->write(operation); }

std::int64_t Store::latest_bound_ms() const noexcept {
  return std::max(impl_->parts.clock.wall_ms, impl_->parts.committer.last_issued_ms() + 1);
}

void Store::Impl::go_on_next_turn(NextTurn& operation) noexcept {
  adopt(operation);
  operation.result = {};
  operation.deliver = [](core::Message& message) noexcept {
    auto& due = static_cast<Operation&>(message);
    of(due).finish(due);
  };
  parts.home.post(operation);
}

void Store::go_on_next_turn(NextTurn& operation) noexcept { impl_->go_on_next_turn(operation); }

void Store::hash_password(HashPassword& operation) noexcept {
  impl_->send_to_worker(impl_->parts.hashers, operation);
}
void Store::verify_password(VerifyPassword& operation) noexcept {
  impl_->send_to_worker(impl_->parts.hashers, operation);
}

const PermissionTable& Store::permissions() const noexcept { return impl_->permissions; }
const IssuingPolicies& Store::policies() const noexcept { return impl_->policies; }
const Settings& Store::settings() const noexcept { return impl_->settings; }
void Store::watch_settings(SettingsWatcher& watcher) noexcept {
  CHECK(!impl_->settings_watcher);
  impl_->settings_watcher = &watcher;
}
bool Store::healthy() const noexcept { return impl_->parts.committer.healthy(); }
const Store::Counters& Store::counters() const noexcept { return impl_->counters; }

}  // namespace tokend::store
