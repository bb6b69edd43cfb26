#pragma once
// Look-up of a path among the routes fixed at start: exact matches, and routes whose last segment
// is a parameter ("/api/v1/settings/:_id"), which match any text there that is not empty. An exact
// match comes first. Paths are case-sensitive, not decoded, and a trailing slash makes another
// path. Immutable after construction; any thread.

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

  // The index in `paths`, or kNotFound. One hash and as a rule one comparison; only a path that
  // matches none exactly is compared with the parameters' routes.
  [[nodiscard]] int find(std::string_view path) const noexcept;

 private:
  [[nodiscard]] int find_prefix_of(std::string_view path) const noexcept;

  struct Slot {
    std::string_view path;
    int index = kNotFound;
  };
  std::vector<Slot> slots_;     // open addressing, a power of two, at most half full
  std::vector<Slot> prefixes_;  // of routes with a parameter, up to it
};

// The last segment of a path: the parameter where the route has one.
[[nodiscard]] constexpr std::string_view last_segment_of(std::string_view path) noexcept {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace tokend::http
