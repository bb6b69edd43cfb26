#include "http/api/metrics_page.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <span>
#include <string_view>
#include <utility>

#include "http/api/api.h"
#include "http/api/headers.h"
#include "http/api/metrics_text.h"

namespace tokend::api {
namespace {

using core::CoreCounter;
using Sources = MetricsPage::Sources;

constexpr std::string_view kPath = "/metrics";
constexpr std::string_view kHeaders =
    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nCache-Control: no-store\r\n";
constexpr std::size_t kTextBytesReserved = 64 * 1024;

double seconds_of(const timeval& time) noexcept {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// The second number of /proc/self/statm, in bytes; 0 where it can't be read.
std::uint64_t resident_bytes() noexcept {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (!file) return 0;
  unsigned long long total = 0;
  unsigned long long resident = 0;
  const int fields = std::fscanf(file, "%llu %llu", &total, &resident);
  std::fclose(file);
  return fields == 2 ? resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

// Named as Prometheus' own libraries name them.
void write_process(MetricsText& text, const Sources& sources) {
  text.family("process_start_time_seconds", MetricType::gauge, "When tokend was started.");
  text.sample({}, static_cast<double>(sources.started_ms) / 1e3);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  text.family("process_cpu_seconds_total", MetricType::counter, "CPU time of all threads.");
  text.sample({}, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
  text.family("process_resident_memory_bytes", MetricType::gauge, "Memory that is resident.");
  text.sample({}, resident_bytes());
  text.family("tokend_build_info", MetricType::gauge, "The version that runs.");
  text.sample(std::array{Label{"version", sources.version}}, std::uint64_t{1});
}

std::string_view path_of(std::size_t kind) noexcept {
  return kind < kRoutes.size() ? kRoutes[kind].path : std::string_view("other");
}

// Only what was asked for, so that what is never used does not fill the page.
void write_requests(MetricsText& text, const Sources& sources) {
  using http::HttpMetrics;
  text.family(
      "tokend_http_requests_total", MetricType::counter,
      "Answers, by the path that was asked for and their status; other: no path of the API, or "
      "no whole request.");
  for (std::size_t kind = 0; kind <= kRoutes.size(); ++kind) {
    for (std::size_t index = 0; index < HttpMetrics::kStatuses.size(); ++index) {
      std::uint64_t count = 0;
      for (const MetricsPage::Core& core : sources.cores) {
        count += core.http.of(kind).answers[index];
      }
      if (count == 0) continue;
      const std::string status = std::to_string(HttpMetrics::kStatuses[index]);
      text.sample(std::array{Label{"endpoint", path_of(kind)}, Label{"code", status}}, count);
    }
  }
  text.family("tokend_http_request_duration_seconds", MetricType::histogram,
              "From the loop's turn that had the whole request to the turn that answered it.");
  std::vector<const core::DurationHistogram*> durations;
  for (std::size_t kind = 0; kind <= kRoutes.size(); ++kind) {
    durations.clear();
    bool any = false;
    for (const MetricsPage::Core& core : sources.cores) {
      durations.push_back(&core.http.of(kind).durations);
      for (std::size_t bound = 0; bound <= core::DurationHistogram::kBounds; ++bound) {
        any = any || durations.back()->count(bound) > 0;
      }
    }
    if (any) text.histogram(std::array{Label{"endpoint", path_of(kind)}}, durations);
  }
}

// A sample of each core, what `value(core)` gives, with `label` beside the core's number if it has
// a name.
template <class Value>
void write_samples(MetricsText& text, const Sources& sources, Label label, Value value) {
  for (std::size_t core = 0; core < sources.cores.size(); ++core) {
    const std::string number = std::to_string(core);
    const std::array labels{Label{"core", number}, label};
    text.sample(std::span(labels).first(label.first.empty() ? 1 : 2), value(sources.cores[core]));
  }
}

void write_cores(MetricsText& text, const Sources& sources) {
  for (std::size_t index = 0; index < core::CoreMetrics::kCount; ++index) {
    const auto counter = static_cast<CoreCounter>(index);
    const bool gauge = is_gauge(counter);
    const std::string name =
        "tokend_core_" + std::string(name_of(counter)) + (gauge ? "" : "_total");
    text.family(name, gauge ? MetricType::gauge : MetricType::counter, help_of(counter));
    write_samples(text, sources, {},
                  [&](const MetricsPage::Core& core) { return core.core.get(counter); });
  }
}

void write_stores(MetricsText& text, const Sources& sources) {
  using Counters = store::Store::Counters;
  const auto write = [&](const core::Count Counters::* counter, Label label = {}) {
    write_samples(text, sources, label, [&](const MetricsPage::Core& core) -> std::uint64_t {
      return core.store.counters().*counter;
    });
  };
  text.family("tokend_cache_hits_total", MetricType::counter, "Look-ups that a cache answered.");
  write(&Counters::token_hits, {"cache", "token"});
  write(&Counters::user_hits, {"cache", "user"});
  text.family("tokend_cache_misses_total", MetricType::counter, "Look-ups that it did not.");
  write(&Counters::token_misses, {"cache", "token"});
  write(&Counters::user_misses, {"cache", "user"});
  text.family("tokend_worker_reads_total", MetricType::counter,
              "Reads given to a reader's thread.");
  write(&Counters::worker_reads);
}

void write_committer(MetricsText& text, const Sources& sources) {
  const store::Committer& committer = sources.committer;
  const store::Committer::Counters& counters = committer.counters();
  const auto counter = [&](std::string_view name, std::string_view help, const core::Count& value) {
    text.family(name, MetricType::counter, help);
    text.sample({}, value);
  };
  text.family("tokend_healthy", MetricType::gauge,
              "0 once a write has failed: nothing is written until a restart.");
  text.sample({}, std::uint64_t{committer.healthy() ? 1U : 0U});
  counter("tokend_tokens_issued_total", "Tokens issued.", counters.tokens_issued);
  counter("tokend_tokens_removed_total",
          "Tokens removed one by one: beyond a user's limit, revoked singly, or with their user.",
          counters.tokens_removed);
  counter("tokend_commit_operations_total", "Operations that were committed.", counters.operations);
  counter("tokend_commit_batches_total", "Batches that they were committed in.", counters.batches);
  counter("tokend_commit_broadcasts_total", "Batches that all caches were told of.",
          counters.broadcasts);
  text.family("tokend_commit_sync_duration_seconds", MetricType::histogram,
              "From the beginning of a batch's sync until it and all before it were durable.");
  text.histogram({}, std::array{&counters.syncs});
}

}  // namespace

http::SessionLimits metrics_page_limits() noexcept {
  http::SessionLimits limits;
  limits.connections_max = 64;
  limits.exchanges_max = 64;
  limits.pipeline_depth_max = 1;
  limits.header_bytes_max = 8 * 1024;
  limits.body_bytes_max = 1024;
  limits.kept_requests_max = 64;
  return limits;
}

void MetricsPage::tell_of(Sources sources) {
  CHECK(!sources_);
  sources_.emplace(std::move(sources));
  text_.reserve(kTextBytesReserved);
}

void MetricsPage::on_request(http::Exchange& exchange) noexcept {
  const http::Request& request = exchange.request();
  if (request.path() != kPath) {
    return exchange.answer(
        {.status = 404, .headers = kTextType, .body = "The metrics are at /metrics.\n"});
  }
  if (request.method() != http::Method::get && request.method() != http::Method::head) {
    return exchange.answer(
        {.status = 405,
         .headers = "Content-Type: text/plain; charset=utf-8\r\nAllow: GET, HEAD\r\n",
         .body = "Method Not Allowed\n"});
  }
  write_all();
  exchange.answer({.status = 200, .headers = kHeaders, .body = text_});
}

http::Answer MetricsPage::on_refusal(http::Refusal refusal) noexcept {
  return {.status = http::status_of(refusal), .headers = kTextType, .body = {}, .close = true};
}

void MetricsPage::write_all() {
  const Sources& sources = *sources_;
  text_.clear();
  MetricsText text(text_);
  write_process(text, sources);
  write_committer(text, sources);
  write_requests(text, sources);
  write_stores(text, sources);
  write_cores(text, sources);
}

}  // namespace tokend::api
