#include "core/proxy_session.h"

#include <new>

namespace tokend::core {

ProxySession::ProxySession(ProxySessionFactory& factory, Transport& transport) noexcept
    : factory_(factory),
      transport_(transport) {
  transport_.set_deadline(factory_.clock_.monotonic_ns + factory_.header_timeout_ns_);
}

void ProxySession::on_bytes(std::span<char> bytes) noexcept {
  if (inner_) [[likely]]
    return inner_->on_bytes(bytes);
  const ProxyHeader::Result result = header_.take(bytes);
  switch (result.status) {
    case ProxyHeader::Status::need_more: return;
    case ProxyHeader::Status::refused: return refuse();
    case ProxyHeader::Status::complete: break;
  }
  open_inner();
  bytes = bytes.subspan(result.consumed);
  if (inner_ && !bytes.empty()) inner_->on_bytes(bytes);
}

void ProxySession::open_inner() noexcept {
  if (const auto source = header_.source()) transport_.set_peer(*source);
  transport_.set_deadline(kNoDeadline);  // from here on it is the session's
  inner_ = factory_.inner_.open(transport_);
  if (inner_) return;
  factory_.metrics_.add(CoreCounter::connections_refused);
  transport_.finish();
}

void ProxySession::refuse() noexcept {
  factory_.metrics_.add(CoreCounter::proxy_headers_refused);
  transport_.finish();
}

void ProxySession::on_end_of_input() noexcept {
  if (inner_) return inner_->on_end_of_input();
  if (header_.begun()) return refuse();
  transport_.finish();
}

void ProxySession::on_deadline() noexcept { inner_ ? inner_->on_deadline() : refuse(); }

void ProxySession::on_output_sent() noexcept {
  if (inner_) inner_->on_output_sent();
}

void ProxySession::on_drain() noexcept { inner_ ? inner_->on_drain() : transport_.finish(); }

ProxySessionFactory::ProxySessionFactory(SessionFactory& inner, std::size_t connections_max,
                                         const TurnClock& clock, std::int64_t header_timeout_ms,
                                         CoreMetrics& metrics)
    : inner_(inner),
      clock_(clock),
      header_timeout_ns_(header_timeout_ms * kNanosecondsPerMillisecond),
      metrics_(metrics),
      sessions_(connections_max, sizeof(ProxySession)) {}

Session* ProxySessionFactory::open(Transport& transport) noexcept {
  void* memory = sessions_.take();
  return memory ? ::new (memory) ProxySession(*this, transport) : nullptr;
}

void ProxySessionFactory::close(Session& session) noexcept {
  auto& closed = static_cast<ProxySession&>(session);
  if (Session* inner = closed.inner()) inner_.close(*inner);
  closed.~ProxySession();
  sessions_.give(&closed);
}

}  // namespace tokend::core
