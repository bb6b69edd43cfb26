#pragma once
// An HttpSession without a socket: a transport that records what is asked of it, an application
// that does what the path says, and a wire that holds input back while reading is paused. Receive
// buffers are made anew for every delivery, with exactly the promised padding, so that
// AddressSanitizer sees every byte too many.

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/send_buffer.h"
#include "core/session.h"
#include "http/http_session.h"
#include "http/session.h"

namespace tokend::http::testing {

class FakeTransport final : public core::Transport {
 public:
  explicit FakeTransport(core::BlockPool& pool) : output_(pool) {}

  core::SendBuffer& output() noexcept override { return output_; }
  void flush_later() noexcept override { flush_asked = true; }
  void pause_reading() noexcept override { paused = true; }
  void resume_reading() noexcept override { paused = false; }
  void set_deadline(std::int64_t monotonic_ns) noexcept override { deadline_ns = monotonic_ns; }
  void finish() noexcept override { finished = true; }
  void abort() noexcept override { aborted = true; }
  const core::PeerAddress& peer() const noexcept override { return peer_; }
  void set_peer(const core::PeerAddress& peer) noexcept override { peer_ = peer; }

  // What the kernel took since the last call.
  std::string take_output() {
    std::string bytes;
    while (const core::Block* block = output_.front()) {
      const std::size_t count = block->end - block->begin;
      bytes.append(block->data + block->begin, count);
      output_.consume(count);
    }
    return bytes;
  }

  bool flush_asked = false;
  bool paused = false;
  bool finished = false;
  bool aborted = false;
  std::int64_t deadline_ns = core::kNoDeadline;

 private:
  core::SendBuffer output_;
  core::PeerAddress peer_{.ip = {1, 2, 3}, .port = 4242};
};

// One request as an application saw it.
struct Seen {
  Method method;
  int minor_version;
  std::string path;
  std::string query;
  std::string body;
  std::string headers;  // of those in Header, "index:value;" each
  friend bool operator==(const Seen&, const Seen&) = default;
};

inline Seen seen(const Request& request) {
  Seen copy{request.method(),
            request.minor_version(),
            std::string(request.path()),
            std::string(request.query()),
            std::string(request.body()),
            {}};
  for (std::size_t index = 0; index < kHeaderCount; ++index) {
    const Header name = static_cast<Header>(index);
    if (!request.has(name)) continue;
    copy.headers += std::to_string(index) + (request.repeated(name) ? "+" : "") + ":" +
                    std::string(request.header(name)) + ";";
  }
  return copy;
}

// By path: /later is answered by release(), /keep too but keeps its request, /close closes, /empty
// is a 204, /big has a body of big_bytes; anything else is answered at once.
class ScriptedApplication final : public Application {
 public:
  void on_request(Exchange& exchange) noexcept override {
    const Request& request = exchange.request();
    // simdjson would read this far.
    for (std::size_t index = 0; index < core::kReceivePaddingBytes; ++index) {
      padding_ = request.body().data()[request.body().size() + index];
    }
    requests.push_back(seen(request));
    const std::string_view path = request.path();
    if (path == "/later") {
      wait(exchange);
    } else if (path == "/kind") {
      exchange.set_kind(1);
      exchange.answer({200, "X: 1\r\n", path, false});
    } else if (path == "/keep") {
      kept_ok = exchange.keep_request() && exchange.keep_request();
      wait(exchange);
    } else if (path == "/close") {
      exchange.answer({200, "X: 1\r\n", "bye", true});
    } else if (path == "/empty") {
      exchange.answer({204, "X: 1\r\n", "", false});
    } else if (path == "/big") {
      exchange.answer({200, "X: 1\r\n", std::string(big_bytes, 'b'), false});
    } else {
      exchange.answer({200, "X: 1\r\n", path, false});
    }
  }

  Answer on_refusal(Refusal refusal) noexcept override {
    refusals.push_back(refusal);
    return {status_of(refusal), refusal == Refusal::overloaded ? "Retry-After: 1\r\n" : "",
            "refused", false};
  }

  // Answers what waits at `index`.
  void release(std::size_t index = 0, bool close = false) {
    Exchange* exchange = waiting[index];
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(index));
    const int arrival = arrivals_[index];
    arrivals_.erase(arrivals_.begin() + static_cast<std::ptrdiff_t>(index));
    ++released_;
    const std::string body = "late " + std::to_string(number_by_arrival ? arrival : released_);
    exchange->answer({200, "X: 1\r\n", body, close});
  }

  bool number_by_arrival = false;  // the bodies of late answers, instead of by release
  bool kept_ok = false;
  std::size_t big_bytes = 0;
  std::vector<Seen> requests;
  std::vector<Refusal> refusals;
  std::deque<Exchange*> waiting;

