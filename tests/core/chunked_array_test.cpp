#include "core/chunked_array.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace tokend::core {
namespace {

struct Large {
  std::shared_ptr<int> value;
  std::byte rest[100'000];
};

TEST(ChunkedArray, GrowsOverChunksWithoutMovingWhatItHolds) {
  ChunkedArray<Large> array;
  EXPECT_TRUE(array.empty());
  constexpr std::size_t kCount = 3 * ChunkedArray<Large>::kChunkItems + 1;
  std::vector<const Large*> places;
  for (std::size_t i = 0; i < kCount; ++i) {
    array.push_back({.value = std::make_shared<int>(static_cast<int>(i)), .rest = {}});
    places.push_back(&array[i]);
  }
  EXPECT_EQ(array.size(), kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(&array[i], places[i]);
    EXPECT_EQ(*array[i].value, static_cast<int>(i));
  }
}

TEST(ChunkedArray, DestroysWhatGoesAndWhatIsLeft) {
  const auto value = std::make_shared<int>(1);
  {
    ChunkedArray<Large> array;
    for (int i = 0; i < 50; ++i) array.push_back({.value = value, .rest = {}});
    EXPECT_EQ(value.use_count(), 51);
    for (int i = 0; i < 30; ++i) array.pop_back();
    EXPECT_EQ(value.use_count(), 21);
    for (int i = 0; i < 5; ++i) array.push_back({.value = value, .rest = {}});
    EXPECT_EQ(value.use_count(), 26);
  }
  EXPECT_EQ(value.use_count(), 1);
}

}  // namespace
}  // namespace tokend::core
