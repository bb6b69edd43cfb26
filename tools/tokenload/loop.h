#pragma once
// One thread's share of the load: an io_uring, its connections, and a turn that is always the same:
// reap what came, put together what may be sent, one send for each connection, submit and wait.
//
// Concurrency: everything on the loop's own thread. The plan is shared and constant.
//
// Invariants: a connection's send buffer is written only while no send of it is in flight. A
// connection is opened again only when no operation of the one before it can complete any more, so
// a completion never meets a stranger. Answers belong to requests in order.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/buffers.h"
#include "core/error.h"
#include "core/ring.h"
#include "tools/tokenload/answer.h"
#include "tools/tokenload/bulk_check.h"
#include "tools/tokenload/check.h"
#include "tools/tokenload/plan.h"
#include "tools/tokenload/result.h"
#include "tools/tokenload/schedule.h"

namespace tokend::load {

class LoadLoop {
 public:
  static constexpr std::size_t kCompletionsPerTake = 256;
  static constexpr unsigned kReceiveBuffers = 512;  // a power of two
  static constexpr std::size_t kReceiveBufferBytes = 8192;
  static constexpr std::int64_t kConnectTimeoutNs = 10'000'000'000;
  // How long after the measured time an answer may still come.
  static constexpr std::int64_t kDrainNs = 5'000'000'000;

  LoadLoop(const Plan& plan, std::size_t thread_index);
  ~LoadLoop();
  LoadLoop(const LoadLoop&) = delete;
  LoadLoop& operator=(const LoadLoop&) = delete;

  // Makes the ring and opens all connections. On the thread that will run the loop.
  [[nodiscard]] core::Result<void> connect_all();
  // Loads from `start_ns` (CLOCK_MONOTONIC) through warm-up and measured time, then waits for the
  // answers that are still out. A plan's rounds are the measured time, to the last answer.
  void run(std::int64_t start_ns);
  [[nodiscard]] ThreadResult& result() noexcept { return result_; }

 private:
  enum class State : std::uint8_t {
    connecting,
    open,
    closing,  // nothing is sent any more; waits for its operations to end
    closed,
    dead,  // not opened again
  };

  struct Sent {
    std::int64_t start_ns = 0;  // intended moment in an open loop
    std::uint32_t request = 0;  // of the plan's
  };

  struct Connection {
    int socket = -1;
    State state = State::closed;
    bool sending = false;
    bool receiving = false;
    bool ready = false;         // is in ready_
    bool composed = false;      // is in composed_
    bool was_answered = false;  // since it was opened
    std::uint32_t first_sent = 0;
    std::uint32_t outstanding = 0;
    std::size_t send_begin = 0;
    std::size_t send_end = 0;
    std::string partial;  // the beginning of an answer whose end has not come yet
  };

  enum class Operation : std::uint8_t { connect, receive, send };

  [[nodiscard]] core::Result<void> make_ring();
  [[nodiscard]] io_uring_sqe& prepare(Operation operation, std::size_t index) noexcept;
  void submit_and_wait(std::int64_t until_ns) noexcept;
  void wait_for_tick() noexcept;
  void reap() noexcept;
  void handle(const core::Completion& completion) noexcept;

  void open(std::size_t index) noexcept;
  void on_connected(std::size_t index, int result) noexcept;
  void arm_receive(std::size_t index) noexcept;
  void on_received(std::size_t index, const core::Completion& completion) noexcept;
  void on_bytes(std::size_t index, std::string_view bytes) noexcept;
  // What is left of `bytes` when no whole answer is in it; empty after an error, too.
  [[nodiscard]] std::string_view take_answers(std::size_t index, std::string_view bytes) noexcept;
  void on_answer(Connection& connection, std::size_t index, const Answer& answer) noexcept;
  // The verdict, and the tokens in `tokens_`.
  [[nodiscard]] Verdict check(const Answer& answer, std::uint32_t request) noexcept;
  void keep_tokens(std::uint32_t request) noexcept;
  void on_sent(std::size_t index, int result) noexcept;
  void end(Connection& connection) noexcept;
  void close_if_quiet(std::size_t index) noexcept;

  void mark_ready(std::size_t index) noexcept;
  void fill_closed_loop() noexcept;
  void fill_open_loop() noexcept;
  void compose(std::size_t index, std::int64_t start_ns) noexcept;
  void send_composed() noexcept;
  void start_send(std::size_t index) noexcept;
  [[nodiscard]] std::uint32_t next_request() noexcept;
  [[nodiscard]] bool all_dead() const noexcept { return dead_ == connections_.size(); }
  void note_error(std::string text);

  void step_phases();
  void end_measuring();
  [[nodiscard]] bool is_measured(std::int64_t moment_ns) const noexcept {
    return moment_ns >= begin_ns_ && moment_ns < end_ns_;
  }

  const Plan& plan_;
  const std::size_t thread_index_;
  AnswerFramer framer_;
  AnswerCheck check_;
  BulkCheck bulk_check_;
  std::vector<std::string_view> tokens_;  // of the answer that is being looked at
  ThreadResult result_;

  core::ReceiveBuffers buffers_;
  core::Ring ring_;  // ends before the buffers that it was lent

  std::vector<Connection> connections_;
  std::vector<Sent> sent_;              // pipeline_depth of each connection
  std::unique_ptr<char[]> send_bytes_;  // pipeline_depth * request_bytes_max of each connection
  std::size_t send_bytes_each_ = 0;
  std::deque<std::uint32_t> ready_;
  std::vector<std::uint32_t> composed_;
  std::size_t outstanding_ = 0;
  std::size_t connecting_ = 0;
  std::size_t dead_ = 0;

  std::mt19937_64 random_;
  std::size_t cursor_ = 0;           // the request that comes next
  std::uint64_t left_ = UINT64_MAX;  // requests that a plan's rounds have still for this loop
  std::optional<RateSchedule> schedule_;
  std::uint64_t scheduled_ = 0;
  std::deque<std::uint64_t> token_hashes_;

  // Moments of CLOCK_MONOTONIC. now_ns_ is read when completions were reaped.
  std::int64_t now_ns_ = 0;
  std::int64_t begin_ns_ = 0;
  std::int64_t end_ns_ = 0;
  std::int64_t measured_begin_ns_ = 0;
  std::int64_t answered_ns_ = 0;  // when the last answer came
  OwnUse use_at_begin_;
  enum class Phase : std::uint8_t { connect, warm_up, measure, drain };
  Phase phase_ = Phase::connect;
};

}  // namespace tokend::load
