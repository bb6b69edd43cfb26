#pragma once
// What one thread writes often and another one uses must not lie in one cache line: each write
// would take the line away from the other. What is aligned to it has its lines to itself, because
// the size of a type is a multiple of its alignment.

#include <cstddef>

namespace tokend::core {

// Of x86-64 and of nearly all of ARM's; std::hardware_destructive_interference_size may differ from
// one translation unit to the next, with their flags.
inline constexpr std::size_t kCacheLineBytes = 64;

}  // namespace tokend::core
