#pragma once
// What a core's sessions have answered, and how long that took: by kinds of requests, which the
// application tells apart (Exchange::set_kind), and by status.
//
// Concurrency: one core writes, any thread reads (core/metrics.h).

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/cache_line.h"
#include "core/error.h"
#include "core/metrics.h"

namespace tokend::http {

class HttpMetrics {
 public:
  // Those that status_line_of() knows; others are no answer.
  static constexpr std::array kStatuses = {200, 201, 202, 204, 304, 400, 401, 403,
                                           404, 405, 408, 409, 413, 414, 415, 417,
                                           422, 429, 431, 500, 501, 503, 505};

  struct alignas(core::kCacheLineBytes) Kind {
    std::array<core::Count, kStatuses.size()> answers;  // in the order of kStatuses
    // From the turn that had the whole request to the one that answered it: 0 where it is the same.
    // Not of answers whose client has left.
    core::DurationHistogram durations;
  };

  // Kinds 0 up to, and without, `kinds`; and one more, of what is of no kind.
  explicit HttpMetrics(std::size_t kinds)
      : no_kind_(kinds),
        kinds_(std::make_unique<Kind[]>(kinds + 1)) {}

  [[nodiscard]] std::size_t no_kind() const noexcept { return no_kind_; }
  [[nodiscard]] const Kind& of(std::size_t kind) const noexcept { return kinds_[kind]; }

  // The core.
  void answered(std::size_t kind, int status, std::int64_t duration_ns) noexcept {
    Kind& its_kind = kinds_[std::min(kind, no_kind_)];
    ++its_kind.answers[index_of(status)];
    its_kind.durations.add(duration_ns);
  }
  // To bytes that never became a request, or one that there was no room for.
  void refused(int status) noexcept { ++kinds_[no_kind_].answers[index_of(status)]; }

 private:
  static constexpr std::size_t kLeastStatus = 200;
  static constexpr auto kIndexes = [] {
    std::array<std::uint8_t, 600 - kLeastStatus> indexes{};
    for (std::size_t index = 0; index < kStatuses.size(); ++index) {
      indexes[static_cast<std::size_t>(kStatuses[index]) - kLeastStatus] =
          static_cast<std::uint8_t>(index);
    }
    return indexes;
  }();

  [[nodiscard]] static std::size_t index_of(int status) noexcept {
    const std::size_t place = static_cast<std::size_t>(status) - kLeastStatus;
    CHECK(place < kIndexes.size());
    return kIndexes[place];
  }

  const std::size_t no_kind_;
  const std::unique_ptr<Kind[]> kinds_;
};

}  // namespace tokend::http
