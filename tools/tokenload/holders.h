#pragma once
// Tokens in a file, with their holders, from one run to another: lines of "USERID TOKEN". Each lets
// whoever reads it in, so only the file's owner may.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "tools/tokenload/plan.h"

namespace tokend::load {

inline constexpr std::size_t kHoldersMax = 10'000'000;

[[nodiscard]] core::Result<std::vector<Credentials>> read_holders(const std::string& file);

class TokensFile {
 public:
  TokensFile() = default;
  ~TokensFile();
  TokensFile(const TokensFile&) = delete;
  TokensFile& operator=(const TokensFile&) = delete;

  // A new one: an error when it is there. Before the run, so that this error costs no run.
  [[nodiscard]] core::Result<void> create(const std::string& file);
  [[nodiscard]] core::Result<void> write(std::string_view lines);

 private:
  std::string name_;
  int descriptor_ = -1;
};

}  // namespace tokend::load
