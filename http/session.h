#pragma once
// HTTP/1.x on one connection, without input or output of its own: bytes come in through
// core::Session, requests go up to the Application, answers go down into the Transport's output in
// the order in which their requests came, whatever order they become ready in.
//
// An Exchange is one request's place in that order. It outlives the connection if need be: an
// exchange whose answer is still being made when the peer goes away is kept until answer(), which
// then does nothing. So work that holds an Exchange& is always safe to finish.
//
// Concurrency: one core. Limits: SessionLimits. At the limit of exchanges a connection with answers
// outstanding stops reading; one with none gets 503.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "core/send_buffer.h"
#include "core/session.h"
#include "http/message.h"
#include "http/request_buffers.h"

namespace tokend::http {

struct SessionLimits {
  std::size_t connections_max = 16'384;      // sessions of one core
  std::size_t exchanges_max = 16'384;        // requests in flight of one core
  std::size_t pipeline_depth_max = 64;       // requests in flight of one connection
  std::size_t header_bytes_max = 16 * 1024;  // request line and header section
  std::size_t target_bytes_max = 8 * 1024;
  std::size_t body_bytes_max = 64 * 1024;
  // The one path whose bodies may be longer than that, if there is one, and how many of its
  // requests a core may hold in parts or kept at once; 503 above.
  std::string_view large_body_path;
  std::size_t large_body_bytes_max = 1024 * 1024;
  std::size_t large_requests_max = 16;
  std::size_t output_bytes_max = 256 * 1024;  // unsent; no further request is read above it
  std::size_t kept_requests_max = 4'096;      // requests of one core held in parts or kept
  std::int64_t header_timeout_ms = 10'000;    // from a request's first byte to its last header
  std::int64_t body_timeout_ms = 30'000;      // from then to the last byte of its body
  std::int64_t idle_timeout_ms = 75'000;      // between requests
};

class HttpSession;
class ExchangePool;

class Exchange {
 public:
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Valid during Application::on_request; afterwards only if keep_request() returned true.
  [[nodiscard]] const Request& request() const noexcept { return request_; }
  // Copies the request's bytes so that request() stays valid until the answer. False: the limit of
  // kept requests is reached, answer 503. Idempotent.
  [[nodiscard]] bool keep_request() noexcept;
  [[nodiscard]] const core::PeerAddress& peer() const noexcept { return peer_; }

  // Exactly once. The parts are copied before it returns. Destroys what emplace() made, and may
  // end the exchange: nothing of it may be touched afterwards.
  void answer(const Answer& answer) noexcept;

  // What the application derives from the head alone, and so finds again when the connection's next
  // request has the same head, byte for byte; all zeros at first. During Application::on_request
  // only.
  static constexpr std::size_t kNotesBytes = 64;
  template <class T>
  [[nodiscard]] T& notes() noexcept {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kNotesBytes &&
                  alignof(T) <= alignof(std::uint64_t));
    return *std::launder(reinterpret_cast<T*>(notes_memory()));
  }

  // Of the kinds that the application tells apart (HttpMetrics); none at first.
  void set_kind(std::size_t kind) noexcept { kind_ = static_cast<std::uint32_t>(kind); }

  // The request's own state, made in place and destroyed by answer(). At most one a request.
  static constexpr std::size_t kStateBytes = 1088;
  template <class T, class... Arguments>
  T& emplace(Arguments&&... arguments) noexcept {
    static_assert(sizeof(T) <= kStateBytes && alignof(T) <= alignof(std::max_align_t));
    CHECK(destroy_state_ == nullptr);
    T* state = ::new (static_cast<void*>(state_)) T(std::forward<Arguments>(arguments)...);
    destroy_state_ = [](void* made) noexcept { static_cast<T*>(made)->~T(); };
    return *state;
  }

 private:
  friend class HttpSession;
  friend class ExchangePool;
  Exchange(ExchangePool& pool, core::BlockPool& blocks) noexcept : pool_(pool), output_(blocks) {}
  ~Exchange() = default;

  void destroy_state() noexcept;
  [[nodiscard]] std::byte* notes_memory() noexcept;

  ExchangePool& pool_;
  Request request_;
  core::PeerAddress peer_;
  HttpSession* session_ = nullptr;  // nullptr once nobody waits for the answer any more
  Exchange* next_ = nullptr;        // the following request of the connection
  RequestBuffer kept_;              // where the request's bytes are after keep_request()
  core::SendBuffer output_;         // the answer, while those before it are not ready
  void (*destroy_state_)(void*) noexcept = nullptr;
  std::int64_t begun_ns_ = 0;  // when it was whole; of TurnClock
  std::uint32_t kind_ = UINT32_MAX;
  bool answered_ = false;
  bool close_after_ = false;
  bool keep_alive_header_ = false;  // an HTTP/1.0 client is told that its wish was granted
  alignas(std::max_align_t) std::byte state_[kStateBytes];
};

// What stands above HTTP.
class Application {
 public:
  // Answers now or keeps the exchange and answers later, on the same core.
  virtual void on_request(Exchange& exchange) noexcept = 0;
  // The answer to bytes that never became a request; headers and body must be static. The session
  // closes the connection behind it.
  [[nodiscard]] virtual Answer on_refusal(Refusal refusal) noexcept = 0;

 protected:
  ~Application() = default;
};

}  // namespace tokend::http
