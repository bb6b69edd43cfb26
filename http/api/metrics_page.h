#pragma once
// GET /metrics for Prometheus: what cores, API, store and committer count. It has an address of its
// own (--metrics-listen), where nothing else is served and nobody is asked who they are: it tells
// how much is issued and refused, of nobody in particular, and belongs into a network of the
// operator's.
//
// What is counted of requests is summed up over the cores; what tells whether the cores share
// anything (turns, messages, wake-ups) is told of each.
//
// Concurrency: one core's, as any Application; it reads what all cores write (core/metrics.h). A
// request for it allocates while the text grows, makes system calls (the process'
// times and memory), and takes the loop some 55 us and 3 more for each core.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/metrics.h"
#include "http/metrics.h"
#include "http/session.h"
#include "store/committer.h"
#include "store/store.h"

namespace tokend::api {

// Enough for who reads it: a few connections, one request on each at a time.
[[nodiscard]] http::SessionLimits metrics_page_limits() noexcept;

class MetricsPage final : public http::Application {
 public:
  struct Core {
    const core::CoreMetrics& core;
    const http::HttpMetrics& http;  // of the kinds of the Api (http/api/api.h)
    const store::Store& store;
  };
  // What is to be told of, all of which outlives it.
  struct Sources {
    std::vector<Core> cores;
    const store::Committer& committer;
    std::string version;
    std::int64_t started_ms = 0;  // wall clock
  };

  // Before threads run.
  void tell_of(Sources sources);

  void on_request(http::Exchange& exchange) noexcept override;
  [[nodiscard]] http::Answer on_refusal(http::Refusal refusal) noexcept override;

 private:
  void write_all();

  std::optional<Sources> sources_;
  std::string text_;
};

}  // namespace tokend::api
