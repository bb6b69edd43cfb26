#include "tools/tokenload/loop.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <span>

#include "core/clock.h"
#include "tools/tokenload/control.h"

namespace tokend::load {

using core::Errc;
using core::fail;
using core::Result;

namespace {

constexpr unsigned kCompletionEntriesMax = 65'536;
constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr std::size_t kErrorBodyBytes = 200;  // of a wrong answer, in the report

std::int64_t monotonic_ns() noexcept { return core::SystemClock().monotonic_ns(); }

// 64 bits of a token for --check-unique: two tokens that share them by chance are not to be
// expected before four billion tokens.
std::uint64_t hash_of(std::string_view token) noexcept {
  CHECK(token.size() == kTokenCharacters);
  std::uint64_t hash = 0;
  const auto mix = [&](std::size_t offset) {
    std::uint64_t word = 0;
    std::memcpy(&word, token.data() + offset, sizeof(word));
    hash = (std::rotl(hash, 29) ^ word) * 0x9e3779b97f4a7c15U;
  };
  for (std::size_t i = 0; i + sizeof(std::uint64_t) <= kTokenCharacters; i += sizeof(std::uint64_t))
    mix(i);
  mix(kTokenCharacters - sizeof(std::uint64_t));  // the rest, together with some of before
  return hash;
}

}  // namespace

LoadLoop::LoadLoop(const Plan& plan, std::size_t thread_index)
    : plan_(plan),
      thread_index_(thread_index),
      check_(plan.call, plan.constant),
      buffers_(kReceiveBuffers, kReceiveBufferBytes),
      random_(plan.seed + thread_index),
      cursor_(plan.tails.size() * thread_index / plan.threads) {
  if (plan.rounds > 0) {
    // Its share of all requests of all rounds, which are one long row.
    const std::uint64_t all = plan.tails.size() * plan.rounds;
    const std::uint64_t begin = all * thread_index / plan.threads;
    left_ = all * (thread_index + 1) / plan.threads - begin;
    cursor_ = begin % plan.tails.size();
  }
  const std::size_t share =
      plan.connections / plan.threads + (thread_index < plan.connections % plan.threads ? 1 : 0);
  connections_.resize(share);
  sent_.resize(share * plan.pipeline_depth);
  send_bytes_each_ = plan.pipeline_depth * plan.request_bytes_max;
  send_bytes_ = std::make_unique_for_overwrite<char[]>(share * send_bytes_each_);
  composed_.reserve(share);
}

LoadLoop::~LoadLoop() {
  for (const Connection& connection : connections_) {
    if (connection.socket >= 0) close(connection.socket);
  }
}

// ---- The ring. ---------------------------------------------------------------------------------

Result<void> LoadLoop::make_ring() {
  core::RingOptions options;
  // A receive and a send of each connection can be there at once, and some receive twice.
  options.completions =
      std::bit_ceil(std::max(options.completions, 4 * static_cast<unsigned>(connections_.size())));
  options.completions = std::min(options.completions, kCompletionEntriesMax);
  if (auto opened = ring_.open(options); !opened) return opened;
  if (auto enabled = ring_.enable(); !enabled) return enabled;
  return buffers_.lend_to(ring_);
}

io_uring_sqe& LoadLoop::prepare(Operation operation, std::size_t index) noexcept {
  return ring_.prepare(core::Tag{.kind = static_cast<std::uint8_t>(operation),
                                 .index = static_cast<std::uint32_t>(index)});
}

void LoadLoop::submit_and_wait(std::int64_t until_ns) noexcept {
  ring_.submit_and_wait(std::max<std::int64_t>(until_ns - monotonic_ns(), 0));
  now_ns_ = monotonic_ns();
}

// More completions than there can be are waited for, so the tick ends it, whatever comes meanwhile.
void LoadLoop::wait_for_tick() noexcept {
  const std::int64_t until_ns = (now_ns_ / plan_.tick_ns + 1) * plan_.tick_ns;
  ring_.submit_and_wait(std::max<std::int64_t>(until_ns - monotonic_ns(), 0),
                        kCompletionEntriesMax);
  now_ns_ = monotonic_ns();
}

void LoadLoop::reap() noexcept {
  std::array<core::Completion, kCompletionsPerTake> completions;
  std::size_t count = 0;
  do {
    count = ring_.take(completions);
    for (std::size_t i = 0; i < count; ++i) handle(completions[i]);
  } while (count == completions.size());
  buffers_.publish();
}

void LoadLoop::handle(const core::Completion& completion) noexcept {
  const core::Tag tag = core::Tag::unpack(completion.user_data);
  switch (static_cast<Operation>(tag.kind)) {
    case Operation::connect: on_connected(tag.index, completion.result); break;
    case Operation::receive: on_received(tag.index, completion); break;
    case Operation::send: on_sent(tag.index, completion.result); break;
  }
}

// ---- A connection's life. ----------------------------------------------------------------------

Result<void> LoadLoop::connect_all() {
  if (auto made = make_ring(); !made) return made;
  now_ns_ = monotonic_ns();
  const std::int64_t give_up_ns = now_ns_ + kConnectTimeoutNs;
  // Opened in portions: a listen queue is finite, and what does not fit into it waits a second.
  constexpr std::size_t kConnectingMax = 256;
  std::size_t opened = 0;
  while (opened < connections_.size() || connecting_ > 0) {
    while (opened < connections_.size() && connecting_ < kConnectingMax) open(opened++);
    if (!result_.first_error.empty()) return fail(Errc::io, result_.first_error);
    submit_and_wait(std::min(give_up_ns, now_ns_ + kNanosecondsPerSecond));
    reap();
    if (!result_.first_error.empty()) return fail(Errc::io, result_.first_error);
    if (now_ns_ >= give_up_ns && connecting_ > 0) {
      return fail(Errc::io, explain_connect_error(plan_.endpoint, ETIMEDOUT));
    }
  }
  return {};
}

void LoadLoop::open(std::size_t index) noexcept {
  Connection& connection = connections_[index];
  CHECK(connection.state == State::closed && connection.outstanding == 0);
  connection.socket =
      socket(plan_.endpoint.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  if (connection.socket < 0) {
    note_error(explain_connect_error(plan_.endpoint, errno));
    connection.state = State::dead;
    ++dead_;
    return;
  }
  const int on = 1;
  setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  connection.state = State::connecting;
  connection.was_answered = false;
  connection.partial.clear();
  ++connecting_;
  io_uring_prep_connect(&prepare(Operation::connect, index), connection.socket,
                        reinterpret_cast<const sockaddr*>(&plan_.endpoint.address),
                        plan_.endpoint.address_bytes);
}

void LoadLoop::on_connected(std::size_t index, int result) noexcept {
  Connection& connection = connections_[index];
  --connecting_;
  if (result < 0) {
    note_error(explain_connect_error(plan_.endpoint, -result));
    ++result_.connections_lost;
    close(connection.socket);
    connection.socket = -1;
    connection.state = State::dead;
    ++dead_;
    return;
  }
  connection.state = State::open;
  arm_receive(index);
  mark_ready(index);
}

void LoadLoop::arm_receive(std::size_t index) noexcept {
  Connection& connection = connections_[index];
  io_uring_sqe& entry = prepare(Operation::receive, index);
  io_uring_prep_recv_multishot(&entry, connection.socket, nullptr, 0, 0);
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.buf_group = core::ReceiveBuffers::kGroup;
  connection.receiving = true;
}

void LoadLoop::on_received(std::size_t index, const core::Completion& completion) noexcept {
  Connection& connection = connections_[index];
  if (!completion.more()) connection.receiving = false;
  if (completion.flags & IORING_CQE_F_BUFFER) {
    // Behind an answer that closes the connection, or an error, nothing is an answer.
    if (completion.result > 0 && connection.state == State::open) {
      const std::span<char> bytes = buffers_.bytes_of(completion);
      on_bytes(index, {bytes.data(), bytes.size()});
    }
    buffers_.give_back(completion);
  }
  // Starved of buffers: they are back by the time that a new receive is submitted.
  const bool starved = completion.result == -ENOBUFS;
  if (completion.result <= 0 && !starved) end(connection);
  if (!connection.receiving && connection.state == State::open) arm_receive(index);
  close_if_quiet(index);
}

void LoadLoop::on_bytes(std::size_t index, std::string_view bytes) noexcept {
  Connection& connection = connections_[index];
  if (connection.partial.empty()) {
    const std::string_view left = take_answers(index, bytes);
    if (!left.empty()) connection.partial.assign(left);
  } else {
    connection.partial += bytes;
    const std::size_t left = take_answers(index, connection.partial).size();
    connection.partial.erase(0, connection.partial.size() - left);
  }
}

std::string_view LoadLoop::take_answers(std::size_t index, std::string_view bytes) noexcept {
  Connection& connection = connections_[index];
  while (!bytes.empty()) {
    Answer answer;
    const Framing framing = framer_.parse(bytes, answer);
    if (framing == Framing::incomplete) return bytes;
    if (framing == Framing::malformed || connection.outstanding == 0) {
      ++result_.malformed;
      note_error(framing == Framing::malformed ? "an answer is not HTTP/1.1 with Content-Length"
                                               : "an answer came without a request");
      end(connection);
      return {};
    }
    on_answer(connection, index, answer);
    bytes.remove_prefix(answer.bytes);
    if (answer.close) {
      end(connection);
      return {};
    }
  }
  return bytes;
}

void LoadLoop::on_answer(Connection& connection, std::size_t index, const Answer& answer) noexcept {
  const Sent& sent = sent_[index * plan_.pipeline_depth + connection.first_sent];
  if (++connection.first_sent == plan_.pipeline_depth) connection.first_sent = 0;
  --connection.outstanding;
  --outstanding_;
  connection.was_answered = true;
  answered_ns_ = now_ns_;
  const Verdict verdict = check(answer, sent.request);
  ++result_.verdicts[static_cast<std::size_t>(verdict)];
  if (verdict == Verdict::right) {
    if (phase_ == Phase::measure) {
      ++result_.answers;
      result_.answers_bytes += answer.bytes;
      result_.tokens += tokens_.size();
    }
    if (is_measured(sent.start_ns)) {
      result_.latency_ns.record(
          static_cast<std::uint64_t>(std::max<std::int64_t>(now_ns_ - sent.start_ns, 0)));
    }
    if (plan_.check_unique) {
      for (const std::string_view token : tokens_) token_hashes_.push_back(hash_of(token));
    }
    if (plan_.keep_tokens) keep_tokens(sent.request);
  } else {
    ++result_.wrong_by_status[answer.status];
    // The body of a 200 may hold a token, and a token is not for a report.
    std::string text = "status " + std::to_string(answer.status) + ", ";
    text += verdict == Verdict::not_200 ? answer.body.substr(0, kErrorBodyBytes) : name_of(verdict);
    if (verdict == Verdict::entry_refused) {
      text += ", the first " + std::string(bulk_check_.refused_entry().substr(0, kErrorBodyBytes));
    }
    note_error(std::move(text));
  }
  mark_ready(index);
}

Verdict LoadLoop::check(const Answer& answer, std::uint32_t request) noexcept {
  tokens_.clear();
  if (plan_.call != Call::create_tokens || plan_.constant) {
    const Verdict verdict = check_.check(answer, plan_.target_ids[request]);
    if (!check_.token().empty()) tokens_.push_back(check_.token());
    return verdict;
  }
  const std::size_t first = request * plan_.targets_each;
  const std::size_t count = std::min(plan_.targets_each, plan_.target_ids.size() - first);
  const Verdict verdict = bulk_check_.check(answer, plan_.target_ids, first, count);
  tokens_.assign(bulk_check_.tokens().begin(), bulk_check_.tokens().end());
  return verdict;
}

void LoadLoop::keep_tokens(std::uint32_t request) noexcept {
  std::size_t target = request * plan_.targets_each;
  for (const std::string_view token : tokens_) {
    result_.tokens_kept += plan_.target_ids[target++];
    result_.tokens_kept += ' ';
    result_.tokens_kept += token;
    result_.tokens_kept += '\n';
  }
}

void LoadLoop::on_sent(std::size_t index, int result) noexcept {
  Connection& connection = connections_[index];
  connection.sending = false;
  if (result <= 0) {
    end(connection);
  } else {
    connection.send_begin += static_cast<std::size_t>(result);
    if (connection.send_begin < connection.send_end) {
      if (connection.state == State::open) start_send(index);
    } else {
      connection.send_begin = connection.send_end = 0;
      mark_ready(index);
    }
  }
  close_if_quiet(index);
}

// Idempotent. The shutdown makes whatever the kernel still holds for the connection complete.
void LoadLoop::end(Connection& connection) noexcept {
  if (connection.state != State::open && connection.state != State::closing) return;
  connection.state = State::closing;
  shutdown(connection.socket, SHUT_RDWR);
}

void LoadLoop::close_if_quiet(std::size_t index) noexcept {
  Connection& connection = connections_[index];
  if (connection.state != State::closing || connection.receiving || connection.sending) return;
  close(connection.socket);
  connection.socket = -1;
  const bool refused = !connection.was_answered;
  if (connection.outstanding > 0 || refused) {
    ++result_.connections_lost;
    note_error(refused ? "the server closed a connection without an answer (its limit?)"
                       : "the server closed a connection with requests unanswered");
  }
  result_.unanswered += connection.outstanding;
  outstanding_ -= connection.outstanding;
  connection.outstanding = connection.first_sent = 0;
  connection.send_begin = connection.send_end = 0;
  connection.state = State::closed;
  // A server that refuses would refuse again at once, and a drain needs no new connections.
  if (refused || phase_ == Phase::drain) {
    connection.state = State::dead;
    ++dead_;
  } else {
    ++result_.reconnects;
    open(index);
  }
}

void LoadLoop::note_error(std::string text) {
  if (result_.first_error.empty()) result_.first_error = std::move(text);
}

}  // namespace tokend::load
