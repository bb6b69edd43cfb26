#include "core/ring.h"

#include <cerrno>
#include <cstring>
#include <string>

namespace tokend::core {
namespace {

// A full queue is submitted again this many times before the kernel is taken to be out of memory
// for good.
constexpr int kSubmitAttemptsMax = 10'000;

// `error` is a positive errno.
std::unexpected<Error> unavailable(int error) {
  const std::string what = std::string("io_uring cannot be used: ") + std::strerror(error) + "; ";
  switch (error) {
    case ENOSYS:
      return fail(Errc::unavailable,
                  what +
                      "the kernel was built without it (CONFIG_IO_URING) or is older than 5.1. "
                      "Run Linux 6.1 or newer with io_uring");
    case EPERM:
    case EACCES:
      return fail(Errc::unavailable,
                  what +
                      "it is disabled by the sysctl kernel.io_uring_disabled or by a seccomp "
                      "filter (containers have one by default). Set kernel.io_uring_disabled=0 "
                      "or allow the io_uring_setup, io_uring_enter and io_uring_register calls");
    case ENOMEM:
      return fail(Errc::unavailable,
                  what +
                      "memory or the limit of locked memory is exhausted. Raise RLIMIT_MEMLOCK "
                      "(LimitMEMLOCK= in a systemd unit, ulimit -l)");
    case EINVAL:
      return fail(Errc::unavailable,
                  what +
                      "the kernel does not know the modes that are needed (SINGLE_ISSUER, "
                      "DEFER_TASKRUN). Run Linux 6.1 or newer");
    case EMFILE:
    case ENFILE:
      return fail(Errc::unavailable,
                  what + "the limit of open files is reached. Raise RLIMIT_NOFILE");
    default: return fail(Errc::unavailable, what + "Linux 6.1 or newer with io_uring is needed");
  }
}

}  // namespace

Result<void> Ring::probe() {
  Ring ring;
  return ring.open({.submissions = 8, .completions = 16});
}

Result<void> Ring::open(const RingOptions& options) {
  CHECK(!open_);
  io_uring_params params{};
  // Disabled until enable(): the only issuer is then the thread that enables it, and whatever can
  // fail has failed before there are threads.
  params.flags = IORING_SETUP_CQSIZE;
  params.flags |= options.single_thread ? IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_R_DISABLED
                                        : IORING_SETUP_COOP_TASKRUN;
  params.cq_entries = options.completions;
  const int result = io_uring_queue_init_params(options.submissions, &ring_, &params);
  if (result < 0) return unavailable(-result);
  open_ = true;
  return {};
}

Result<void> Ring::enable() {
  CHECK(open_);
  // Directly, because liburing 2.3 declares io_uring_enable_rings and does not export it.
  const int result = io_uring_register(static_cast<unsigned>(ring_.ring_fd),
                                       IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  if (result < 0) return unavailable(-result);
  // Saves a look-up of the descriptor in every call; without it things work all the same.
  static_cast<void>(io_uring_register_ring_fd(&ring_));
  return {};
}

Ring::~Ring() {
  if (open_) io_uring_queue_exit(&ring_);
}

io_uring_sqe& Ring::prepare(std::uint64_t user_data) noexcept {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  for (int attempt = 0; entry == nullptr; ++attempt) {
    // The kernel takes entries even when completions overflow; it refuses only for want of memory.
    CHECK(attempt < kSubmitAttemptsMax);
    submit();
    entry = io_uring_get_sqe(&ring_);
  }
  entry->user_data = user_data;
  return *entry;
}

void Ring::submit() noexcept {
  const int result = io_uring_submit_and_get_events(&ring_);
  CHECK(result >= 0 || result == -EINTR || result == -EAGAIN || result == -EBUSY);
}

void Ring::submit_and_wait(std::int64_t timeout_ns, unsigned wanted) noexcept {
  io_uring_cqe* first = nullptr;
  int result = 0;
  if (timeout_ns < 0) {
    result = io_uring_submit_and_wait(&ring_, wanted);
  } else {
    constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
    __kernel_timespec timeout{.tv_sec = timeout_ns / kNanosecondsPerSecond,
                              .tv_nsec = timeout_ns % kNanosecondsPerSecond};
    result = io_uring_submit_and_wait_timeout(&ring_, &first, wanted, &timeout, nullptr);
  }
  CHECK(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
        result == -EBUSY);
}

std::size_t Ring::take(std::span<Completion> out) noexcept {
  std::size_t count = 0;
  unsigned head = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(&ring_, head, entry) {
    if (count == out.size()) break;
    out[count++] = {entry->user_data, entry->res, entry->flags};
  }
  io_uring_cq_advance(&ring_, static_cast<unsigned>(count));
  return count;
}

}  // namespace tokend::core
