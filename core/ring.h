#pragma once
// One io_uring: operations are prepared, submitted and their completions taken off. The errors of
// liburing are translated here. The server's cores and the load generator stand on it.
//
// Operation: prepare() hands out a submission entry; nothing reaches the kernel before submit(),
// submit_and_wait() or a prepare() that found the queue full. Completions are copied out by take()
// before any of them is acted on, so a callback may prepare what it likes.
//
// Concurrency: open() on any thread, before use; enable() makes the calling thread the ring's only
// user (IORING_SETUP_SINGLE_ISSUER), and everything else is called there. The kernel does this
// ring's work only inside our own calls (DEFER_TASKRUN), so it never runs beside a callback. A ring
// that is not single_thread may change hands, at some cost for each operation.

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/error.h"

namespace tokend::core {

// What an operation's completion is told apart by: 8 bits of kind (the user's enum), 24 bits of
// generation, 32 bits of index.
struct Tag {
  std::uint8_t kind = 0;
  std::uint32_t generation = 0;
  std::uint32_t index = 0;

  static constexpr std::uint32_t kGenerationMask = (1U << 24) - 1;

  [[nodiscard]] constexpr std::uint64_t pack() const noexcept {
    return (std::uint64_t{kind} << 56) | (std::uint64_t{generation & kGenerationMask} << 32) |
           index;
  }
  [[nodiscard]] static constexpr Tag unpack(std::uint64_t user_data) noexcept {
    return {static_cast<std::uint8_t>(user_data >> 56),
            static_cast<std::uint32_t>(user_data >> 32) & kGenerationMask,
            static_cast<std::uint32_t>(user_data)};
  }
};

struct Completion {
  std::uint64_t user_data = 0;
  std::int32_t result = 0;  // as io_uring_cqe::res: a negative errno or what the operation returns
  std::uint32_t flags = 0;  // IORING_CQE_F_*

  [[nodiscard]] bool more() const noexcept { return flags & IORING_CQE_F_MORE; }
};

struct RingOptions {
  // Entries that wait to be submitted; a full queue is submitted early. Small, because the entries
  // are written round and round and should stay in the cache.
  unsigned submissions = 512;
  // Completions that wait to be taken. Beyond it the kernel keeps them aside: slower, not lost.
  unsigned completions = 8192;
  // Else the ring is for any thread, one at a time, and needs no enable().
  bool single_thread = true;
};

class Ring {
 public:
  static constexpr std::int64_t kForever = -1;

  Ring() noexcept = default;
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Whether a ring as we need it can be made here: open() and close.
  [[nodiscard]] static Result<void> probe();

  // Errc::unavailable: io_uring is missing or disabled, with the cause and the remedy.
  [[nodiscard]] Result<void> open(const RingOptions& options);
  [[nodiscard]] Result<void> enable();

  // An entry whose completion will carry `user_data`; fill it in with an io_uring_prep_* call,
  // which leaves that field alone. What the entry points to must stay until it is submitted.
  [[nodiscard]] io_uring_sqe& prepare(std::uint64_t user_data) noexcept;
  [[nodiscard]] io_uring_sqe& prepare(Tag tag) noexcept { return prepare(tag.pack()); }

  // Submits and lets the kernel post what has happened; does not wait.
  void submit() noexcept;
  // As submit(), but returns only when `wanted` completions are there, `timeout_ns` has passed or a
  // signal came.
  void submit_and_wait(std::int64_t timeout_ns, unsigned wanted = 1) noexcept;

  // Copies completions out, oldest first, and returns their number.
  [[nodiscard]] std::size_t take(std::span<Completion> out) noexcept;
  [[nodiscard]] bool has_completions() const noexcept { return io_uring_cq_ready(&ring_) != 0; }
  // Entries prepared and not yet submitted.
  [[nodiscard]] unsigned prepared() const noexcept { return io_uring_sq_ready(&ring_); }

  // For what liburing offers beyond this class (registration of buffers).
  [[nodiscard]] io_uring& handle() noexcept { return ring_; }

 private:
  io_uring ring_{};
  bool open_ = false;
};

}  // namespace tokend::core
