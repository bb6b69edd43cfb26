#pragma once
// How often this thread has called operator new, so that a test can claim that it did not. The test
// programs that use it have their operator new replaced. A sanitizer brings an allocator of its
// own: there nothing is counted, and such a claim is not made.

#include <cstddef>

namespace tokend::tests {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kAllocationsAreCounted = false;
#else
inline constexpr bool kAllocationsAreCounted = true;
#endif

[[nodiscard]] std::size_t allocation_count() noexcept;

}  // namespace tokend::tests
