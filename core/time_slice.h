#pragma once
// How long a thread may run before another one that waits for its processor gets a turn: sched(7),
// the runtime of sched_setattr(2) for SCHED_OTHER. A thread that wakes gets the processor of one
// with a longer slice at once, as long as it has not had more than its share; one with an equal
// slice waits for that slice's end. So what others wait for and what is done soon, the committer's
// part of a request, asks for a short one, and what works for long and nobody waits for asks for a
// long one (store/background_thread.h). Before Linux 6.12 it has no effect.

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>

namespace tokend::core {

// For the thread that calls. Linux takes from 100 us to 100 ms. Where it is refused all works as
// before, so nothing is reported.
inline void set_time_slice(std::chrono::microseconds slice) noexcept {
  // struct sched_attr of linux/sched/types.h, which can't be included beside <sched.h>.
  struct {
    std::uint32_t size;
    std::uint32_t policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime_ns;
    std::uint64_t deadline_ns;
    std::uint64_t period_ns;
  } attributes{};
  static_assert(sizeof(attributes) == 48);
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) != 0) return;
  // Whoever started it under another policy wants that one.
  if (attributes.policy != SCHED_OTHER) return;
  attributes.runtime_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(slice).count());
  static_cast<void>(syscall(SYS_sched_setattr, 0, &attributes, 0));
}

}  // namespace tokend::core
