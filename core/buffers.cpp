#include "core/buffers.h"

#include <bit>
#include <cstring>
#include <string>

namespace tokend::core {
namespace {

constexpr std::size_t kBuffersMax = 32'768;  // the kernel's

}  // namespace

ReceiveBuffers::ReceiveBuffers(std::size_t count, std::size_t buffer_bytes)
    : count_(count),
      buffer_bytes_(buffer_bytes),
      stride_(buffer_bytes + kReceivePaddingBytes),
      ring_memory_(count * sizeof(io_uring_buf)),
      buffers_(count * stride_) {
  CHECK(std::has_single_bit(count) && count <= kBuffersMax);
  CHECK(buffer_bytes > 0 && buffer_bytes <= UINT32_MAX);
}

Result<void> ReceiveBuffers::lend_to(Ring& ring) {
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(ring_memory_.data());
  registration.ring_entries = static_cast<std::uint32_t>(count_);
  registration.bgid = kGroup;
  const int result = io_uring_register_buf_ring(&ring.handle(), &registration, 0);
  if (result < 0) {
    return fail(Errc::unavailable, std::string("io_uring refuses the receive buffers: ") +
                                       std::strerror(-result) +
                                       " (raise RLIMIT_MEMLOCK, or use fewer buffers)");
  }
  auto* entries = reinterpret_cast<io_uring_buf_ring*>(ring_memory_.data());
  io_uring_buf_ring_init(entries);
  const int mask = static_cast<int>(count_ - 1);
  for (int id = 0; id <= mask; ++id) {
    io_uring_buf_ring_add(entries, address_of(static_cast<std::uint16_t>(id)),
                          static_cast<unsigned>(buffer_bytes_), static_cast<std::uint16_t>(id),
                          mask, id);
  }
  io_uring_buf_ring_advance(entries, static_cast<int>(count_));
  return {};
}

void ReceiveBuffers::give_back(const Completion& completion) noexcept {
  const std::uint16_t id = id_of(completion);
  CHECK(id < count_);
  io_uring_buf_ring_add(reinterpret_cast<io_uring_buf_ring*>(ring_memory_.data()), address_of(id),
                        static_cast<unsigned>(buffer_bytes_), id, static_cast<int>(count_ - 1),
                        given_back_++);
}

void ReceiveBuffers::publish() noexcept {
  if (given_back_ == 0) return;
  io_uring_buf_ring_advance(reinterpret_cast<io_uring_buf_ring*>(ring_memory_.data()), given_back_);
  given_back_ = 0;
}

}  // namespace tokend::core
