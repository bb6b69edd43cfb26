#pragma once
// The table of settings: one row for each thing that can be set. A row's name gives its flag
// (--token-lifetime), its variable (TOKEND_TOKEN_LIFETIME) and its key in the file
// (token_lifetime). Immutable; any thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.h"
#include "store/setting.h"
#include "tools/tokend/config.h"

namespace tokend::tools {

enum class Kind : std::uint8_t { text, list, count, bytes, duration, toggle, cpus, choice };

using Target = std::variant<std::string*, std::vector<std::string>*, std::vector<int>*,
                            std::size_t*, std::int64_t*, bool*>;

// How the original's variable is read, where the original has one.
enum class Reading : std::uint8_t {
  same,           // as ours
  yes_or_true,    // exactly `yes` or `true` is true, all else is false, without an error
  milliseconds,   // a bare number
  days,           // a bare number
  port_of_listen  // changes the port of the default address and nothing else
};

struct Setting {
  std::string_view name;
  std::string_view group;
  Kind kind;
  std::string_view fallback;  // as it would be written in the environment; empty: none
  std::string_view help;
  Target (*target)(Config&);
  std::int64_t least = 0;
  std::int64_t greatest = INT64_MAX;
  std::string_view original = {};  // the original's variable; TOKEND_… wins over it
  Reading reading = Reading::same;
  std::string_view choices = {};  // of Kind::choice, with '|' between them
  bool secret = false;
  // What it is called where the API changes it, of the few that it can change.
  std::optional<store::SettingKey> stored = std::nullopt;
};

[[nodiscard]] std::span<const Setting> settings();

[[nodiscard]] std::string flag_of(const Setting& setting);
[[nodiscard]] std::string variable_of(const Setting& setting);
[[nodiscard]] std::string key_of(const Setting& setting);

// The source of a value that nobody gave.
inline constexpr std::string_view kDefaultSource = "default";

// A value as text, and where it came from. Only a list has more or fewer than one text.
struct Value {
  std::vector<std::string> texts;
  std::string source;
};

// The value in the original's variable, written as ours would be.
[[nodiscard]] core::Result<Value> translate_original(const Setting& setting, std::string_view text);
// Parses, checks the bounds and stores. The error says what would be right, not where it stood.
[[nodiscard]] core::Result<void> assign(const Setting& setting, const Value& value, Config& config);

[[nodiscard]] std::string help_text();
// The effective configuration as a file that can be read again. `values` in the table's order.
// Secrets are left out.
[[nodiscard]] std::string print_text(std::span<const Value> values);

}  // namespace tokend::tools
