#include "core/mapping.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

namespace tokend::core {
namespace {

TEST(Mapping, IsZeroedAndWritableToItsEnd) {
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{5000}, Mapping::kHugePagesFromBytes, Mapping::kHugePageBytes,
        Mapping::kHugePageBytes + 1, 3 * Mapping::kHugePagesFromBytes + 1}) {
    const Mapping mapping(bytes);
    EXPECT_EQ(mapping.bytes(), bytes);
    EXPECT_EQ(mapping.data()[0], std::byte{0});
    EXPECT_EQ(mapping.data()[bytes - 1], std::byte{0});
    mapping.data()[0] = mapping.data()[bytes - 1] = std::byte{1};
  }
}

TEST(Mapping, ALargeOneBeginsAtAHugePage) {
  // A small one in between, or they would be aligned by chance.
  const Mapping first(Mapping::kHugePagesFromBytes);
  const Mapping small(4096);
  const Mapping second(Mapping::kHugePagesFromBytes);
  for (const Mapping* mapping : {&first, &second}) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mapping->data()) % Mapping::kHugePageBytes, 0U);
  }
}

}  // namespace
}  // namespace tokend::core
