#pragma once
// How often operator new was called in this test program, so that a test can claim that it was not.
// Under a sanitizer, which has an allocator of its own, the count stays 0.

#include <cstddef>

namespace tokend::http::testing {

[[nodiscard]] std::size_t allocation_count() noexcept;

}  // namespace tokend::http::testing
