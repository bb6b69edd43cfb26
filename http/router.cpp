#include "http/router.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"

namespace tokend::http {
namespace {

// Length, first and last eight bytes: the routes of one server differ there, and a path that does
// not only costs one more comparison. The tables are fixed at start, so nobody can fill a chain.
std::size_t hash_of(std::string_view path) noexcept {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (path.size() >= sizeof first) {
    std::memcpy(&first, path.data(), sizeof first);
    std::memcpy(&last, path.data() + path.size() - sizeof last, sizeof last);
  } else {
    std::memcpy(&first, path.data(), path.size());
  }
  std::uint64_t mixed = (first ^ (path.size() << 56)) * 0x9E3779B97F4A7C15U;
  mixed = (mixed ^ (mixed >> 32) ^ last) * 0xD6E8FEB86659FD93U;
  return static_cast<std::size_t>(mixed ^ (mixed >> 32));
}

}  // namespace

Router::Router(std::span<const std::string_view> paths)
    : slots_(std::bit_ceil(paths.size() * 2 + 1)) {
  const std::size_t mask = slots_.size() - 1;
  int index = 0;
  for (const std::string_view path : paths) {
    const std::string_view segment = last_segment_of(path);
    if (segment.starts_with(':')) {
      const std::string_view prefix = path.substr(0, path.size() - segment.size());
      CHECK(std::ranges::find(prefixes_, prefix, &Slot::path) == prefixes_.end());
      prefixes_.push_back({prefix, index++});
      continue;
    }
    std::size_t place = hash_of(path) & mask;
    while (slots_[place].index != kNotFound) {
      CHECK(slots_[place].path != path);
      place = (place + 1) & mask;
    }
    slots_[place] = {path, index++};
  }
}

int Router::find(std::string_view path) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t place = hash_of(path) & mask;; place = (place + 1) & mask) {
    const Slot& slot = slots_[place];
    if (slot.path == path && slot.index != kNotFound) [[likely]]
      return slot.index;
    if (slot.index == kNotFound) return find_prefix_of(path);
  }
}

int Router::find_prefix_of(std::string_view path) const noexcept {
  const std::string_view segment = last_segment_of(path);
  if (segment.empty()) return kNotFound;
  const std::string_view prefix = path.substr(0, path.size() - segment.size());
  for (const Slot& slot : prefixes_) {
    if (slot.path == prefix) return slot.index;
  }
  return kNotFound;
}

}  // namespace tokend::http
