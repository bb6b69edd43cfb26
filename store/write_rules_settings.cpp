// The settings' part of store/write_rules.h.

#include "store/meta.h"
#include "store/write_rules.h"

namespace tokend::store {

using core::Errc;

core::Result<void> WriteRules::load_settings() {
  for (std::size_t i = 0; i < kSettingCount; ++i) {
    const auto key = static_cast<SettingKey>(i);
    const auto found = database_.get(Family::settings, id_of(key), Reach::disk, value_);
    if (!found) return std::unexpected(found.error());
    if (*found != Found::yes) continue;
    const auto value = decode_setting(value_);
    if (!value || !is_valid(key, *value)) {
      return core::fail(Errc::corrupt, "a setting's record does not decode");
    }
    if (!options_.given_settings.test(i)) set(state_.settings, key, *value);
  }
  return {};
}

WriteRules::Outcome WriteRules::update(const UpdateSetting& operation, Broadcast& broadcast) {
  if (operation.key >= SettingKey::count_ || !is_valid(operation.key, operation.value)) {
    return std::unexpected(Errc::invalid);
  }
  if (options_.given_settings.test(static_cast<std::size_t>(operation.key))) {
    return std::unexpected(Errc::refused);
  }
  set(state_.settings, operation.key, operation.value);
  value_.clear();
  encode(operation.value, value_);
  batch_->put(Family::settings, id_of(operation.key), value_);
  broadcast.settings_changed = true;
  broadcast.settings = state_.settings;
  return {};
}

}  // namespace tokend::store
