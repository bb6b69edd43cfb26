#include "tests/support/allocation_count.h"

#include <cstdlib>
#include <new>

namespace {

constinit thread_local std::size_t allocations = 0;

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

void* operator new(std::size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes ? bytes : 1);
  if (!memory) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

#endif

namespace tokend::tests {

std::size_t allocation_count() noexcept { return allocations; }

}  // namespace tokend::tests
