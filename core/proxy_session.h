#pragma once
// The beginning of a connection that comes through a proxy: until the header has come
// (core/proxy_header) the session's place is held, then the real session is opened, which finds its
// peer known and gets every call. So nothing above, and nothing of a core that expects no header,
// knows of this.
//
// What does not begin with a header is closed without a word, because a client that could speak
// for itself could claim any address. So is what does not bring its header whole in time. Both are
// counted (CoreCounter::proxy_headers_refused). A connection that ends before its first byte, as a
// plain health check's does, is not.
//
// Concurrency: one core. Limit: as many as there are connections.

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/clock.h"
#include "core/metrics.h"
#include "core/proxy_header.h"
#include "core/session.h"
#include "core/slab.h"

namespace tokend::core {

class ProxySessionFactory final : public SessionFactory {
 public:
  // The references outlive it. `header_timeout_ms` from accepting to the header's last byte.
  ProxySessionFactory(SessionFactory& inner, std::size_t connections_max, const TurnClock& clock,
                      std::int64_t header_timeout_ms, CoreMetrics& metrics);

  [[nodiscard]] Session* open(Transport& transport) noexcept override;
  void close(Session& session) noexcept override;
  [[nodiscard]] bool idle() const noexcept override { return inner_.idle(); }

 private:
  friend class ProxySession;

  SessionFactory& inner_;
  const TurnClock& clock_;
  const std::int64_t header_timeout_ns_;
  CoreMetrics& metrics_;
  Slab sessions_;
};

class ProxySession final : public Session {
 public:
  ProxySession(ProxySessionFactory& factory, Transport& transport) noexcept;

  void on_bytes(std::span<char> bytes) noexcept override;
  void on_end_of_input() noexcept override;
  void on_deadline() noexcept override;
  void on_output_sent() noexcept override;
  void on_drain() noexcept override;

  // nullptr before the header is complete.
  [[nodiscard]] Session* inner() const noexcept { return inner_; }

 private:
  void open_inner() noexcept;
  void refuse() noexcept;

  ProxySessionFactory& factory_;
  Transport& transport_;
  Session* inner_ = nullptr;
  ProxyHeader header_;
};

}  // namespace tokend::core
