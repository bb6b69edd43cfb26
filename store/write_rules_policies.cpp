// The policies' part of store/write_rules.h: how what bounds issuers is changed.

#include "store/meta.h"
#include "store/write_rules.h"

namespace tokend::store {
using core::Errc;

core::Result<void> WriteRules::load_policies() {
  for (std::size_t i = 0; i < kRoleCount; ++i) {
    const auto role = static_cast<Role>(i);
    const auto found = database_.get(Family::permissions, policy_key(role), Reach::disk, value_);
    if (!found) return std::unexpected(found.error());
    if (*found != Found::yes) continue;
    const auto policy = decode_policy(value_);
    if (!policy) return core::fail(Errc::corrupt, "an issuing policy's record does not decode");
    state_.policies.set(role, *policy);
  }
  return {};
}

WriteRules::Outcome WriteRules::update(UpdatePolicies& operation, Broadcast& broadcast) {
  for (const UpdatePolicies::Change& change : operation.changes) {
    if (change.role >= Role::count_ || !is_valid(change.policy)) {
      return std::unexpected(Errc::invalid);
    }
  }
  for (UpdatePolicies::Change& change : operation.changes) {
    change.policy.updated_ms = now_ms_;
    state_.policies.set(change.role, change.policy);
    value_.clear();
    encode(change.policy, value_);
    batch_->put(Family::permissions, policy_key(change.role), value_);
  }
  broadcast.policies_changed = true;
  broadcast.policies = state_.policies;
  return {};
}

}  // namespace tokend::store
