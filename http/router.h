#pragma once
// Exact-match look-up of a path among the routes fixed at start. Paths are case-sensitive and a
// trailing slash makes another path. Immutable after construction; any thread.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tokend::http {

class Router {
 public:
  static constexpr int kNotFound = -1;

  // The views must outlive the router; no path twice.
  explicit Router(std::span<const std::string_view> paths);

  // The index in `paths`, or kNotFound. One hash, and as a rule one comparison.
  [[nodiscard]] int find(std::string_view path) const noexcept;

 private:
  struct Slot {
    std::string_view path;
    int index = kNotFound;
  };
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
};

}  // namespace tokend::http
