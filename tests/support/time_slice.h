#pragma once
// What the kernel says of a thread's time slice (core/time_slice.h).

#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>

namespace tokend::tests {

// Of the calling thread, as sched_getattr(2) says. 0: it has none that can be read, because the
// kernel is older than 6.12, which began with them, or a sandbox refuses it; nothing is promised
// then.
inline std::uint64_t time_slice_ns() {
  utsname kernel{};
  int major = 0;
  int minor = 0;
  if (uname(&kernel) != 0 || std::sscanf(kernel.release, "%d.%d", &major, &minor) != 2 ||
      std::pair(major, minor) < std::pair(6, 12)) {
    return 0;
  }
  std::array<char, 48> attributes{};
  if (syscall(SYS_sched_getattr, 0, attributes.data(), attributes.size(), 0) != 0) return 0;
  std::uint64_t runtime_ns = 0;
  std::memcpy(&runtime_ns, attributes.data() + 24, sizeof(runtime_ns));
  return runtime_ns;
}

}  // namespace tokend::tests
