#include "tools/tokend/config_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace tokend::tools {
namespace {

std::string place_of(const std::string& path, const toml::source_region& region) {
  return path + ":" + std::to_string(region.begin.line);
}

std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* toggle = node.as_boolean()) return toggle->get() ? "true" : "false";
  return std::nullopt;
}

// Empty when the node has a type that no setting has.
std::vector<std::string> texts_of(const Setting& setting, const toml::node& node) {
  std::vector<std::string> texts;
  if (const auto* array = node.as_array(); array && setting.kind == Kind::list) {
    for (const toml::node& item : *array) {
      const auto* text = item.as_string();
      if (!text) return {};
      texts.push_back(text->get());
    }
  } else if (auto text = text_of(node)) {
    texts.push_back(std::move(*text));
  }
  return texts;
}

core::Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) {
    return core::fail(core::Errc::invalid, path + ": " + std::strerror(errno));
  }
  return text;
}

}  // namespace

core::Result<std::vector<Value>> read_config_file(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return std::unexpected(text.error());
  const toml::parse_result parsed = toml::parse(std::string_view(*text), std::string_view(path));
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return core::fail(core::Errc::invalid,
                      place_of(path, error.source()) + ": " + std::string(error.description()));
  }
  std::vector<Value> values(settings().size());
  for (const auto& [key, node] : parsed.table()) {
    const std::string name(key.str());
    std::string place = place_of(path, key.source());
    const auto setting = std::ranges::find(settings(), name, key_of);
    if (setting == settings().end()) {
      return core::fail(core::Errc::invalid, place + ": unknown key '" + name + "'");
    }
    Value& value = values[static_cast<std::size_t>(setting - settings().begin())];
    value.texts = texts_of(*setting, node);
    if (value.texts.empty()) {
      return core::fail(core::Errc::invalid, place + ": " + name + " must be " +
                                                 (setting->kind == Kind::list
                                                      ? "an array of strings, not empty"
                                                      : "a string, a whole number or a boolean"));
    }
    value.source = std::move(place);
  }
  return values;
}

}  // namespace tokend::tools
