#include "tools/tokend/units.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>

namespace tokend::tools {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// The number at the front of `text`, which is cut off; none when there is none or it is too great.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t number = 0;
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::optional<std::int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  const auto unit = std::ranges::find(units, text, &Unit::name);
  if (unit == units.end()) return std::nullopt;
  if (*number > std::numeric_limits<std::int64_t>::max() / unit->factor) return std::nullopt;
  return *number * unit->factor;
}

}  // namespace

core::Result<std::int64_t> parse_count(std::string_view text) {
  const auto number = take_number(text);
  if (!number || !text.empty()) return core::fail(core::Errc::invalid, "must be a whole number");
  return *number;
}

core::Result<std::int64_t> parse_bytes(std::string_view text) {
  static constexpr Unit kUnits[] = {
      {"", 1}, {"B", 1}, {"KiB", 1LL << 10}, {"MiB", 1LL << 20}, {"GiB", 1LL << 30}};
  const auto bytes = parse_with_unit(text, kUnits);
  if (!bytes) {
    return core::fail(core::Errc::invalid, "must be a size such as 65536, 64KiB, 8MiB or 1GiB");
  }
  return *bytes;
}

core::Result<std::int64_t> parse_duration_ms(std::string_view text) {
  static constexpr Unit kUnits[] = {
      {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  if (text == "0") return 0;
  const auto duration_ms = parse_with_unit(text, kUnits);
  if (!duration_ms) {
    return core::fail(core::Errc::invalid,
                      "must be a duration with its unit, such as 500ms, 30s, 10m, 12h or 90d");
  }
  return *duration_ms;
}

core::Result<bool> parse_switch(std::string_view text) {
  for (const std::string_view word : {"true", "yes", "on", "1"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"false", "no", "off", "0"}) {
    if (text == word) return false;
  }
  return core::fail(core::Errc::invalid, "must be true or false");
}

core::Result<std::vector<int>> parse_cpus(std::string_view text) {
  const auto wrong = [] {
    return core::fail(core::Errc::invalid,
                      "must be CPU numbers such as 0,2 or 0-3, none of them twice");
  };
  std::vector<int> cpus;
  while (!text.empty()) {
    const auto first = take_number(text);
    auto last = first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      last = take_number(text);
    }
    if (!first || !last || *last < *first || *last > kCpuNumberMax) return wrong();
    for (std::int64_t cpu = *first; cpu <= *last; ++cpu) {
      if (std::ranges::find(cpus, static_cast<int>(cpu)) != cpus.end()) return wrong();
      cpus.push_back(static_cast<int>(cpu));
    }
    if (text.empty()) break;
    if (!text.starts_with(',') || text.size() == 1) return wrong();
    text.remove_prefix(1);
  }
  return cpus;
}

}  // namespace tokend::tools
