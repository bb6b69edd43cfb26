#pragma once
// Latencies in log-linear buckets, in the manner of HdrHistogram: 128 buckets for every power of
// two, so a percentile is never more than 1/128 (0.8 %) above the value that was recorded. One
// thread writes a histogram; after that thread has ended others merge it.

#include <array>
#include <cstddef>
#include <cstdint>

namespace tokend::load {

class Histogram {
 public:
  // About 4.8 hours in nanoseconds; what is longer counts as this.
  static constexpr std::uint64_t kValueMax = (std::uint64_t{1} << 44) - 1;

  void record(std::uint64_t value) noexcept;
  void merge(const Histogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
  [[nodiscard]] double mean() const noexcept;
  // The least value that at least `percent` of all values do not exceed, to the precision above;
  // never more than max(). 0 when nothing was recorded.
  [[nodiscard]] std::uint64_t percentile(double percent) const noexcept;

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr std::size_t kSubCount = std::size_t{1} << kSubBits;
  static constexpr std::size_t kBucketCount = (44 - kSubBits + 1) * kSubCount;

  [[nodiscard]] static std::size_t bucket_of(std::uint64_t value) noexcept;
  [[nodiscard]] static std::uint64_t highest_of(std::size_t bucket) noexcept;

  std::array<std::uint64_t, kBucketCount> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace tokend::load
