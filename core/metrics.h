#pragma once
// Counters and histograms that one thread writes and any thread reads. A write is a relaxed load
// and store (no locked instruction: there is one writer); a reader sees some recent value of each
// counter, not one moment of all. Each core's counters fill cache lines of their own.

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/cache_line.h"

namespace tokend::core {

class Count {  // a counter by itself, for a struct of them
 public:
  Count() = default;
  Count(const Count&) = delete;
  Count& operator=(const Count&) = delete;

  // Writer.
  Count& operator+=(std::uint64_t amount) noexcept {
    set(value_.load(std::memory_order_relaxed) + amount);
    return *this;
  }
  Count& operator++() noexcept { return *this += 1; }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  // Any thread.
  operator std::uint64_t() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// How many durations were how long: bounds of 16 us, twice that, and so on up to 17 s.
class DurationHistogram {
 public:
  static constexpr std::size_t kBounds = 21;

  [[nodiscard]] static constexpr std::int64_t bound_ns(std::size_t bound) noexcept {
    return std::int64_t{1} << (kLeastBoundBits + bound);
  }

  // Writer.
  void add(std::int64_t duration_ns) noexcept {
    const std::uint64_t above =
        static_cast<std::uint64_t>(std::max<std::int64_t>(duration_ns, 1) - 1) >> kLeastBoundBits;
    ++counts_[std::min<std::size_t>(std::bit_width(above), kBounds)];
    sum_ns_ += static_cast<std::uint64_t>(std::max<std::int64_t>(duration_ns, 0));
  }
  // Any thread. Those up to bound_ns(bound) and above the bound before it; kBounds: above the last.
  [[nodiscard]] std::uint64_t count(std::size_t bound) const noexcept { return counts_[bound]; }
  [[nodiscard]] std::uint64_t sum_ns() const noexcept { return sum_ns_; }

 private:
  static constexpr unsigned kLeastBoundBits = 14;

  std::array<Count, kBounds + 1> counts_{};
  Count sum_ns_;
};

// `Name` is an enum class whose last enumerator is count_. Parts above core/ count with their own.
template <class Name>
class alignas(kCacheLineBytes) Counters {
 public:
  static constexpr std::size_t kCount = static_cast<std::size_t>(Name::count_);

  // Writer.
  void add(Name name, std::uint64_t amount = 1) noexcept {
    values_[static_cast<std::size_t>(name)] += amount;
  }
  void set(Name name, std::uint64_t value) noexcept {
    values_[static_cast<std::size_t>(name)].set(value);
  }
  // Any thread.
  [[nodiscard]] std::uint64_t get(Name name) const noexcept {
    return values_[static_cast<std::size_t>(name)];
  }

 private:
  std::array<Count, kCount> values_{};
};

enum class CoreCounter : std::uint8_t {
  connections_open,          // now, not a sum
  connections_accepted,      // taken and served
  connections_refused,       // closed at once: the limit of connections or of sessions
  connections_lost,          // ended by the peer's reset or another error of the socket
  connections_aborted,       // ended by their session or by the end of the drain
  proxy_headers_refused,     // closed: no valid PROXY header came, or not in time
  accept_failures,           // descriptors or memory were exhausted; accepting paused
  send_timeouts,             // the peer took nothing for too long
  linger_timeouts,           // the peer did not close after its last answer
  output_overflows,          // the pool of send blocks was exhausted under a connection
  receive_buffer_shortages,  // a receive waited for a buffer
  received_bytes,
  sent_bytes,
  turns,               // of the loop
  wakeups,             // by other threads, of a sleeping loop
  messages,            // taken from the mailbox
  send_blocks_in_use,  // now, not a sum
  count_,
};

using CoreMetrics = Counters<CoreCounter>;

// As in the metrics' public names: lower case with underscores.
[[nodiscard]] std::string_view name_of(CoreCounter counter) noexcept;
// A sentence for the operator.
[[nodiscard]] std::string_view help_of(CoreCounter counter) noexcept;
// True for a value that goes up and down, false for a sum.
[[nodiscard]] bool is_gauge(CoreCounter counter) noexcept;

}  // namespace tokend::core
