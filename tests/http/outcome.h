#pragma once
// What became of a stream of bytes: the tests of the parser compare whole streams with pieces.

#include <string_view>
#include <vector>

#include "tests/http/harness.h"

namespace tokend::http::testing {

// What a stream of bytes led to, whatever pieces it came in.
struct Outcome {
  std::vector<Seen> requests;
  std::vector<Refusal> refusals;
  std::vector<int> statuses;
  bool finished;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

inline Outcome outcome_of(std::string_view stream, const std::vector<std::size_t>& splits,
                          const SessionLimits& limits = {}) {
  Core core(limits, 32);
  Wire wire(core);
  std::size_t begin = 0;
  for (const std::size_t split : splits) {
    wire.send(stream.substr(begin, split - begin));
    wire.turn();
    begin = split;
  }
  wire.send(stream.substr(begin));
  Outcome outcome{core.application.requests, core.application.refusals,
                  statuses(wire.received(), core.application.requests), wire.transport.finished};
  std::erase(outcome.statuses, 100);
  return outcome;
}

inline Outcome outcome_of(std::string_view stream) { return outcome_of(stream, {}); }

}  // namespace tokend::http::testing
