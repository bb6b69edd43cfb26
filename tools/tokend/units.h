#pragma once
// Quantities as people write them: "90d", "64KiB", "0-3,6". Pure functions; an error's message says
// what would have been right and quotes nothing, so that a secret typed in the wrong place does not
// reach a log.

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace tokend::tools {

// Decimal digits only.
[[nodiscard]] core::Result<std::int64_t> parse_count(std::string_view text);
// A whole number with B, KiB, MiB, GiB, or with nothing for bytes.
[[nodiscard]] core::Result<std::int64_t> parse_bytes(std::string_view text);
// A whole number with ms, s, m, h or d. Nothing is assumed: a bare number (but 0) is an error.
[[nodiscard]] core::Result<std::int64_t> parse_duration_ms(std::string_view text);
// true, yes, on, 1 or false, no, off, 0.
[[nodiscard]] core::Result<bool> parse_switch(std::string_view text);
// CPU numbers and ranges of them between commas; in the order given, none twice.
[[nodiscard]] core::Result<std::vector<int>> parse_cpus(std::string_view text);

inline constexpr int kCpuNumberMax = 4095;

}  // namespace tokend::tools
