#include "http/router.h"

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
    CHECK(find(path) == kNotFound);
    std::size_t place = hash_of(path) & mask;
    while (slots_[place].index != kNotFound) place = (place + 1) & mask;
    slots_[place] = {path, index++};
  }
}

int Router::find(std::string_view path) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t place = hash_of(path) & mask;; place = (place + 1) & mask) {
    const Slot& slot = slots_[place];
    if (slot.index == kNotFound || slot.path == path) return slot.index;
  }
}

}  // namespace tokend::http