 private:
  void wait(Exchange& exchange) {
    waiting.push_back(&exchange);
    arrivals_.push_back(++arrived_);
  }

  std::deque<int> arrivals_;  // of those in `waiting`
  int arrived_ = 0;
  int released_ = 0;
  volatile char padding_ = 0;
};

// One core's parts, made with given limits.
struct Core {
  static constexpr std::size_t kKinds = 2;
  explicit Core(const SessionLimits& session_limits = {}, std::size_t blocks_max = 256)
      : limits(session_limits),
        blocks(blocks_max),
        factory(limits, application, clock, blocks, &metrics) {}

  SessionLimits limits;
  core::TurnClock clock{.monotonic_ns = 1'000'000'000'000, .wall_ms = 784'111'777'000};
  core::BlockPool blocks;
  ScriptedApplication application;
  HttpMetrics metrics{kKinds};
  HttpSessionFactory factory;
};

// One connection.
class Wire {
 public:
  explicit Wire(Core& core) : core_(core), transport(core.blocks) {
    session_ = core.factory.open(transport);
  }
  ~Wire() { close(); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void close() {
    if (session_) core_.factory.close(*session_);
    session_ = nullptr;
  }

  // What arrives, in one piece; held back while reading is paused.
  void send(std::string_view bytes) {
    if (!bytes.empty()) arriving_.emplace_back(bytes);
    deliver();
  }
  // What arrives, in pieces of `piece_bytes`.
  void send_in_pieces(std::string_view bytes, std::size_t piece_bytes) {
    while (!bytes.empty()) {
      send(bytes.substr(0, piece_bytes));
      bytes.remove_prefix(std::min(piece_bytes, bytes.size()));
    }
  }
  void send_end() {
    end_arrived_ = true;
    deliver();
  }
  void deadline() { session_->on_deadline(); }
  void drain() { session_->on_drain(); }

  // One turn of a loop: the output is taken by the kernel, input that waited is delivered.
  void turn() {
    const std::string bytes = transport.take_output();
    received_ += bytes;
    if (!over() && !bytes.empty()) session_->on_output_sent();
    deliver();
  }
  // Everything that was answered so far.
  const std::string& received() {
    turn();
    received_ += transport.take_output();
    return received_;
  }
  std::string exchange(std::string_view bytes) {
    const std::size_t before = received().size();
    send(bytes);
    return received().substr(before);
  }
  [[nodiscard]] bool over() const { return transport.finished || transport.aborted; }

 private:
  Core& core_;
  std::deque<std::string> arriving_;
  bool end_arrived_ = false;
  bool end_told_ = false;
  std::string received_;

  void deliver() {
    while (!over() && !transport.paused && !arriving_.empty()) {
      const std::string piece = std::move(arriving_.front());
      arriving_.pop_front();
      const auto buffer =
          std::make_unique_for_overwrite<char[]>(piece.size() + core::kReceivePaddingBytes);
      std::memcpy(buffer.get(), piece.data(), piece.size());
      std::memset(buffer.get() + piece.size(), 'p', core::kReceivePaddingBytes);
      session_->on_bytes({buffer.get(), piece.size()});
    }
    if (!over() && !transport.paused && arriving_.empty() && end_arrived_ && !end_told_) {
      end_told_ = true;
      session_->on_end_of_input();
    }
  }

 public:
  FakeTransport transport;

 private:
  core::Session* session_ = nullptr;
};

// Statuses of the answers in `bytes`, in order; -1 for what is not an answer. `methods` tells which
// answers have no body.
inline std::vector<int> statuses(std::string_view bytes, const std::vector<Seen>& requests = {}) {
  std::vector<int> found;
  std::size_t index = 0;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (!bytes.starts_with("HTTP/1.1 ") || end == std::string_view::npos) {
      found.push_back(-1);
      break;
    }
    const std::string_view head = bytes.substr(0, end + 2);
    const int status = std::stoi(std::string(head.substr(9, 3)));
    found.push_back(status);
    bytes.remove_prefix(end + 4);
    if (status == 100) continue;
    const bool bodiless =
        (index < requests.size() && requests[index].method == Method::head) || status == 204;
    ++index;
    constexpr std::string_view kLength = "Content-Length: ";
    const std::size_t length = head.find(kLength);
    if (bodiless || length == std::string_view::npos) continue;
    const std::size_t count = std::stoul(std::string(head.substr(length + kLength.size())));
    if (count > bytes.size()) {
      found.push_back(-1);
      break;
    }
    bytes.remove_prefix(count);
  }
  return found;
}

}  // namespace tokend::http::testing
