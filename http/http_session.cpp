#include "http/http_session.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "core/error.h"
#include "http/response.h"

namespace tokend::http {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

ParserLimits parser_limits(const SessionLimits& limits) noexcept {
  return {limits.header_bytes_max, limits.target_bytes_max, limits.body_bytes_max,
          limits.large_body_path, std::max(limits.body_bytes_max, limits.large_body_bytes_max)};
}

std::int64_t after(std::int64_t moment_ns, std::int64_t delay_ms) noexcept {
  return moment_ns + delay_ms * core::kNanosecondsPerMillisecond;
}

}  // namespace

HttpSession::HttpSession(SessionCore& core, core::Transport& transport) noexcept
    : core_(core),
      transport_(transport),
      parser_(parser_limits(core.limits)) {
  set_deadline();
}

HttpSession::~HttpSession() {
  detach_all();
  core_.exchanges.buffers().give(gathered_);
  core_.exchanges.buffers().give(held_);
}

// ---- What the transport says.
// ----------------------------------------------------------------------

void HttpSession::on_bytes(std::span<char> bytes) noexcept {
  // Nothing behind an error or behind `Connection: close` is looked at.
  if (closing_) return;
  CHECK(!held_);  // reading was paused when bytes were held
  serving_ = true;
  const std::span<char> rest = serve(bytes);
  serving_ = false;
  if (!rest.empty()) hold(rest);
  settle();
}

void HttpSession::on_end_of_input() noexcept {
  input_ended_ = true;
  settle();
}

void HttpSession::on_deadline() noexcept {
  if (ended_) return;
  if (parser_.begun()) {
    refuse(Refusal::request_timeout);
  } else if (!first_) {
    stop_reading();
  }
  settle();
}

void HttpSession::on_output_sent() noexcept {
  serve_held();
  settle();
}

void HttpSession::on_drain() noexcept {
  draining_ = true;
  // A request whose first bytes were read is read to its end and is the last.
  if (!parser_.begun()) stop_reading();
  settle();
}

// ---- Input.
// ----------------------------------------------------------------------------------------

std::span<char> HttpSession::serve(std::span<char> bytes) noexcept {
  while (!bytes.empty() && !closing_) {
    if (!parser_.begun()) {
      const Parser::Result empty = parser_.skip_empty_lines(bytes.data(), bytes.size());
      bytes = bytes.subspan(empty.consumed);
      if (empty.status == Parser::Status::refused) {
        refuse(parser_.refusal());
        break;
      }
      if (bytes.empty() || !has_room()) break;
    }
    bytes = advance(bytes);
  }
  return closing_ ? std::span<char>() : bytes;
}

bool HttpSession::has_room() const noexcept {
  if (transport_.output().bytes() > core_.limits.output_bytes_max) return false;
  // A connection that is owed nothing goes on, to be refused with 503 if no exchange is left.
  return depth_ == 0 || (depth_ < core_.limits.pipeline_depth_max && !core_.exchanges.exhausted());
}

std::span<char> HttpSession::advance(std::span<char> bytes) noexcept {
  const bool in_parts = parser_.begun();
  char* request = bytes.data();
  std::size_t fresh = bytes.size();
  if (in_parts) {
    if (!gather(gathered_.data, parser_.held(), fresh)) {
      refuse(Refusal::overloaded);
      return {};
    }
    fresh = std::min(fresh, gathered_.capacity - parser_.held());
    CHECK(fresh > 0);
    request = gathered_.data;
    std::memcpy(request + parser_.held(), bytes.data(), fresh);
  }

  const Parser::Result result = parser_.parse(request, fresh);
  bytes = bytes.subspan(result.consumed);
  switch (result.status) {
    case Parser::Status::complete: dispatch(); return bytes;
    case Parser::Status::refused: refuse(parser_.refusal()); return {};
    case Parser::Status::need_more: break;
  }

  if (!in_parts) {
    request_begun_ns_ = core_.clock.monotonic_ns;
    head_done_ = false;
    if (!gather(request, parser_.held(), 1)) {
      refuse(Refusal::overloaded);
      return {};
    }
  }
  if (parser_.in_body() && !head_done_) {
    head_done_ = true;
    head_done_ns_ = core_.clock.monotonic_ns;
    continue_due_ = parser_.awaits_continue();
  }
  continue_due_ = continue_due_ && parser_.awaits_continue();
  return bytes;
}

