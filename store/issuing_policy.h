#pragma once
// What bounds whoever issues tokens, beside the permission to do so: a policy for each role. An
// issuer is bound by the policies of all of its roles at once, so a role more never loosens what
// another one forbids; roles without a policy, and so every role by default, forbid nothing.
//
// Operation: the bounds on targets and lifetimes are checked by the committer, against the target's
// record as the batch so far leaves it, so that no change of roles or policies can slip between the
// check and the write. The rate is counted where the request comes in (http/api).
//
// Concurrency: values. The committer's are the truth; every core has a copy of its own.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/permission.h"
#include "store/setting.h"

namespace tokend::store {

inline constexpr std::int64_t kPolicyLifetimeMsMax = kTokenLifetimeMsMax;
// What the counter of a window can hold (http/api/rate_limit.cpp) is more.
inline constexpr std::uint32_t kPolicyTokensMax = 1'000'000;
inline constexpr std::int64_t kPolicyWindowMsMax = kRateLimiterWindowMsMax;

// The policy of one role. A default one forbids nothing.
struct IssuingPolicy {
  // A target must have a role, and none but these. Empty set: nobody. None: anybody.
  std::optional<RoleSet> target_roles = std::nullopt;
  // No target that is an admin, or could make itself one (TokenIssuer::leads_to_admin).
  bool exclude_admins = false;
  std::int64_t lifetime_ms_max = 0;  // 0: none
  // So many tokens in a window, for each issuer; both 0: any number.
  std::uint32_t tokens_max = 0;
  std::int64_t window_ms = 0;

  std::int64_t updated_ms = 0;  // not part of what it forbids

  [[nodiscard]] bool is_rated() const noexcept { return tokens_max > 0; }
  [[nodiscard]] bool forbids_anything() const noexcept {
    return target_roles || exclude_admins || lifetime_ms_max > 0 || is_rated();
  }
};

[[nodiscard]] bool is_valid(const IssuingPolicy& policy) noexcept;

// What several policies forbid together, the rates excepted.
struct IssuingBounds {
  std::optional<RoleSet> target_roles = std::nullopt;
  bool exclude_admins = false;
  std::int64_t lifetime_ms_max = 0;  // 0: none

  [[nodiscard]] bool covers(RoleSet target) const noexcept {
    return !target_roles || (!target.empty() && (target.bits() & ~target_roles->bits()) == 0);
  }
};

class IssuingPolicies {
 public:
  [[nodiscard]] const IssuingPolicy& operator[](Role role) const noexcept {
    return policies_[static_cast<std::size_t>(role)];
  }
  // `policy` is valid.
  void set(Role role, const IssuingPolicy& policy) noexcept;

  // Whether any policy forbids anything to a holder of `roles`: a load and an AND.
  [[nodiscard]] bool bind(RoleSet roles) const noexcept { return bound_.intersects(roles); }
  [[nodiscard]] bool limit_rate_of(RoleSet roles) const noexcept {
    return rated_.intersects(roles);
  }
  [[nodiscard]] IssuingBounds bounds_of(RoleSet roles) const noexcept;

 private:
  std::array<IssuingPolicy, kRoleCount> policies_{};
  RoleSet bound_;  // the roles whose policies forbid anything
  RoleSet rated_;
};

// Which bound an issue broke; the last one is no policy's: what the issuer showed was revoked
// meanwhile (store/revocation_floors.h).
enum class BrokenBound : std::uint8_t { none, target_roles, admins, lifetime, shown_token };

// Policies are stored in the family of the permissions, under a key that is no permission's id.
inline constexpr std::string_view kPolicyKeyPrefix = "policy/";
[[nodiscard]] std::string policy_key(Role role);
// Empty for a key of another kind.
[[nodiscard]] std::optional<Role> role_of_policy_key(std::string_view key) noexcept;

// The value at rest; ARCHITECTURE.md specifies the bytes.
void encode(const IssuingPolicy& policy, std::string& out);
// Empty for bytes that are no valid policy.
[[nodiscard]] std::optional<IssuingPolicy> decode_policy(std::string_view bytes) noexcept;

}  // namespace tokend::store
