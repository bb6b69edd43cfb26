#pragma once
// Where a core leaves a line for the operator. Never blocks and never allocates: what cannot be
// taken is dropped and counted. No secret and no token may ever be part of a line.

#include <cstdint>
#include <string_view>

namespace tokend::core {

enum class Severity : std::uint8_t { debug, info, warning, error };

class Log {
 public:
  // On the thread of the log's core. The line is copied; it is cut at the log's line limit.
  virtual void write(Severity severity, std::string_view line) noexcept = 0;

 protected:
  ~Log() = default;
};

}  // namespace tokend::core
