#include "tools/tokend/settings.h"

#include <algorithm>
#include <utility>

#include "tools/tokend/units.h"

namespace tokend::tools {
namespace {

core::Result<std::int64_t> parse_number(Kind kind, std::string_view text) {
  if (kind == Kind::bytes) return parse_bytes(text);
  if (kind == Kind::duration) return parse_duration_ms(text);
  return parse_count(text);
}

bool is_choice(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    const std::size_t bar = std::min(choices.find('|'), choices.size());
    if (choices.substr(0, bar) == text) return true;
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
  return false;
}

template <class Number>
core::Result<void> assign_number(const Setting& setting, std::string_view text, Number& out) {
  const auto number = parse_number(setting.kind, text);
  if (!number) return std::unexpected(number.error());
  // The bounds of a duration or a size are told in the least unit, which is always right.
  if (*number < setting.least || *number > setting.greatest) {
    const std::string_view unit = setting.kind == Kind::bytes      ? " bytes"
                                  : setting.kind == Kind::duration ? " ms"
                                                                   : "";
    return core::fail(core::Errc::invalid, "must be from " + std::to_string(setting.least) +
                                               " to " + std::to_string(setting.greatest) +
                                               std::string(unit));
  }
  out = static_cast<Number>(*number);
  return {};
}

template <class Out>
core::Result<void> store_parsed(core::Result<Out> parsed, Out& out) {
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  out = std::move(*parsed);
  return {};
}

}  // namespace

std::string flag_of(const Setting& setting) { return "--" + std::string(setting.name); }

std::string variable_of(const Setting& setting) {
  std::string variable = "TOKEND_";
  for (const char letter : setting.name) {
    variable += letter == '-' ? '_' : static_cast<char>(letter - (letter >= 'a' ? 'a' - 'A' : 0));
  }
  return variable;
}

std::string key_of(const Setting& setting) {
  std::string key(setting.name);
  std::ranges::replace(key, '-', '_');
  return key;
}

core::Result<Value> translate_original(const Setting& setting, std::string_view text) {
  std::string translated(text);
  switch (setting.reading) {
    case Reading::same: break;
    case Reading::yes_or_true:
      translated = text == "yes" || text == "true" ? "true" : "false";
      break;
    case Reading::milliseconds:
    case Reading::days: {
      const auto number = parse_count(text);
      if (!number) return std::unexpected(number.error());
      translated += setting.reading == Reading::days ? "d" : "ms";
      break;
    }
    case Reading::port_of_listen: {
      const auto port = parse_count(text);
      if (!port || *port > 65'535) return core::fail(core::Errc::invalid, "must be a port");
      const std::string_view fallback = setting.fallback;
      translated = std::string(fallback.substr(0, fallback.rfind(':') + 1)) + translated;
      break;
    }
  }
  return Value{{std::move(translated)}, std::string(setting.original)};
}

core::Result<void> assign(const Setting& setting, const Value& value, Config& config) {
  const Target target = setting.target(config);
  if (setting.kind == Kind::list) {
    if (value.texts.empty()) return core::fail(core::Errc::invalid, "must name at least one");
    *std::get<std::vector<std::string>*>(target) = value.texts;
    return {};
  }
  if (value.texts.size() != 1) return core::fail(core::Errc::invalid, "must be one value");
  const std::string& text = value.texts.front();
  switch (setting.kind) {
    case Kind::choice:
      if (!is_choice(setting.choices, text)) {
        return core::fail(core::Errc::invalid, "must be one of " + std::string(setting.choices));
      }
      [[fallthrough]];
    case Kind::text: *std::get<std::string*>(target) = text; return {};
    case Kind::toggle: return store_parsed(parse_switch(text), *std::get<bool*>(target));
    case Kind::cpus: return store_parsed(parse_cpus(text), *std::get<std::vector<int>*>(target));
    case Kind::count:
    case Kind::bytes:
    case Kind::duration:
    case Kind::list: break;
  }
  if (const auto* size = std::get_if<std::size_t*>(&target)) {
    return assign_number(setting, text, **size);
  }
  return assign_number(setting, text, *std::get<std::int64_t*>(target));
}

}  // namespace tokend::tools
