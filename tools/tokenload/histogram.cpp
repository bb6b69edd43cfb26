#include "tools/tokenload/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tokend::load {

void Histogram::record(std::uint64_t value) noexcept {
  value = std::min(value, kValueMax);
  ++counts_[bucket_of(value)];
  ++count_;
  sum_ += value;
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) noexcept {
  for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket) {
    counts_[bucket] += other.counts_[bucket];
  }
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

double Histogram::mean() const noexcept {
  return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::uint64_t Histogram::percentile(double percent) const noexcept {
  if (count_ == 0) return 0;
  const double exact = std::ceil(percent / 100.0 * static_cast<double>(count_));
  const std::uint64_t rank =
      std::clamp<std::uint64_t>(exact < 1.0 ? 1 : static_cast<std::uint64_t>(exact), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) return std::min(highest_of(bucket), max_);
  }
  return max_;
}

// Values below kSubCount have a bucket each. Above, a value keeps its leading kSubBits + 1 bits, of
// which the first is always set and so needs no room.
std::size_t Histogram::bucket_of(std::uint64_t value) noexcept {
  if (value < kSubCount) return static_cast<std::size_t>(value);
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
  return shift * kSubCount + static_cast<std::size_t>(value >> shift);
}

std::uint64_t Histogram::highest_of(std::size_t bucket) noexcept {
  if (bucket < 2 * kSubCount) return bucket;
  const std::size_t shift = bucket / kSubCount - 1;
  const std::uint64_t leading = bucket - shift * kSubCount;
  return ((leading + 1) << shift) - 1;
}

}  // namespace tokend::load
