#include "store/token_issuer.h"

#include <array>

#include "store/idempotency.h"

namespace tokend::store {
namespace {

using core::Errc;
using UserState = TokenIndex::UserState;

std::unexpected<Errc> failed(Errc code) noexcept { return std::unexpected(code); }

std::int64_t sum_at_most_never(std::int64_t now_ms, std::int64_t lifetime_ms) noexcept {
  return lifetime_ms > kNeverExpires - now_ms ? kNeverExpires : now_ms + lifetime_ms;
}

// Whoever holds one of these can become an admin: by giving itself the role or the permissions, by
// setting an admin's password, or by lifting the policies.
constexpr Permission kLeadingToAdmin[] = {
    Permission::access_permissions,    Permission::assign_roles,
    Permission::assign_admin_role,     Permission::edit_other_user_password,
    Permission::edit_issuing_policies,
};

}  // namespace

TokenIssuer::TokenIssuer(const WriteState& state, const TokenKey& key, std::uint16_t node,
                         RandomBytes& random, const TokenIndex::Limits& limits)
    : state_(state),
      codec_(key),
      random_(random),
      index_(limits, node) {}

void TokenIssuer::begin_batch(std::int64_t now_ms, LocatorSource& locators,
                              TokenWrites& writes) noexcept {
  now_ms_ = now_ms;
  locators_ = &locators;
  writes_ = &writes;
}

void TokenIssuer::expect(const core::Message* next) const noexcept {
  for (std::size_t ahead = 1; next && ahead <= TokenIndex::kExpectedAhead; ++ahead) {
    const auto& write = static_cast<const Write&>(*next);
    if (write.kind == WriteKind::issue_token) {
      index_.expect(static_cast<const IssueToken&>(write).user, ahead);
    }
    next = next->next;
  }
}

TokenIssuer::Outcome TokenIssuer::may_be_issued(IssueToken& operation) {
  operation.broken_bound = BrokenBound::none;
  if (state_.revoked_everybodys && !operation.checks_floor && !operation.locator.empty() &&
      operation.locator < *state_.revoked_everybodys) {
    operation.broken_bound = BrokenBound::shown_token;
    return failed(Errc::refused);
  }
  const UserId& user = operation.user;
  UserState state = index_.state_of(user);
  if (state == UserState::unknown) {
    const auto record = state_.read_user(user, scratch_);
    if (!record) return failed(record.error());
    if (!index_.learn(user, record->active ? UserState::open : UserState::closed))
      return failed(Errc::full);
    state = index_.state_of(user);
  }
  if (state == UserState::closed) return failed(Errc::refused);
  return {};
}

TokenIssuer::Outcome TokenIssuer::issue(IssueToken& operation, Broadcast& broadcast) {
  displaced_.clear();
  if (const Outcome allowed = may_be_issued(operation); !allowed) return allowed;
  CHECK(operation.token_kind != TokenKind::personal);
  if (operation.checks_floor) {
    const auto user = state_.read_user(operation.user, scratch_);
    if (!user) return failed(user.error());
    if (user->valid_from != operation.locator) return failed(Errc::not_found);
  }
  std::int64_t lifetime_ms =
      operation.lifetime_ms > 0 ? operation.lifetime_ms : state_.settings.token_lifetime_ms;
  if (state_.policies.bind(operation.issuer_roles)) [[unlikely]] {
    if (const Outcome kept = keep_bounds(operation, lifetime_ms); !kept) return kept;
  }
  operation.expires_ms = sum_at_most_never(now_ms_, lifetime_ms);
  operation.locator = locators_->next(now_ms_);
  if (!index_.add(operation.user, operation.locator, operation.expires_ms, now_ms_, displaced_)) {
    return failed(Errc::full);
  }
  mint(operation);
  // The dropped ones leave the database in the same batch and every cache before the answer.
  for (const Locator& locator : displaced_) {
    writes_->remove(locator);
    broadcast.removed_tokens.push_back(locator);
  }
  return {};
}

// A token for an issuer without this bound is a way to an admin's in two steps.
bool TokenIssuer::leads_to_admin(RoleSet roles) const noexcept {
  if (roles.has(Role::admin)) return true;
  for (const Permission permission : kLeadingToAdmin) {
    if (state_.permissions.allows(roles, permission)) return true;
  }
  return state_.permissions.allows(roles, Permission::user_generate_access_token) &&
         !state_.policies.bounds_of(roles).exclude_admins;
}

// An issuer is no stranger to itself: of its own tokens only the lifetime is bounded.
TokenIssuer::Outcome TokenIssuer::keep_bounds(IssueToken& operation, std::int64_t& lifetime_ms) {
  const IssuingBounds bounds = state_.policies.bounds_of(operation.issuer_roles);
  if (operation.user != operation.issuer && (bounds.target_roles || bounds.exclude_admins)) {
    const auto target = state_.read_user(operation.user, scratch_);
    if (!target) return std::unexpected(target.error());
    if (!bounds.covers(target->roles)) {
      operation.broken_bound = BrokenBound::target_roles;
      return std::unexpected(Errc::refused);
    }
    if (bounds.exclude_admins && leads_to_admin(target->roles)) {
      operation.broken_bound = BrokenBound::admins;
      return std::unexpected(Errc::refused);
    }
  }
  if (bounds.lifetime_ms_max > 0 && lifetime_ms > bounds.lifetime_ms_max) {
    if (operation.lifetime_ms > 0) {
      operation.broken_bound = BrokenBound::lifetime;
      operation.lifetime_ms = bounds.lifetime_ms_max;
      return std::unexpected(Errc::refused);
    }
    lifetime_ms = bounds.lifetime_ms_max;
  }
  return {};
}

void TokenIssuer::mint(IssueToken& operation) {
  std::array<std::uint8_t, 20> random;
  if (operation.keyed) [[unlikely]] {
    random = token_bytes_of(*operation.keyed, operation.keyed->part.next_item, operation.locator);
  } else {
    random_.fill(random);
  }
  codec_.encode(operation.locator, random, operation.token);
  operation.digest = digest_of(view_of(operation.token));
  writes_->issue(operation);
}

}  // namespace tokend::store
