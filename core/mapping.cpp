#include "core/mapping.h"

#include <sys/mman.h>

#include "core/error.h"

namespace tokend::core {

Mapping::Mapping(std::size_t bytes) : bytes_(bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(memory != MAP_FAILED);
  data_ = static_cast<std::byte*>(memory);
  // Large tables are looked into at random, and every look would miss the TLB. Where the kernel
  // declines, everything works as before.
  if (bytes >= kHugePagesFromBytes) static_cast<void>(madvise(memory, bytes, MADV_HUGEPAGE));
}

Mapping::~Mapping() { munmap(data_, bytes_); }

}  // namespace tokend::core