bool HttpSession::gather(const char* request, std::size_t held, std::size_t more) noexcept {
  RequestBuffers& buffers = core_.exchanges.buffers();
  const std::size_t wanted = std::min(held + more, buffers.bytes_max(parser_.in_large_body()));
  if (gathered_ && gathered_.capacity >= wanted) return true;
  RequestBuffer larger = buffers.take(wanted);
  if (!larger) return false;
  std::memcpy(larger.data, request, held);
  buffers.give(gathered_);
  gathered_ = larger;
  return true;
}

void HttpSession::dispatch() noexcept {
  Exchange* exchange = core_.exchanges.take();
  if (!exchange) {
    refuse(Refusal::overloaded);
    return;
  }
  exchange->request_ = parser_.request();
  exchange->peer_ = transport_.peer();
  exchange->session_ = this;
  exchange->begun_ns_ = core_.clock.monotonic_ns;
  exchange->close_after_ = draining_ || !parser_.keep_alive();
  exchange->keep_alive_header_ = exchange->request_.minor_version() == 0;
  if (!parser_.repeated()) std::memset(notes_, 0, sizeof(notes_));
  continue_due_ = false;
  parser_.reset();
  (last_ ? last_->next_ : first_) = exchange;
  last_ = exchange;
  ++depth_;
  if (exchange->close_after_) closing_ = true;

  core_.application.on_request(*exchange);  // which may have answered it: it may be gone
  core_.exchanges.buffers().give(gathered_);
}

void HttpSession::hold(std::span<char> bytes) noexcept {
  held_ = core_.exchanges.buffers().take(bytes.size());
  if (!held_) {
    refuse(Refusal::overloaded);
    return;
  }
  std::memcpy(held_.data, bytes.data(), bytes.size());
  held_begin_ = 0;
  held_end_ = bytes.size();
  transport_.pause_reading();
}

void HttpSession::serve_held() noexcept {
  if (!held_ || serving_ || closing_) return;
  serving_ = true;
  const std::span<char> rest = serve({held_.data + held_begin_, held_end_ - held_begin_});
  serving_ = false;
  held_begin_ = held_end_ - rest.size();
  if (!rest.empty()) return;
  core_.exchanges.buffers().give(held_);
  if (!closing_) transport_.resume_reading();
}

RequestBuffer HttpSession::hand_over_gathered(const char* head) noexcept {
  if (gathered_.data != head) return {};
  const RequestBuffer gathered = gathered_;
  gathered_ = {};
  return gathered;
}

void HttpSession::stop_reading() noexcept {
  closing_ = true;
  continue_due_ = false;
}

void HttpSession::refuse(Refusal refusal) noexcept {
  if (closing_) return;
  refusal_ = refusal;
  stop_reading();
}

// ---- Output.
// ---------------------------------------------------------------------------------------

void HttpSession::on_answer(Exchange& exchange, const Answer& answer) noexcept {
  const bool is_first = &exchange == first_;
  if (core_.metrics) {
    core_.metrics->answered(exchange.kind_, answer.status,
                            core_.clock.monotonic_ns - exchange.begun_ns_);
  }
  if (answer.close) {
    exchange.close_after_ = true;
    stop_reading();
  }
  if (!ended_) {
    // The last answer before the end says so. With a refusal behind it, that one does.
    const bool last = closing_ && !refusal_ && !exchange.next_;
    const ConnectionHeader connection = exchange.close_after_ || last ? ConnectionHeader::close
                                        : exchange.keep_alive_header_ ? ConnectionHeader::keep_alive
                                                                      : ConnectionHeader::none;
    write({answer, core_.date.at(core_.clock.wall_ms), connection,
           exchange.request_.method() == Method::head},
          is_first ? transport_.output() : exchange.output_);
    output_written_ = output_written_ || is_first;
  }
  // The answer may have been made of the state, so the state goes after it was written.
  exchange.destroy_state();
  core_.exchanges.buffers().give(exchange.kept_);
  if (is_first) release_answered();
  if (serving_) return;
  serve_held();
  settle();
}

