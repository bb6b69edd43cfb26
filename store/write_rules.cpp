#include "store/write_rules.h"

#include <algorithm>
#include <limits>

#include "store/meta.h"

namespace tokend::store {
namespace {

using core::Errc;
using UserState = TokenIndex::UserState;

std::unexpected<Errc> failed(Errc code) noexcept { return std::unexpected(code); }

std::int64_t sum_at_most_never(std::int64_t now_ms, std::int64_t lifetime_ms) noexcept {
  return lifetime_ms > kNeverExpires - now_ms ? kNeverExpires : now_ms + lifetime_ms;
}

}  // namespace

WriteRules::WriteRules(Database& database, const Identity& identity, RandomBytes& random,
                       const WriteRulesOptions& options)
    : database_(database),
      random_(random),
      options_(options),
      codec_(identity.token_key),
      locators_(identity.shard, identity.created_ms),
      index_(options.index, identity.shard),
      settings_(options.settings),
      overlay_(database) {}

void WriteRules::begin_batch(Batch& batch, std::uint64_t number, std::int64_t now_ms) noexcept {
  batch_ = &batch;
  overlay_.begin(batch, number);
  now_ms_ = now_ms;
}

void WriteRules::expect(const core::Message* next) const noexcept {
  for (std::size_t ahead = 1; next && ahead <= TokenIndex::kExpectedAhead; ++ahead) {
    const auto& write = static_cast<const Write&>(*next);
    if (write.kind == WriteKind::issue_token) {
      index_.expect(static_cast<const IssueToken&>(write).user, ahead);
    }
    next = next->next;
  }
}

bool WriteRules::write(Write& operation, Broadcast& broadcast) {
  bool waits = true;
  tokens_revoked_ = 0;
  switch (operation.kind) {
    case WriteKind::issue_token: {
      auto& issued = static_cast<IssueToken&>(operation);
      operation.result = issued.keyed ? issue_keyed(issued, broadcast) : issue(issued, broadcast);
      // Only if it displaced an older token.
      waits = !dropped_.empty();
      break;
    }
    case WriteKind::issue_personal_token: {
      auto& issued = static_cast<IssuePersonalToken&>(operation);
      operation.result = issue_personal(issued, broadcast);
      // Only if it replaced an older token.
      waits = issued.regenerate;
      break;
    }
    case WriteKind::remove_personal_token:
      operation.result = remove(static_cast<RemovePersonalToken&>(operation), broadcast);
      break;
    case WriteKind::revoke_token:
      operation.result = revoke(static_cast<RevokeToken&>(operation), broadcast);
      break;
    case WriteKind::revoke_tokens:
      operation.result = revoke(static_cast<RevokeTokens&>(operation), broadcast);
      break;
    case WriteKind::remove_revoked: {
      auto& removal = static_cast<RemoveRevoked&>(operation);
      operation.result = remove(removal, broadcast);
      // No cache holds what is removed; that a floor is gone, cores must hear.
      waits = removal.swept != nullptr;
      break;
    }
    case WriteKind::create_user:
      operation.result = create(static_cast<CreateUser&>(operation));
      // No cache remembers that a user does not exist.
      waits = false;
      break;
    case WriteKind::update_user:
      operation.result = update(static_cast<UpdateUser&>(operation), broadcast);
      break;
    case WriteKind::delete_user:
      operation.result = erase(static_cast<DeleteUser&>(operation), broadcast);
      break;
    case WriteKind::update_permissions:
      operation.result = update(static_cast<UpdatePermissions&>(operation), broadcast);
      break;
    case WriteKind::update_policies:
      operation.result = update(static_cast<UpdatePolicies&>(operation), broadcast);
      break;
    case WriteKind::update_setting:
      operation.result = update(static_cast<const UpdateSetting&>(operation), broadcast);
      break;
    case WriteKind::record_audit:
      operation.result = {};
      waits = false;
      break;
    case WriteKind::collect_tokens:
      operation.result = collect(static_cast<CollectTokens&>(operation));
      waits = false;
      break;
    case WriteKind::index_tokens:
      operation.result = index(static_cast<IndexTokens&>(operation), broadcast);
      // Only if it displaced a token.
      waits = tokens_revoked_ > 0;
      break;
  }
  if (!issues(operation.kind) && options_.audit && operation.result) record(operation);
  return waits && operation.result.has_value();
}

WriteRules::Outcome WriteRules::may_be_issued(IssueToken& operation) {
  operation.broken_bound = BrokenBound::none;
  if (revoked_everybodys_ && !operation.checks_floor && !operation.locator.empty() &&
      operation.locator < *revoked_everybodys_) {
    operation.broken_bound = BrokenBound::shown_token;
    return failed(Errc::refused);
  }
  const UserId& user = operation.user;
  UserState state = index_.state_of(user);
  if (state == UserState::unknown) {
    const auto record = read_user(user);
    if (!record) return failed(record.error());
    if (!index_.learn(user, record->active ? UserState::open : UserState::closed))
      return failed(Errc::full);
    state = index_.state_of(user);
  }
  if (state == UserState::closed) return failed(Errc::refused);
  return {};
}

WriteRules::Outcome WriteRules::issue(IssueToken& operation, Broadcast& broadcast) {
  dropped_.clear();
  if (const Outcome allowed = may_be_issued(operation); !allowed) return allowed;
  CHECK(operation.token_kind != TokenKind::personal);
  if (operation.checks_floor) {
    const auto user = read_user(operation.user);
    if (!user) return failed(user.error());
    if (user->valid_from != operation.locator) return failed(Errc::not_found);
  }
  std::int64_t lifetime_ms =
      operation.lifetime_ms > 0 ? operation.lifetime_ms : settings_.token_lifetime_ms;
  if (policies_.bind(operation.issuer_roles)) [[unlikely]] {
    if (const Outcome kept = keep_bounds(operation, lifetime_ms); !kept) return kept;
  }
  operation.expires_ms = sum_at_most_never(now_ms_, lifetime_ms);
  operation.locator = locators_.next(now_ms_);
  if (!index_.add(operation.user, operation.locator, operation.expires_ms, now_ms_, dropped_)) {
    return failed(Errc::full);
  }
  mint(operation);
  // The dropped ones leave the database in the same batch and every cache before the answer.
  for (const Locator& locator : dropped_) remove_token(locator, broadcast);
  return {};
}

void WriteRules::mint(IssueToken& operation) {
  std::array<std::uint8_t, 20> random;
  if (operation.keyed) [[unlikely]] {
    random = token_bytes_of(*operation.keyed, operation.keyed->part.next_item, operation.locator);
  } else {
    random_.fill(random);
  }
  codec_.encode(operation.locator, random, operation.token);
  operation.digest = digest_of(view_of(operation.token));
  issued_.push_back(&operation);
}

WriteRules::Outcome WriteRules::revoke(RevokeToken& operation, Broadcast& broadcast) {
  if (operation.token_kind == TokenKind::personal) {
    const Outcome removed = remove_personal_token(operation.user, operation.locator);
    if (!removed) return removed;
  } else {
    index_.remove(operation.user, operation.locator);
    if (load_) load_->note_removed(operation.locator);
  }
  remove_token(operation.locator, broadcast);
  return {};
}

void WriteRules::remove_token(const Locator& locator, Broadcast& broadcast) {
  ++tokens_revoked_;
  removed_.push_back(locator);
  broadcast.removed_tokens.push_back(locator);
}

std::expected<bool, Errc> WriteRules::exists(Family family, std::string_view key) {
  const auto found = overlay_.get(family, key, value_);
  if (!found) return failed(found.error().code);
  return *found == Found::yes;
}

std::expected<User, Errc> WriteRules::read_user(const UserId& id) {
  const auto found = overlay_.get(Family::users, id.view(), value_);
  if (!found) return failed(found.error().code);
  if (*found != Found::yes) return failed(Errc::not_found);
  auto user = decode_user(value_);
  if (!user) return failed(user.error().code);
  return *std::move(user);
}

WriteRules::Outcome WriteRules::collect(CollectTokens& operation) {
  const auto known = exists(Family::users, operation.user.view());
  if (!known) return failed(known.error());
  if (!*known) return failed(Errc::not_found);
  if (load_) return failed(Errc::full);
  auto personal = read_personal_tokens(operation.user);
  if (!personal) return failed(personal.error());
  operation.personal_tokens = *std::move(personal);
  operation.tokens.clear();
  index_.list(operation.user, now_ms_, operation.tokens);
  for (const PersonalToken& token : operation.personal_tokens) {
    operation.tokens.push_back(token.locator);
  }
  std::ranges::sort(operation.tokens);
  return {};
}

WriteRules::Outcome WriteRules::update(UpdatePermissions& operation, Broadcast& broadcast) {
  for (const UpdatePermissions::Change& change : operation.changes) {
    if (change.permission >= Permission::count_ || (change.roles.bits() >> kRoleCount) != 0) {
      return failed(Errc::invalid);
    }
  }
  for (const UpdatePermissions::Change& change : operation.changes) {
    permissions_[change.permission] = {change.roles, now_ms_};
    value_.clear();
    encode(permissions_[change.permission], value_);
    batch_->put(Family::permissions, id_of(change.permission), value_);
  }
  broadcast.permissions_changed = true;
  broadcast.permissions = permissions_;
  return {};
}

// In the order of their keys, as the tail of the database takes them. A token that was displaced by
// its own batch is put and removed, because it was issued all the same: the audit is made of what
// is put.
void WriteRules::write_tokens() {
  for (const IssueToken* issued : issued_) put_token(*issued);
  for (const Locator& locator : removed_) batch_->remove(Family::tokens, view_of(locator));
  removed_.clear();
  issued_.clear();
}

void WriteRules::put_token(const IssueToken& issued) {
  record_.digest = issued.digest;
  record_.user = issued.user;
  record_.issuer = issued.issuer.empty() ? issued.user : issued.issuer;
  record_.kind = issued.token_kind;
  record_.expires_ms = issued.expires_ms;
  record_.address = issued.address;
  record_.name.clear();
  if (issued.kind == WriteKind::issue_personal_token) {
    record_.name = static_cast<const IssuePersonalToken&>(issued).name;
  }
  value_.clear();
  encode(record_, value_);
  batch_->put(Family::tokens, view_of(issued.locator), value_);
}

std::size_t WriteRules::batch_bytes() const noexcept {
  // A token's record is longest with two ids and a name; a removal is a key and a little more.
  constexpr std::size_t kIssuedBytesMax = 256 + kPersonalTokenNameBytesMax;
  constexpr std::size_t kRemovedBytes = 24;
  return batch_->bytes() + issued_.size() * kIssuedBytesMax + removed_.size() * kRemovedBytes +
         part_bytes();
}

void WriteRules::finish_batch() {
  const std::size_t issued = issued_.size();
  write_tokens();
  if (!keyed_.empty()) write_parts();
  if (const Locator last = locators_.last(); last != committed_locator_) {
    // The key of the newest token would say the same, if it could not be revoked and the clock be
    // set back after that.
    batch_->put(Family::meta, kMetaLastLocator, view_of(last));
    committed_locator_ = last;
  }
  if (users_ != committed_users_) {
    batch_->put(Family::meta, kMetaUsers, encode_u64(users_));
    committed_users_ = users_;
  }
  index_.sweep(now_ms_, TokenIndex::sweep_effort(issued));
}

}  // namespace tokend::store
