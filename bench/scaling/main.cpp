// Simulates tokend on so many processors with so many store shards (model.h).
//
// usage: scaling [--NAME VALUE...]
// Each cost and each figure of the scenario has a flag; --help lists them with their defaults.
// Without --processors: a table in Markdown for 1 to 128 processors and 1 to 8 shards, the peak in
// a closed loop, the latency in an open one at half of that peak. With it: that one scenario, as
// JSON. Exit code 64: wrong usage.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bench/scaling/model.h"

namespace {

using tokend::scaling::Costs;
using tokend::scaling::Outcome;
using tokend::scaling::Scenario;
using tokend::scaling::simulate;

constexpr int kExitUsage = 64;
constexpr double kProcessorsMax = 1024;
constexpr double kShardsMax = 16;  // as tokend

struct Flag {
  const char* name;
  double* value;
  double least;
  double greatest;
};

void print_row(const Scenario& scenario, const Costs& costs) {
  const Outcome peak = simulate(scenario, costs);
  Scenario half = scenario;
  half.rate = peak.tokens_per_second / 2;
  const Outcome calm = simulate(half, costs);
  std::printf("| %zu | %zu | %.2f | %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.0f | %.0f | %.0f |\n",
              scenario.processors, scenario.shards, peak.tokens_per_second / 1e6, peak.saturated(),
              peak.processors_busy, peak.committer_busy, peak.shards_busy, peak.keeper_busy,
              peak.disk_busy, peak.batch_tokens_mean, calm.latency_us_p50, calm.latency_us_p99);
  std::fflush(stdout);
}

void print_table(Scenario scenario, const Costs& costs) {
  std::printf(
      "| processors | shards | million tokens/s | what is saturated | processors busy | "
      "committer busy | shards busy | keeper busy | disk busy | tokens a batch | p50 us at half | "
      "p99 us at half |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const std::size_t processors : {1, 2, 4, 8, 16, 32, 64, 128}) {
    for (const std::size_t shards : {1, 2, 4, 8}) {
      if (shards > processors) continue;
      scenario.processors = processors;
      scenario.shards = shards;
      print_row(scenario, costs);
    }
  }
}

void print_json(const Scenario& scenario, const Costs& costs) {
  const Outcome outcome = simulate(scenario, costs);
  std::printf(
      "{\"processors\":%zu,\"shards\":%zu,\"tokens_per_second\":%.0f,\"saturated\":\"%s\","
      "\"latency_us\":{\"mean\":%.1f,\"p50\":%.1f,\"p99\":%.1f},\"batch_tokens_mean\":%.1f,"
      "\"busy\":{\"processors\":%.3f,\"loops\":%.3f,\"committer\":%.3f,\"shards\":%.3f,"
      "\"keeper\":%.3f,\"disk\":%.3f}}\n",
      scenario.processors, scenario.shards, outcome.tokens_per_second, outcome.saturated(),
      outcome.latency_us_mean, outcome.latency_us_p50, outcome.latency_us_p99,
      outcome.batch_tokens_mean, outcome.processors_busy, outcome.loops_busy,
      outcome.committer_busy, outcome.shards_busy, outcome.keeper_busy, outcome.disk_busy);
}

}  // namespace

int main(int argc, char** argv) {
  Scenario scenario;
  Costs costs;
  double processors = 0;
  double shards = 1;
  auto in_flight = static_cast<double>(scenario.in_flight);
  auto seed = static_cast<double>(scenario.seed);
  constexpr double kNsMax = 1e9;
  const std::array flags{Flag{"processors", &processors, 1, kProcessorsMax},
                         Flag{"shards", &shards, 1, kShardsMax},
                         Flag{"in-flight", &in_flight, 1, 1e6},
                         Flag{"rate", &scenario.rate, 0, 1e9},
                         Flag{"seconds", &scenario.seconds, 1e-3, 1e3},
                         Flag{"seed", &seed, 0, 1e9},
                         Flag{"loop-turn-ns", &costs.loop_turn, 0, kNsMax},
                         Flag{"loop-token-ns", &costs.loop_token, 1, kNsMax},
                         Flag{"loop-cross-ns", &costs.loop_cross, 0, kNsMax},
                         Flag{"committer-batch-ns", &costs.committer_batch, 0, kNsMax},
                         Flag{"committer-token-ns", &costs.committer_token, 0, kNsMax},
                         Flag{"committer-cross-ns", &costs.committer_cross, 0, kNsMax},
                         Flag{"shard-batch-ns", &costs.shard_batch, 0, kNsMax},
                         Flag{"shard-token-ns", &costs.shard_token, 1, kNsMax},
                         Flag{"shard-cross-ns", &costs.shard_cross, 0, kNsMax},
                         Flag{"commit-batch-ns", &costs.commit_batch, 0, kNsMax},
                         Flag{"commit-token-ns", &costs.commit_token, 1, kNsMax},
                         Flag{"commit-cross-ns", &costs.commit_cross, 0, kNsMax},
                         Flag{"keeper-token-ns", &costs.keeper_token, 0, kNsMax},
                         Flag{"post-ns", &costs.post, 0, kNsMax},
                         Flag{"wake-ns", &costs.wake, 0, kNsMax},
                         Flag{"client-token-ns", &costs.client_token, 0, kNsMax},
                         Flag{"disk-write-ns", &costs.disk_write, 0, kNsMax},
                         Flag{"disk-kib-ns", &costs.disk_kib, 0, kNsMax},
                         Flag{"disk-delay-ns", &costs.disk_delay, 0, kNsMax},
                         Flag{"disk-spread", &costs.disk_spread, 0, 3},
                         Flag{"journal-bytes", &costs.journal_bytes, 0, 1e6},
                         Flag{"table-bytes", &costs.table_bytes, 0, 1e6}};
  const auto usage = [&flags](std::FILE* to) {
    std::fprintf(to, "usage: scaling [--NAME VALUE...]\n");
    for (const Flag& flag : flags) std::fprintf(to, "  --%s  (%g)\n", flag.name, *flag.value);
  };
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--help") {
      usage(stdout);
      return 0;
    }
    char* end = nullptr;
    const double value = i + 1 < argc ? std::strtod(argv[i + 1], &end) : NAN;
    bool taken = false;
    for (const Flag& flag : flags) {
      if (!name.starts_with("--") || name.substr(2) != flag.name) continue;
      if (!end || end == argv[i + 1] || *end != '\0' || !(value >= flag.least) ||
          !(value <= flag.greatest)) {
        std::fprintf(stderr, "%s: a number from %g to %g\n", argv[i], flag.least, flag.greatest);
        return kExitUsage;
      }
      *flag.value = value;
      taken = true;
    }
    if (!taken) {
      usage(stderr);
      return kExitUsage;
    }
  }
  scenario.shards = static_cast<std::size_t>(shards);
  scenario.in_flight = static_cast<std::size_t>(in_flight);
  scenario.seed = static_cast<std::uint64_t>(seed);
  if (processors == 0) {
    print_table(scenario, costs);
  } else {
    scenario.processors = static_cast<std::size_t>(processors);
    print_json(scenario, costs);
  }
  return 0;
}
