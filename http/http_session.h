#pragma once
// The session of http/session.h as a core sees it, and the factory that makes a core's sessions.
//
// Requests are served from where their bytes lie: from the receive buffer when they came whole,
// from a gathered buffer when they came in parts. Bytes that must wait because the pipeline or the
// output is full are held in a buffer of their own and reading is paused, so there is never more
// than one receive buffer of them.
//
// A connection ends in one way only: nothing more is read (`closing_`), the answers that are owed
// go out in order, then the refusal if there is one, then Transport::finish.
//
// Concurrency: one core. An application's handler may be called from inside on_bytes and, when held
// requests get their turn, from inside Exchange::answer; never from inside another handler's
// on_request on the same connection.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/clock.h"
#include "core/session.h"
#include "core/slab.h"
#include "http/date.h"
#include "http/exchange_pool.h"
#include "http/message.h"
#include "http/metrics.h"
#include "http/parser.h"
#include "http/session.h"

namespace tokend::http {

// What the sessions of one core share.
struct SessionCore {
  const SessionLimits limits;
  Application& application;
  const core::TurnClock& clock;
  ExchangePool exchanges;
  DateLine date;
  HttpMetrics* const metrics;  // nullptr: nobody counts
};

class HttpSession final : public core::Session {
 public:
  HttpSession(SessionCore& core, core::Transport& transport) noexcept;
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void on_bytes(std::span<char> bytes) noexcept override;
  void on_end_of_input() noexcept override;
  void on_deadline() noexcept override;
  void on_output_sent() noexcept override;
  void on_drain() noexcept override;

 private:
  friend class Exchange;

  // ---- For Exchange.
  void on_answer(Exchange& exchange, const Answer& answer) noexcept;
  // The gathered buffer if it holds the request at `head`, else none.
  [[nodiscard]] RequestBuffer hand_over_gathered(const char* head) noexcept;

  // ---- Input.
  // Serves what is whole, gathers the rest; returns the bytes that must wait.
  [[nodiscard]] std::span<char> serve(std::span<char> bytes) noexcept;
  // Takes one step into a request; returns the bytes behind it.
  [[nodiscard]] std::span<char> advance(std::span<char> bytes) noexcept;
  // Makes the gathered buffer hold the request's bytes with room for more.
  [[nodiscard]] bool gather(const char* request, std::size_t held, std::size_t more) noexcept;
  void dispatch() noexcept;
  void hold(std::span<char> bytes) noexcept;
  void serve_held() noexcept;
  [[nodiscard]] bool has_room() const noexcept;
  void stop_reading() noexcept;
  void refuse(Refusal refusal) noexcept;

  // ---- Output.
  // What is due after input or an answer: the end of the connection, 100 Continue, the deadline.
  void settle() noexcept;
  void release_answered() noexcept;
  void detach_all() noexcept;
  void finish() noexcept;
  void abort() noexcept;
  void write_refusal() noexcept;
  void set_deadline() noexcept;

  SessionCore& core_;
  core::Transport& transport_;
  Exchange* first_ = nullptr;  // the oldest request without a sent answer
  Exchange* last_ = nullptr;
  std::size_t depth_ = 0;

  RequestBuffer gathered_;
  RequestBuffer held_;
  std::size_t held_begin_ = 0;
  std::size_t held_end_ = 0;

  std::int64_t request_begun_ns_ = 0;
  std::int64_t head_done_ns_ = 0;
  std::optional<Refusal> refusal_;
  bool serving_ = false;         // inside serve(): answers are settled when it returns
  bool closing_ = false;         // nothing further is read
  bool ended_ = false;           // the transport was told to finish or abort
  bool draining_ = false;        // the request that is being read is the last
  bool input_ended_ = false;     // the peer will send nothing more
  bool continue_due_ = false;    // 100 Continue waits for the answers before it
  bool head_done_ = false;       // of the request that is being read
  bool output_written_ = false;  // since the transport was last told

  Parser parser_;
  alignas(std::uint64_t) std::byte notes_[Exchange::kNotesBytes];  // on the head parsed last
};

class HttpSessionFactory final : public core::SessionFactory {
 public:
  // All of a core's memory for HTTP, touched only when used. The references must outlive it, and it
  // must outlive every Exchange that is still unanswered.
  HttpSessionFactory(const SessionLimits& limits, Application& application,
                     const core::TurnClock& clock, core::BlockPool& blocks,
                     HttpMetrics* metrics = nullptr);
  ~HttpSessionFactory() override;

  [[nodiscard]] core::Session* open(core::Transport& transport) noexcept override;
  void close(core::Session& session) noexcept override;
  // An exchange outlives its connection, and what makes its answer must find it there.
  [[nodiscard]] bool idle() const noexcept override { return core_.exchanges.in_use() == 0; }

  [[nodiscard]] std::size_t sessions() const noexcept { return sessions_.in_use(); }
  [[nodiscard]] std::size_t exchanges() const noexcept { return core_.exchanges.in_use(); }
  [[nodiscard]] std::size_t kept_requests() noexcept { return core_.exchanges.buffers().in_use(); }

 private:
  SessionCore core_;
  core::Slab sessions_;
};

}  // namespace tokend::http
