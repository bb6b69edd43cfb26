#include <cstring>
#include <new>

#include "core/error.h"
#include "http/exchange_pool.h"
#include "http/http_session.h"
#include "http/session.h"

namespace tokend::http {
namespace {

// What the framing of a chunked body may still need behind the largest request.
constexpr std::size_t kFramingBytes = 256;

}  // namespace

ExchangePool::ExchangePool(const SessionLimits& limits, core::BlockPool& blocks)
    : blocks_(blocks),
      buffers_({limits.kept_requests_max,
                limits.header_bytes_max + limits.body_bytes_max + kFramingBytes},
               limits.large_body_path.empty()
                   ? RequestBuffers::Size{}
                   : RequestBuffers::Size{limits.large_requests_max,
                                          limits.header_bytes_max + limits.large_body_bytes_max +
                                              kFramingBytes}),
      exchanges_(limits.exchanges_max, sizeof(Exchange)) {}

Exchange* ExchangePool::take() noexcept {
  void* memory = exchanges_.take();
  return memory ? ::new (memory) Exchange(*this, blocks_) : nullptr;
}

void ExchangePool::give(Exchange& exchange) noexcept {
  exchange.destroy_state();
  buffers_.give(exchange.kept_);
  exchange.~Exchange();
  exchanges_.give(&exchange);
}

bool Exchange::keep_request() noexcept {
  if (kept_) return true;
  // Gathered bytes are handed over as they are; those in the receive buffer are copied.
  kept_ = session_ ? session_->hand_over_gathered(request_.head_) : RequestBuffer{};
  if (!kept_) {
    kept_ = pool_.buffers().take(request_.head_length_ + request_.body_length_);
    if (!kept_) return false;
    std::memcpy(kept_.data, request_.head_, request_.head_length_);
    std::memcpy(kept_.data + request_.head_length_, request_.body_, request_.body_length_);
    request_.head_ = kept_.data;
    request_.body_ = kept_.data + request_.head_length_;
  }
  return true;
}

void Exchange::answer(const Answer& answer) noexcept {
  CHECK(!answered_);
  answered_ = true;
  if (session_) {
    session_->on_answer(*this, answer);
  } else {
    pool_.give(*this);
  }
}

std::byte* Exchange::notes_memory() noexcept {
  // Else they are of a later request.
  CHECK(session_ && session_->last_ == this);
  return session_->notes_;
}

void Exchange::destroy_state() noexcept {
  if (!destroy_state_) return;
  destroy_state_(state_);
  destroy_state_ = nullptr;
}

}  // namespace tokend::http
