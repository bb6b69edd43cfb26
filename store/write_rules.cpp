#include "store/write_rules.h"

#include <algorithm>

#include "store/meta.h"

namespace tokend::store {
namespace {

using core::Errc;

std::unexpected<Errc> failed(Errc code) noexcept { return std::unexpected(code); }

}  // namespace

WriteRules::WriteRules(Database& database, const Identity& identity, RandomBytes& random,
                       std::span<RandomBytes* const> issuers_random,
                       const WriteRulesOptions& options)
    : database_(database),
      random_(random),
      options_(options),
      locators_(identity.shard, identity.created_ms),
      state_(database, options.settings) {
  CHECK(!issuers_random.empty());
  for (RandomBytes* const its_random : issuers_random) {
    issuers_.push_back(std::make_unique<TokenIssuer>(state_, identity.token_key, identity.shard,
                                                     *its_random, options.index));
  }
}

void WriteRules::begin_batch(Batch& batch, std::uint64_t number, std::int64_t now_ms) noexcept {
  batch_ = &batch;
  state_.overlay.begin(batch, number);
  now_ms_ = now_ms;
  locator_before_ = locators_.last();
  for (const auto& issuer : issuers_) issuer->begin_batch(now_ms, locators_, tokens_);
}

void WriteRules::expect(const core::Message* next) const noexcept {
  if (issuers_.size() == 1) issuers_.front()->expect(next);
}

bool WriteRules::write(Write& operation, Broadcast& broadcast) {
  bool waits = true;
  tokens_revoked_ = 0;
  switch (operation.kind) {
    case WriteKind::issue_token: {
      auto& issued = static_cast<IssueToken&>(operation);
      const std::size_t removed = broadcast.removed_tokens.size();
      operation.result = issued.keyed ? issue_keyed(issued, broadcast)
                                      : issuer_of(issued.user).issue(issued, broadcast);
      // Only if it displaced an older token.
      waits = broadcast.removed_tokens.size() > removed;
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

WriteRules::Outcome WriteRules::revoke(RevokeToken& operation, Broadcast& broadcast) {
  if (operation.token_kind == TokenKind::personal) {
    const Outcome removed = remove_personal_token(operation.user, operation.locator);
    if (!removed) return removed;
  } else {
    issuer_of(operation.user).index().remove(operation.user, operation.locator);
    if (load_) load_->note_removed(operation.locator);
  }
  remove_token(operation.locator, broadcast);
  return {};
}

void WriteRules::remove_token(const Locator& locator, Broadcast& broadcast) {
  ++tokens_revoked_;
  tokens_.remove(locator);
  broadcast.removed_tokens.push_back(locator);
}

std::expected<bool, Errc> WriteRules::exists(Family family, std::string_view key) {
  const auto found = state_.overlay.get(family, key, value_);
  if (!found) return failed(found.error().code);
  return *found == Found::yes;
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
  issuer_of(operation.user).index().list(operation.user, now_ms_, operation.tokens);
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
    state_.permissions[change.permission] = {change.roles, now_ms_};
    value_.clear();
    encode(state_.permissions[change.permission], value_);
    batch_->put(Family::permissions, id_of(change.permission), value_);
  }
  broadcast.permissions_changed = true;
  broadcast.permissions = state_.permissions;
  return {};
}

std::size_t WriteRules::batch_bytes() const noexcept {
  return batch_->bytes() + tokens_.bytes() + part_bytes();
}

std::size_t WriteRules::indexed_tokens() const noexcept {
  std::size_t sum = 0;
  for (const auto& issuer : issuers_) sum += issuer->index().tokens();
  return sum;
}

std::size_t WriteRules::indexed_users() const noexcept {
  std::size_t sum = 0;
  for (const auto& issuer : issuers_) sum += issuer->index().users();
  return sum;
}

void WriteRules::finish_batch() {
  const std::size_t issued = tokens_.issued();
  tokens_.write(*batch_);
  if (!keyed_.empty()) write_parts();
  // A batch that changes nothing stays one, whatever shards have issued.
  const Locator last = locators_.last();
  const bool changes = batch_->count() > 0 || last != locator_before_;
  if (changes && last != committed_locator_) {
    // The key of the newest token would say the same, if it could not be revoked and the clock be
    // set back after that.
    batch_->put(Family::meta, kMetaLastLocator, view_of(last));
    committed_locator_ = last;
  }
  if (users_ != committed_users_) {
    batch_->put(Family::meta, kMetaUsers, encode_u64(users_));
    committed_users_ = users_;
  }
  issuers_[swept_++ % issuers_.size()]->sweep(issued);
}

}  // namespace tokend::store
