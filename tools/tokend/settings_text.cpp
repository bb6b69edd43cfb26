// --help and --print-config: the table of settings as people read it.
#include <string>
#include <utility>

#include "tools/tokend/settings.h"
#include "tools/tokend/units.h"

namespace tokend::tools {
namespace {

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::text: return "TEXT";
    case Kind::list: return "ADDRESS";
    case Kind::count: return "N";
    case Kind::bytes: return "SIZE";
    case Kind::duration: return "DURATION";
    case Kind::toggle: return "true|false";
    case Kind::cpus: return "CPUS";
    case Kind::choice: return "";
  }
  return "";
}

std::string_view reading_note(Reading reading) {
  switch (reading) {
    case Reading::same: return "";
    case Reading::yes_or_true: return " (exactly yes or true)";
    case Reading::milliseconds: return " (in ms)";
    case Reading::days: return " (in days)";
    case Reading::port_of_listen: return " (changes the port of the default)";
  }
  return "";
}

void append_setting(const Setting& setting, std::string& out) {
  out += "  " + flag_of(setting);
  // A toggle may stand alone, so its value can't be a word of its own.
  out += setting.kind == Kind::toggle ? "[=" : " ";
  out += setting.kind == Kind::choice ? setting.choices : name_of(setting.kind);
  out += setting.kind == Kind::toggle ? "]\n" : "\n";
  out += "      " + std::string(setting.help) + "\n      ";
  if (!setting.fallback.empty()) {
    out += '[';
    out += setting.fallback;
    out += "] ";
  }
  out += variable_of(setting);
  if (!setting.original.empty()) {
    out += ", " + std::string(setting.original);
    out += reading_note(setting.reading);
  }
  if (setting.stored) out += " *";
  out += "\n";
}

// A TOML basic string.
std::string quote(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      quoted += {'\\', letter};
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += "\\u00";
      quoted += {kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      quoted += letter;
    }
  }
  quoted += '"';
  return quoted;
}

std::string to_toml(const Setting& setting, const Value& value) {
  if (setting.kind == Kind::list) {
    std::string list = "[";
    for (const std::string& text : value.texts) {
      if (list.size() > 1) list += ", ";
      list += quote(text);
    }
    list += ']';
    return list;
  }
  const std::string& text = value.texts.front();
  // Both parsed once already, so that the fallbacks are never taken.
  if (setting.kind == Kind::toggle) return parse_switch(text).value_or(false) ? "true" : "false";
  if (setting.kind == Kind::count) return std::to_string(parse_count(text).value_or(0));
  return quote(text);
}

}  // namespace

std::string help_text() {
  std::string out =
      "tokend: a durable token issuance server, compatible with users.createToken\n\n"
      "Usage: tokend [FLAG...]\n\n"
      "Each setting is a flag, a variable of the environment, and a key of the file named by\n"
      "--config: --token-lifetime, TOKEND_TOKEN_LIFETIME, token_lifetime. A flag wins over the\n"
      "environment, which wins over the file, which wins over the default, shown in [].\n"
      "An empty variable counts as not set. Lists have commas between their items.\n\n"
      "Those with a * can also be changed while the server runs, by POST settings/NAME with the\n"
      "last of their names: what is set so is stored with the data and wins over the default. A\n"
      "flag, a variable or the file wins over it, and a change is then refused.\n\n"
      "  --config FILE\n      The configuration file (TOML)\n      TOKEND_CONFIG\n"
      "  --print-config\n      Print the effective configuration as such a file, and exit\n"
      "  --version\n      Print the version, and exit\n"
      "  -h, --help\n      Print this, and exit\n";
  std::string_view group;
  for (const Setting& setting : settings()) {
    if (setting.group != group) {
      group = setting.group;
      out += "\n" + std::string(group) + "\n";
    }
    append_setting(setting, out);
  }
  return out;
}

std::string print_text(std::span<const Value> values) {
  std::string out;
  std::string_view group;
  for (std::size_t index = 0; index < values.size(); ++index) {
    const Setting& setting = settings()[index];
    const Value& value = values[index];
    if (setting.group != group) {
      out += group.empty() ? "# " : "\n# ";
      group = setting.group;
      out += std::string(group) + "\n";
    }
    const bool empty = value.texts.front().empty();
    // A secret is commented out so that the file can be read back without setting it to stars.
    if (setting.secret && !empty) {
      out += "# " + key_of(setting) + " = \"********\"";
    } else if (setting.stored && value.source == kDefaultSource) {
      // Read back, it would be given: what is stored would not hold, and could not be changed.
      out += "# " + key_of(setting) + " = " + to_toml(setting, value);
    } else {
      out += key_of(setting) + " = " + to_toml(setting, value);
    }
    out += "  # " + value.source + "\n";
  }
  return out;
}

}  // namespace tokend::tools