// Takes the first exchange, whose answer is in the output, and all answered ones behind it.
void HttpSession::release_answered() noexcept {
  while (true) {
    Exchange* done = first_;
    const bool close = done->close_after_;
    first_ = done->next_;
    if (!first_) last_ = nullptr;
    --depth_;
    core_.exchanges.give(*done);
    if (close) {
      // A handler closed the connection: whoever came behind it gets no answer.
      detach_all();
      refusal_.reset();
      return;
    }
    if (!first_ || !first_->answered_) return;
    if (!ended_) transport_.output().splice(first_->output_);
  }
}

void HttpSession::detach_all() noexcept {
  while (first_) {
    Exchange* exchange = first_;
    first_ = exchange->next_;
    exchange->next_ = nullptr;
    exchange->session_ = nullptr;
    if (exchange->answered_) core_.exchanges.give(*exchange);
  }
  last_ = nullptr;
  depth_ = 0;
}

void HttpSession::settle() noexcept {
  if (ended_) return;
  if (transport_.output().broken()) {
    abort();
    return;
  }
  if (input_ended_ && !closing_ && !held_) {
    // What was begun can't be completed any more.
    if (parser_.begun()) {
      refuse(Refusal::bad_request);
    } else {
      stop_reading();
    }
  }
  if (closing_) {
    core_.exchanges.buffers().give(gathered_);
    core_.exchanges.buffers().give(held_);
  }
  if (!first_) {
    if (closing_) {
      if (refusal_) write_refusal();
      finish();
      return;
    }
    if (continue_due_) {
      continue_due_ = false;
      transport_.output().append(kContinue);
      output_written_ = true;
    }
  }
  if (output_written_) {
    output_written_ = false;
    transport_.flush_later();
  }
  set_deadline();
}

void HttpSession::write_refusal() noexcept {
  const Answer answer = core_.application.on_refusal(*refusal_);
  if (core_.metrics) core_.metrics->refused(answer.status);
  write({answer, core_.date.at(core_.clock.wall_ms), ConnectionHeader::close,
         parser_.begun() && parser_.is_head()},
        transport_.output());
}

void HttpSession::finish() noexcept {
  if (transport_.output().broken()) {
    abort();
    return;
  }
  ended_ = true;
  transport_.set_deadline(core::kNoDeadline);
  transport_.flush_later();
  transport_.finish();
}

void HttpSession::abort() noexcept {
  closing_ = true;
  ended_ = true;
  transport_.set_deadline(core::kNoDeadline);
  transport_.abort();
}

void HttpSession::set_deadline() noexcept {
  const SessionLimits& limits = core_.limits;
  std::int64_t deadline_ns = core::kNoDeadline;
  if (closing_) {
    // The answers that are owed have deadlines of their own.
  } else if (parser_.begun()) {
    deadline_ns = head_done_ ? after(head_done_ns_, limits.body_timeout_ms)
                             : after(request_begun_ns_, limits.header_timeout_ms);
  } else if (!first_) {
    deadline_ns = after(core_.clock.monotonic_ns, limits.idle_timeout_ms);
  }
  transport_.set_deadline(deadline_ns);
}

// ---- The factory.
// ----------------------------------------------------------------------------------

HttpSessionFactory::HttpSessionFactory(const SessionLimits& limits, Application& application,
                                       const core::TurnClock& clock, core::BlockPool& blocks,
                                       HttpMetrics* metrics)
    : core_{limits, application, clock, ExchangePool(limits, blocks), DateLine(), metrics},
      sessions_(limits.connections_max, sizeof(HttpSession)) {}

HttpSessionFactory::~HttpSessionFactory() { CHECK(core_.exchanges.in_use() == 0); }

core::Session* HttpSessionFactory::open(core::Transport& transport) noexcept {
  void* memory = sessions_.take();
  return memory ? ::new (memory) HttpSession(core_, transport) : nullptr;
}

void HttpSessionFactory::close(core::Session& session) noexcept {
  HttpSession& closed = static_cast<HttpSession&>(session);
  closed.~HttpSession();
  sessions_.give(&closed);
}

}  // namespace tokend::http
