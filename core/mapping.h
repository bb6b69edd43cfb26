#pragma once
// A private anonymous mapping: zeroed address space whose pages are taken when first touched. The
// pools stand on it, so a limit can be generous without costing memory before it is used.

#include <cstddef>

namespace tokend::core {

class Mapping {
 public:
  // From this size on it begins at a huge page (of 2 MiB), and the kernel is asked for such.
  static constexpr std::size_t kHugePagesFromBytes = std::size_t{2} << 20;

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
