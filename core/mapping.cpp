#include "core/mapping.h"

#include <sys/mman.h>

#include "core/error.h"

namespace tokend::core {

Mapping::Mapping(std::size_t bytes) : bytes_(bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(memory != MAP_FAILED);
  data_ = static_cast<std::byte*>(memory);
}

Mapping::~Mapping() { munmap(data_, bytes_); }

}  // namespace tokend::core
