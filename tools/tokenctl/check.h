#pragma once
// Reads every record of a store and says which do not decode or contradict each other. Changes
// nothing.

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "store/database.h"

namespace tokend::tools {

struct CheckReport {
  std::uint64_t tokens = 0;
  std::uint64_t expired_tokens = 0;  // of these, not yet removed
  std::uint64_t users = 0;
  std::uint64_t active_users = 0;
  // The first kFaultsShownMax of them, a line each.
  std::vector<std::string> faults;
  std::uint64_t fault_count = 0;

  static constexpr std::size_t kFaultsShownMax = 100;
};

// Fails only when the database can't be read.
[[nodiscard]] core::Result<CheckReport> check_store(const store::Database& database,
                                                    std::int64_t now_ms);

}  // namespace tokend::tools
