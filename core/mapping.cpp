#include "core/mapping.h"

#include <sys/mman.h>

#include <cstdint>

#include "core/error.h"

namespace tokend::core {

Mapping::Mapping(std::size_t bytes) : mapped_bytes_(bytes), bytes_(bytes) {
  const bool huge = bytes >= kHugePagesFromBytes;
  const std::size_t whole_bytes = (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  // One more, of which the beginning is left out up to the first boundary.
  if (huge) mapped_bytes_ = whole_bytes + kHugePageBytes;
  mapped_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(mapped_ != MAP_FAILED);
  data_ = static_cast<std::byte*>(mapped_);
  if (!huge) return;
  // The kernel takes a huge page only where all of it belongs to the mapping, and aligns mappings
  // by itself from 6.7 on only. What is left over is address space that is never touched.
  const auto address = reinterpret_cast<std::uintptr_t>(mapped_);
  data_ += (kHugePageBytes - address % kHugePageBytes) % kHugePageBytes;
  // Large tables are looked into at random, and every look would miss the TLB. Where the kernel
  // declines, everything works as before.
  static_cast<void>(madvise(data_, whole_bytes, MADV_HUGEPAGE));
}

Mapping::~Mapping() { munmap(mapped_, mapped_bytes_); }

}  // namespace tokend::core
