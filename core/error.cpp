#include "core/error.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tokend::core {

std::string_view name_of(Errc code) noexcept {
  switch (code) {
    case Errc::invalid: return "invalid";
    case Errc::not_found: return "not found";
    case Errc::exists: return "exists";
    case Errc::refused: return "refused";
    case Errc::full: return "full";
    case Errc::unavailable: return "unavailable";
    case Errc::io: return "input/output error";
    case Errc::corrupt: return "corrupt";
  }
  return "unknown";
}

std::string with_errno(std::string_view what, int error) {
  return std::string(what).append(": ").append(std::strerror(error));
}

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, condition);
  std::abort();
}

}  // namespace tokend::core
