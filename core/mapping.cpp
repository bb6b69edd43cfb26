#include "core/mapping.h"

#include <sys/mman.h>

#include <cstdint>

#include "core/error.h"

namespace tokend::core {

Mapping::Mapping(std::size_t bytes)
    : mapped_bytes_(bytes < kHugePagesFromBytes ? bytes : bytes + kHugePagesFromBytes),
      bytes_(bytes) {
  mapped_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(mapped_ != MAP_FAILED);
  data_ = static_cast<std::byte*>(mapped_);
  if (bytes < kHugePagesFromBytes) return;
  // The kernel takes a huge page only where all of it belongs to the mapping, and aligns mappings
  // by itself from 6.7 on only. What is left over is address space that is never touched.
  const auto address = reinterpret_cast<std::uintptr_t>(mapped_);
  data_ += (kHugePagesFromBytes - address % kHugePagesFromBytes) % kHugePagesFromBytes;
  // Large tables are looked into at random, and every look would miss the TLB. Where the kernel
  // declines, everything works as before.
  static_cast<void>(madvise(data_, bytes, MADV_HUGEPAGE));
}

Mapping::~Mapping() { munmap(mapped_, mapped_bytes_); }

}  // namespace tokend::core
