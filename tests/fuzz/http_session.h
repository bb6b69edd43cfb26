#pragma once
// One fuzz input through HttpSessions: what its fuzzer and the replay of its corpus share.
//
// The input: one byte of options, one byte n, then n % 16 lengths, then the stream. The stream is
// fed once whole and once cut by the lengths (cyclically, 0 counting as 256); both must lead to the
// same requests and the same bytes back. The invariants that hold for any stream are CHECKed.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "tests/http/harness.h"

namespace tokend::http::testing {

struct FuzzOutcome {
  std::vector<Seen> requests;
  std::vector<Refusal> refusals;
  std::string received;  // without 100 Continue and Connection: close
  bool finished;
};

// Answers what waits, newest first or oldest first, as the options say.
inline void release_all(Core& core, Wire& wire, bool newest_first) {
  while (!core.application.waiting.empty()) {
    core.application.release(newest_first ? core.application.waiting.size() - 1 : 0);
    wire.turn();
  }
}

inline FuzzOutcome feed(std::string_view stream, const std::vector<std::size_t>& lengths,
                        std::uint8_t options) {
  SessionLimits limits;
  limits.connections_max = 1;
  limits.exchanges_max = 8;
  limits.pipeline_depth_max = (options & 1) ? 4 : 1;
  limits.header_bytes_max = 512;
  limits.target_bytes_max = 64;
  limits.body_bytes_max = 8'192;  // a request may be larger than a small buffer
  limits.output_bytes_max = 1'024;
  limits.kept_requests_max = 16;
  Core core(limits, 64);
  core.application.number_by_arrival = true;  // when they are released depends on the pieces
  FuzzOutcome outcome;
  {
    Wire wire(core);
    std::size_t index = 0;
    // Pieces no longer than what is held at most.
    while (!stream.empty() && !wire.over()) {
      const std::size_t length = lengths.empty() ? 4'096 : lengths[index++ % lengths.size()];
      wire.send(stream.substr(0, length));
      stream.remove_prefix(std::min(length, stream.size()));
      for (int turns = 0; wire.transport.paused && !wire.over() && turns < 1'000; ++turns) {
        release_all(core, wire, options & 2);
        wire.turn();
      }
      CHECK(!wire.transport.paused || wire.over());
    }
    wire.turn();
    if (options & 4) {
      wire.send_end();
    } else if (options & 8) {
      wire.drain();
    } else if (options & 16) {
      release_all(core, wire, options & 2);  // whether an answer is owed decides what it means
      wire.deadline();
    }
    release_all(core, wire, options & 2);
    outcome.received = wire.received();
    outcome.finished = wire.transport.finished;
    CHECK(!wire.transport.aborted);

    // Everything that was taken is back, the unfinished request's buffer excepted.
    CHECK(core.factory.exchanges() == 0);
    CHECK(core.factory.kept_requests() <= 1);
    CHECK(!outcome.finished || core.factory.kept_requests() == 0);
  }
  CHECK(core.factory.kept_requests() == 0);
  CHECK(core.blocks.in_use() == 0);

  // When these are sent depends on the pieces.
  for (const std::string_view line : {std::string_view("HTTP/1.1 100 Continue\r\n\r\n"),
                                      std::string_view("Connection: close\r\n")}) {
    for (std::size_t at = 0; (at = outcome.received.find(line, at)) != std::string::npos;) {
      outcome.received.erase(at, line.size());
    }
  }
  outcome.requests = core.application.requests;
  outcome.refusals = core.application.refusals;

  // Exactly one answer for each request, at most one refusal, and that is the end. A HEAD request
  // may be what was refused, so the refusal's body may be missing.
  std::vector<Seen> asked = outcome.requests;
  std::vector<int> answers = statuses(outcome.received, asked);
  if (!answers.empty() && answers.back() == -1) {
    asked.push_back({Method::head, 1, {}, {}, {}, {}});
    answers = statuses(outcome.received, asked);
  }
  CHECK(outcome.refusals.size() <= 1);
  CHECK(outcome.refusals.empty() || outcome.finished);
  // A handler that closes leaves those behind it without an answer.
  bool closed = false;
  std::size_t expected = 0;
  for (const Seen& request : outcome.requests) {
    if (!closed) ++expected;
    closed = closed || request.path == "/close";
  }
  if (closed) {
    CHECK(answers.size() >= expected && answers.size() <= expected + 1);
  } else {
    CHECK(answers.size() == expected + outcome.refusals.size());
    CHECK(outcome.refusals.empty() || answers.back() == status_of(outcome.refusals[0]));
  }
  for (std::size_t index = 0; index < expected; ++index) {
    CHECK(answers[index] == (outcome.requests[index].path == "/empty" ? 204 : 200));
  }
  return outcome;
}

inline void run_http_session_input(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 65'536) return;
  const std::uint8_t options = data[0];
  std::vector<std::size_t> lengths;
  std::size_t at = 2;
  for (int count = data[1] % 16; count > 0 && at < size; --count, ++at) {
    lengths.push_back(data[at] ? data[at] : 256);
  }
  const std::string_view stream(reinterpret_cast<const char*>(data) + at, size - at);
  if (lengths.empty()) lengths.push_back(1);

  const FuzzOutcome whole = feed(stream, {}, options);
  const FuzzOutcome parts = feed(stream, lengths, options);
  CHECK(whole.requests == parts.requests);
  CHECK(whole.refusals == parts.refusals);
  CHECK(whole.received == parts.received);
  CHECK(whole.finished == parts.finished);
}

}  // namespace tokend::http::testing
