#include "tools/tokenload/report.h"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <utility>

namespace tokend::load {
namespace {

constexpr std::array<std::pair<const char*, double>, 6> kPercentiles{{{"p50", 50.0},
                                                                      {"p90", 90.0},
                                                                      {"p99", 99.0},
                                                                      {"p99.9", 99.9},
                                                                      {"p99.99", 99.99},
                                                                      {"max", 100.0}}};

[[gnu::format(printf, 2, 3)]] void append(std::string& out, const char* format, ...) {
  std::array<char, 512> line;
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  va_end(arguments);
  if (length > 0) out.append(line.data(), std::min<std::size_t>(length, line.size() - 1));
}

double micro(double nanoseconds) noexcept { return nanoseconds / 1e3; }
double micro(std::uint64_t nanoseconds) noexcept { return static_cast<double>(nanoseconds) / 1e3; }

void append_text(std::string& out, const Histogram& nanoseconds) {
  append(out, "mean %.1f", micro(nanoseconds.mean()));
  for (const auto& [name, percent] : kPercentiles) {
    append(out, "  %s %.1f", name, micro(nanoseconds.percentile(percent)));
  }
}

// An object, without its closing brace.
void append_json(std::string& out, const Histogram& nanoseconds) {
  append(out, "{\"mean\":%.2f", micro(nanoseconds.mean()));
  for (const auto& [name, percent] : kPercentiles) {
    append(out, ",\"%s\":%.2f", name, micro(nanoseconds.percentile(percent)));
  }
}

constexpr const char* kClientBound =
    "INVALID: client-bound (the load was the bottleneck; give it more --threads or --cpus)";

void append_errors(std::string& out, const RunResult& result) {
  if (result.errors() == 0) return;
  append(out, "errors       %lu\n", static_cast<unsigned long>(result.errors()));
  for (const auto& [status, count] : result.wrong_by_status) {
    append(out, "  wrong answers with status %d: %lu\n", status, static_cast<unsigned long>(count));
  }
  for (std::size_t i = 0; i < kVerdictCount; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    if (verdict == Verdict::right || verdict == Verdict::not_200 || result.verdicts[i] == 0) {
      continue;
    }
    append(out, "  %s: %lu\n", std::string(name_of(verdict)).c_str(),
           static_cast<unsigned long>(result.verdicts[i]));
  }
  const std::array<std::pair<const char*, std::uint64_t>, 5> counts{
      {{"answers that are not HTTP", result.malformed},
       {"connections lost", result.connections_lost},
       {"requests unanswered", result.unanswered},
       {"requests due but never sent", result.unsent},
       {"tokens that came twice", result.tokens_repeated}}};
  for (const auto& [what, count] : counts) {
    if (count > 0) append(out, "  %s: %lu\n", what, static_cast<unsigned long>(count));
  }
  if (!result.first_error.empty()) {
    out += "  first error: " + result.first_error + '\n';
  }
}

}  // namespace

std::string text_report(const Options& options, const RunResult& result) {
  std::string out;
  const std::string call(name_of(options.call));
  append(out, "tokenload    %s at %s, %zu connections, pipeline %zu, %zu thread(s), ", call.c_str(),
         options.target.c_str(), options.connections, options.pipeline_depth, options.threads);
  if (options.rate_per_second > 0) {
    append(out, "open loop of %.6g/s\n", options.rate_per_second);
  } else {
    append(out, "closed loop\n");
  }
  append(out, "throughput   %.0f requests/s (%lu of %.0f bytes in %.2f s)\n",
         result.requests_per_second, static_cast<unsigned long>(result.answers),
         result.answer_bytes, static_cast<double>(result.measured_ns) / 1e9);
  if (options.bulk_targets > 0) {
    append(out, "tokens       %.0f tokens/s (%lu)", result.tokens_per_second,
           static_cast<unsigned long>(result.tokens));
    if (result.server) {
      append(out, ", server CPU %.3f us/token", micro(result.server_cpu_ns_per_token));
    }
    out += '\n';
  }
  out += "latency us   ";
  append_text(out, result.latency_ns);
  if (options.rate_per_second > 0) {
    out += "\nsent late us ";
    append_text(out, result.late_ns);
  }
  append(out, "\nclient CPU   %.2f us/request (%.2f in user space), busiest thread %.1f %%\n",
         micro(result.client_cpu_ns_per_request), micro(result.client_user_ns_per_request),
         100 * result.client_demand);
  if (result.server) {
    append(
        out,
        "server CPU   %.2f us/request over %zu threads, busiest %.1f %%, %.1f %% of %zu CPU(s)\n",
        micro(result.server_cpu_ns_per_request), result.server->threads,
        100 * result.server->busiest_demand, 100 * result.server->cpu_share, result.server->cpus);
  }
  if (result.server && result.server->foreign_cpus) {
    append(out, "others       %.2f CPU(s) of the machine worked for neither of them\n",
           *result.server->foreign_cpus);
  }
  if (result.reconnects > 0) {
    append(out, "reconnects   %lu\n", static_cast<unsigned long>(result.reconnects));
  }
  if (options.check_unique) {
    append(out, "unique       %lu tokens, %lu repeated\n",
           static_cast<unsigned long>(result.tokens_checked),
           static_cast<unsigned long>(result.tokens_repeated));
  }
  append_errors(out, result);
  if (result.client_bound) {
    append(out, "%s\n", kClientBound);
  } else {
    append(out, "%s\n", result.errors() == 0 ? "VALID" : "FAILED: see the errors above");
  }
  return out;
}

std::string json_report(const Options& options, const RunResult& result) {
  std::string out;
  const std::string call(name_of(options.call));
  append(out, "{\"call\":\"%s\",\"connections\":%zu,\"pipeline\":%zu,\"threads\":%zu,",
         call.c_str(), options.connections, options.pipeline_depth, options.threads);
  append(out, "\"rate_per_second\":%.6g,\"verdict\":\"%s\",", options.rate_per_second,
         result.client_bound    ? "INVALID: client-bound"
         : result.errors() == 0 ? "VALID"
                                : "FAILED");
  append(out,
         "\"requests_per_second\":%.1f,\"answers\":%lu,\"answer_bytes\":%.1f,\"measured_s\":%.3f,",
         result.requests_per_second, static_cast<unsigned long>(result.answers),
         result.answer_bytes, static_cast<double>(result.measured_ns) / 1e9);
  if (options.bulk_targets > 0) {
    append(out, "\"tokens\":{\"count\":%lu,\"per_second\":%.1f",
           static_cast<unsigned long>(result.tokens), result.tokens_per_second);
    if (result.server) {
      append(out, ",\"server_cpu_us\":%.4f", micro(result.server_cpu_ns_per_token));
    }
    out += "},";
  }
  out += "\"latency_us\":";
  append_json(out, result.latency_ns);
  if (options.rate_per_second > 0) {
    out += "},\"sent_late_us\":";
    append_json(out, result.late_ns);
  }
  append(out, "},\"client\":{\"cpu_us_per_request\":%.4f,\"busiest_thread_demand\":%.4f},",
         micro(result.client_cpu_ns_per_request), result.client_demand);
  if (result.server) {
    append(out,
           "\"server\":{\"cpu_us_per_request\":%.4f,\"threads\":%zu,"
           "\"busiest_thread_demand\":%.4f,\"cpu_share\":%.4f,\"cpus\":%zu,"
           "\"foreign_cpus\":%.3f},",
           micro(result.server_cpu_ns_per_request), result.server->threads,
           result.server->busiest_demand, result.server->cpu_share, result.server->cpus,
           result.server->foreign_cpus.value_or(0.0));
  }
  append(out, "\"errors\":{\"total\":%lu,\"wrong_by_status\":{",
         static_cast<unsigned long>(result.errors()));
  const char* comma = "";
  for (const auto& [status, count] : result.wrong_by_status) {
    append(out, "%s\"%d\":%lu", comma, status, static_cast<unsigned long>(count));
    comma = ",";
  }
  append(out, "}");
  for (std::size_t i = 1; i < kVerdictCount; ++i) {
    append(out, ",\"%s\":%lu", std::string(name_of(static_cast<Verdict>(i))).c_str(),
           static_cast<unsigned long>(result.verdicts[i]));
  }
  append(out, ",\"malformed\":%lu,\"connections_lost\":%lu,\"unanswered\":%lu,\"unsent\":%lu",
         static_cast<unsigned long>(result.malformed),
         static_cast<unsigned long>(result.connections_lost),
         static_cast<unsigned long>(result.unanswered), static_cast<unsigned long>(result.unsent));
  append(out, ",\"repeated_tokens\":%lu", static_cast<unsigned long>(result.tokens_repeated));
  out += ",\"first\":\"" + escaped(result.first_error) + "\"}}\n";
  return out;
}

int exit_code_of(const RunResult& result) noexcept {
  // Wrong answers are wrong whoever was the bottleneck.
  if (result.errors() > 0) return kExitErrors;
  return result.client_bound ? kExitClientBound : kExitValid;
}

core::Result<void> write_file(const std::string& file, const std::string& content) {
  std::FILE* out = file == "-" ? stdout : std::fopen(file.c_str(), "we");
  if (!out) return core::fail(core::Errc::io, file + ": can't be written");
  const bool written = std::fwrite(content.data(), 1, content.size(), out) == content.size();
  const bool flushed = std::fflush(out) == 0;
  if (out != stdout) std::fclose(out);
  if (!written || !flushed) return core::fail(core::Errc::io, file + ": can't be written");
  return {};
}

}  // namespace tokend::load
