// What is sent, when, and on which connection (tools/tokenload/loop.h).

#include <sys/socket.h>

#include <cstring>

#include "core/clock.h"
#include "tools/tokenload/loop.h"

namespace tokend::load {

void LoadLoop::mark_ready(std::size_t index) noexcept {
  Connection& connection = connections_[index];
  if (connection.ready || connection.sending || connection.state != State::open ||
      connection.outstanding == plan_.pipeline_depth) {
    return;
  }
  connection.ready = true;
  ready_.push_back(static_cast<std::uint32_t>(index));
}

void LoadLoop::fill_closed_loop() noexcept {
  // Read again here: the time that reaping took is not the server's.
  const std::int64_t start_ns = core::SystemClock().monotonic_ns();
  while (!ready_.empty()) {
    const std::uint32_t index = ready_.front();
    ready_.pop_front();
    Connection& connection = connections_[index];
    connection.ready = false;
    if (connection.sending || connection.state != State::open) continue;
    while (connection.outstanding < plan_.pipeline_depth && left_ > 0) compose(index, start_ns);
  }
  send_composed();
}

void LoadLoop::fill_open_loop() noexcept {
  while (!ready_.empty()) {
    const std::int64_t intended_ns = schedule_->intended_ns(scheduled_);
    if (intended_ns > now_ns_ || intended_ns >= end_ns_) break;
    const std::uint32_t index = ready_.front();
    ready_.pop_front();
    Connection& connection = connections_[index];
    connection.ready = false;
    if (connection.sending || connection.state != State::open) continue;
    if (is_measured(intended_ns)) {
      result_.late_ns.record(static_cast<std::uint64_t>(now_ns_ - intended_ns));
    }
    compose(index, intended_ns);
    ++scheduled_;
    mark_ready(index);  // behind the others
  }
  send_composed();
}

void LoadLoop::compose(std::size_t index, std::int64_t start_ns) noexcept {
  Connection& connection = connections_[index];
  const std::uint32_t request = next_request();
  const std::string_view tail = plan_.tails[request];
  char* out = send_bytes_.get() + index * send_bytes_each_ + connection.send_end;
  std::memcpy(out, plan_.head.data(), plan_.head.size());
  std::memcpy(out + plan_.head.size(), tail.data(), tail.size());
  connection.send_end += plan_.head.size() + tail.size();

  std::size_t place = connection.first_sent + connection.outstanding;
  if (place >= plan_.pipeline_depth) place -= plan_.pipeline_depth;
  sent_[index * plan_.pipeline_depth + place] = {.start_ns = start_ns, .request = request};
  ++connection.outstanding;
  ++outstanding_;
  if (!connection.composed) {
    connection.composed = true;
    composed_.push_back(static_cast<std::uint32_t>(index));
  }
}

void LoadLoop::send_composed() noexcept {
  for (const std::uint32_t index : composed_) {
    connections_[index].composed = false;
    start_send(index);
  }
  composed_.clear();
}

void LoadLoop::start_send(std::size_t index) noexcept {
  Connection& connection = connections_[index];
  io_uring_prep_send(&prepare(Operation::send, index), connection.socket,
                     send_bytes_.get() + index * send_bytes_each_ + connection.send_begin,
                     connection.send_end - connection.send_begin, MSG_NOSIGNAL);
  connection.sending = true;
}

std::uint32_t LoadLoop::next_request() noexcept {
  const std::size_t count = plan_.tails.size();
  if (plan_.rounds > 0) --left_;
  if (plan_.order == Order::random) return static_cast<std::uint32_t>(random_() % count);
  if (cursor_ >= count) cursor_ = 0;
  return static_cast<std::uint32_t>(cursor_++);
}

}  // namespace tokend::load
