#pragma once
// Counters that one core writes and any thread reads. A write is a relaxed load and store (no
// locked instruction: there is one writer); a reader sees some recent value of each counter, not
// one moment of all. Each core's counters fill cache lines of their own.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tokend::core {

// `Name` is an enum class whose last enumerator is count_. Parts above core/ count with their own.
template <class Name>
class alignas(64) Counters {
 public:
  static constexpr std::size_t kCount = static_cast<std::size_t>(Name::count_);

  // Writer.
  void add(Name name, std::uint64_t amount = 1) noexcept {
    std::atomic<std::uint64_t>& value = at(name);
    value.store(value.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(Name name, std::uint64_t value) noexcept {
    at(name).store(value, std::memory_order_relaxed);
  }
  // Any thread.
  [[nodiscard]] std::uint64_t get(Name name) const noexcept {
    return values_[static_cast<std::size_t>(name)].load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t>& at(Name name) noexcept {
    return values_[static_cast<std::size_t>(name)];
  }

  std::array<std::atomic<std::uint64_t>, kCount> values_{};
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
// True for a value that goes up and down, false for a sum.
[[nodiscard]] bool is_gauge(CoreCounter counter) noexcept;

}  // namespace tokend::core
