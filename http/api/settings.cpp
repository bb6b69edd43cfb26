// GET and POST settings/:_id: the settings of store/setting.h, with the original's units: the
// lifetime of tokens is in days there.

#include <charconv>

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/router.h"

namespace tokend::api {
namespace {

constexpr std::int64_t kMillisecondsPerDay = 24LL * 3600 * 1000;

// What one of the numbers on the wire stands for.
std::int64_t unit_of(store::SettingKey key) noexcept {
  return key == store::SettingKey::token_lifetime ? kMillisecondsPerDay : 1;
}

// Only an operator's flag can give a lifetime that is not of whole days.
void write_number(JsonWriter& json, std::int64_t value, std::int64_t unit) {
  if (value % unit == 0) {
    json.number(value / unit);
    return;
  }
  char digits[32];
  const double units = static_cast<double>(value) / static_cast<double>(unit);
  const char* end = std::to_chars(digits, digits + sizeof(digits), units).ptr;
  json.raw(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

class ReadSetting final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    if (!allows(store::Permission::view_privileged_setting)) return forbid();
    const auto key = store::setting_of(http::last_segment_of(request().path()));
    if (!key) return answer(kSettingNotFound);
    const store::SettingValue value = get(context().settings, *key);
    JsonWriter json = writer();
    json.begin_object().key("_id").text(id_of(*key)).key("value");
    if (const auto* flag = std::get_if<bool>(&value)) json.boolean(*flag);
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      write_number(json, *number, unit_of(*key));
    }
    if (const auto* text = std::get_if<std::string>(&value)) json.text(*text);
    json.key("success").boolean(true).end_object();
    succeed(json);
  }
};

class ChangeSetting final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    if (!allows(store::Permission::edit_privileged_setting)) return forbid();
    const auto key = store::setting_of(http::last_segment_of(request().path()));
    if (!key) return answer(kSettingNotFound);
    update_.key = *key;
    update_.origin = origin();
    if (!read_value(body)) return refuse_value();
    update_.then<&ChangeSetting::on_updated>(*this);
    store().write(update_);
  }
  void on_updated() noexcept {
    if (update_.result) {
      log_change(id_of(update_.key));
      return answer(kSuccess);
    }
    switch (update_.result.error()) {
      case core::Errc::invalid: return refuse_value();
      case core::Errc::refused:
        return refuse("Editing settings is not allowed: the server was started with ",
                      id_of(update_.key), "", "error-action-not-allowed");
      default: return fail(update_.result.error());
    }
  }

  // False when there is no value of the key's type that is within its bounds.
  [[nodiscard]] bool read_value(const Body& body) noexcept {
    const store::SettingValue now = get(context().settings, update_.key);
    if (std::holds_alternative<bool>(now)) {
      const auto flag = body.boolean("value");
      if (flag) update_.value = *flag;
      return flag.has_value();
    }
    if (std::holds_alternative<std::int64_t>(now)) {
      const auto number = body.integer("value");
      const std::int64_t unit = unit_of(update_.key);
      if (!number || *number < 0 || *number > store::bounds_of(update_.key).greatest / unit)
        return false;
      update_.value = *number * unit;
      return is_valid(update_.key, update_.value);
    }
    const auto text = body.text("value");
    if (!text || !is_origin_list(*text)) return false;
    update_.value = std::string(*text);
    return is_valid(update_.key, update_.value);
  }
  void refuse_value() noexcept {
    const store::SettingValue now = get(context().settings, update_.key);
    std::string after(" ");
    after += kOriginListWanted;
    if (std::holds_alternative<bool>(now)) after = " must be true or false";
    if (std::holds_alternative<std::int64_t>(now)) {
      after = " must be a whole number from 1 to " +
              std::to_string(store::bounds_of(update_.key).greatest / unit_of(update_.key));
    }
    refuse("The value of ", id_of(update_.key), after, "error-invalid-setting-value");
  }

  store::UpdateSetting update_;
};

}  // namespace

void settings(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  if (exchange.request().method() == http::Method::post) {
    return serve<ChangeSetting>(context, exchange, route);
  }
  serve<ReadSetting>(context, exchange, route);
}

}  // namespace tokend::api
