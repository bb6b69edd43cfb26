#pragma once
// The configuration file: TOML, flat, its keys those of the table of settings. The only place that
// knows toml++.

#include <string>
#include <vector>

#include "core/error.h"
#include "tools/tokend/settings.h"

namespace tokend::tools {

// One place for each row of the table; a value without texts is not in the file. A source is
// "FILE:LINE". Unknown keys, values of another type and keys without a value are errors.
[[nodiscard]] core::Result<std::vector<Value>> read_config_file(const std::string& path);

}  // namespace tokend::tools
