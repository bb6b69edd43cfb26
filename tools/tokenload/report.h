#pragma once
// A run's figures for people and for programs.

#include <string>

#include "core/error.h"
#include "tools/tokenload/options.h"
#include "tools/tokenload/result.h"

namespace tokend::load {

[[nodiscard]] std::string text_report(const Options& options, const RunResult& result);
[[nodiscard]] std::string json_report(const Options& options, const RunResult& result);
[[nodiscard]] int exit_code_of(const RunResult& result) noexcept;

// "-" is standard output.
[[nodiscard]] core::Result<void> write_file(const std::string& file, const std::string& content);

}  // namespace tokend::load
