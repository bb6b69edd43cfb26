#pragma once
// A private anonymous mapping: zeroed address space whose pages are taken when first touched. The
// pools stand on it, so a limit can be generous without costing memory before it is used.

#include <cstddef>

namespace tokend::core {

class Mapping {
 public:
  static constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
  // From this size on it consists of whole huge pages, and the kernel is asked for such.
  static constexpr std::size_t kHugePagesFromBytes = kHugePageBytes / 2;

  // Trips a CHECK when the address space is exhausted: nothing can be served then.
  explicit Mapping(std::size_t bytes);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  void* mapped_;  // a little more than is used, where it had to be aligned
  std::size_t mapped_bytes_;
  std::byte* data_;
  std::size_t bytes_;
};

}  // namespace tokend::core
