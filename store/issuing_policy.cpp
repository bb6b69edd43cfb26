#include "store/issuing_policy.h"

#include <algorithm>

#include "core/error.h"
#include "store/bytes.h"

namespace tokend::store {
namespace {

constexpr std::uint8_t kRecordVersion = 1;
constexpr std::uint8_t kFlagTargetRoles = 0x01;
constexpr std::uint8_t kFlagExcludeAdmins = 0x02;
constexpr std::uint8_t kFlagsKnown = kFlagTargetRoles | kFlagExcludeAdmins;

}  // namespace

bool is_valid(const IssuingPolicy& policy) noexcept {
  if (policy.target_roles && (policy.target_roles->bits() >> kRoleCount) != 0) return false;
  if (policy.lifetime_ms_max < 0 || policy.lifetime_ms_max > kPolicyLifetimeMsMax) return false;
  // A rate has both of its parts or none.
  if (policy.tokens_max == 0) return policy.window_ms == 0;
  return policy.tokens_max <= kPolicyTokensMax && policy.window_ms >= 1 &&
         policy.window_ms <= kPolicyWindowMsMax;
}

void IssuingPolicies::set(Role role, const IssuingPolicy& policy) noexcept {
  CHECK(role < Role::count_ && is_valid(policy));
  policies_[static_cast<std::size_t>(role)] = policy;
  bound_.remove(role);
  rated_.remove(role);
  if (policy.forbids_anything()) bound_.add(role);
  if (policy.is_rated()) rated_.add(role);
}

IssuingBounds IssuingPolicies::bounds_of(RoleSet roles) const noexcept {
  IssuingBounds bounds;
  for (std::size_t i = 0; i < kRoleCount; ++i) {
    if (!roles.has(static_cast<Role>(i))) continue;
    const IssuingPolicy& policy = policies_[i];
    if (policy.target_roles) {
      bounds.target_roles = bounds.target_roles
                                ? RoleSet(bounds.target_roles->bits() & policy.target_roles->bits())
                                : *policy.target_roles;
    }
    bounds.exclude_admins = bounds.exclude_admins || policy.exclude_admins;
    if (policy.lifetime_ms_max > 0) {
      bounds.lifetime_ms_max = bounds.lifetime_ms_max > 0
                                   ? std::min(bounds.lifetime_ms_max, policy.lifetime_ms_max)
                                   : policy.lifetime_ms_max;
    }
  }
  return bounds;
}

std::string policy_key(Role role) { return std::string(kPolicyKeyPrefix).append(id_of(role)); }

std::optional<Role> role_of_policy_key(std::string_view key) noexcept {
  if (!key.starts_with(kPolicyKeyPrefix)) return std::nullopt;
  return role_of(key.substr(kPolicyKeyPrefix.size()));
}

void encode(const IssuingPolicy& policy, std::string& out) {
  Writer writer(out);
  writer.u8(kRecordVersion);
  writer.u8(static_cast<std::uint8_t>((policy.target_roles ? kFlagTargetRoles : 0) |
                                      (policy.exclude_admins ? kFlagExcludeAdmins : 0)));
  writer.u64(policy.target_roles.value_or(RoleSet{}).bits());
  writer.i64(policy.lifetime_ms_max);
  writer.u32(policy.tokens_max);
  writer.i64(policy.window_ms);
  writer.i64(policy.updated_ms);
}

std::optional<IssuingPolicy> decode_policy(std::string_view bytes) noexcept {
  Reader reader(bytes);
  const std::uint8_t version = reader.u8();
  const std::uint8_t flags = reader.u8();
  const RoleSet roles(reader.u64());
  IssuingPolicy policy;
  if (flags & kFlagTargetRoles) policy.target_roles = roles;
  policy.exclude_admins = flags & kFlagExcludeAdmins;
  policy.lifetime_ms_max = reader.i64();
  policy.tokens_max = reader.u32();
  policy.window_ms = reader.i64();
  policy.updated_ms = reader.i64();
  // A flag that is not known would be a bound that is not kept.
  if (!reader.complete() || version != kRecordVersion || (flags & ~kFlagsKnown) != 0 ||
      !is_valid(policy)) {
    return std::nullopt;
  }
  return policy;
}

}  // namespace tokend::store
