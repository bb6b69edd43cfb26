#pragma once
// Metrics as Prometheus reads them: its text format, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Families one after the other,
// each with its samples behind it.

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/metrics.h"

namespace tokend::api {

enum class MetricType : std::uint8_t { counter, gauge, histogram };

// A label's name and value. No value here needs escaping: a path of ours, a status, a number.
using Label = std::pair<std::string_view, std::string_view>;

class MetricsText {
 public:
  // Appends to `out`, which outlives it.
  explicit MetricsText(std::string& out) noexcept : out_(out) {}

  // `name` with the suffix that its type asks for (`_total` of a counter); it is kept until the
  // next family.
  void family(std::string_view name, MetricType type, std::string_view help) {
    name_ = name;
    out_.append("# HELP ").append(name).append(" ").append(help);
    out_.append("\n# TYPE ").append(name);
    switch (type) {
      case MetricType::counter: out_ += " counter\n"; break;
      case MetricType::gauge: out_ += " gauge\n"; break;
      case MetricType::histogram: out_ += " histogram\n"; break;
    }
  }

  void sample(std::span<const Label> labels, std::uint64_t value) {
    series({}, labels, {});
    number(value);
  }
  void sample(std::span<const Label> labels, double value) {
    series({}, labels, {});
    number(value);
  }

  // The sum of all of `histograms`, at least one, in seconds.
  void histogram(std::span<const Label> labels,
                 std::span<const core::DurationHistogram* const> histograms) {
    using Histogram = core::DurationHistogram;
    std::uint64_t count = 0;
    double sum = 0;
    for (std::size_t bound = 0; bound <= Histogram::kBounds; ++bound) {
      for (const Histogram* histogram : histograms) count += histogram->count(bound);
      char le[kNumberBytes] = "+Inf";
      std::size_t length = std::string_view("+Inf").size();
      if (bound < Histogram::kBounds)
        length = write(le, seconds(static_cast<std::uint64_t>(Histogram::bound_ns(bound))));
      series("_bucket", labels, {le, length});
      number(count);
    }
    for (const Histogram* histogram : histograms) sum += seconds(histogram->sum_ns());
    series("_sum", labels, {});
    number(sum);
    // As the buckets have it: a count of its own might tell of another moment.
    series("_count", labels, {});
    number(count);
  }

 private:
  static constexpr std::size_t kNumberBytes = 32;

  static double seconds(std::uint64_t ns) noexcept { return static_cast<double>(ns) / 1e9; }
  template <class Number>
  static std::size_t write(char (&place)[kNumberBytes], Number value) noexcept {
    return static_cast<std::size_t>(std::to_chars(place, place + kNumberBytes, value).ptr - place);
  }
  template <class Number>
  void number(Number value) {
    char text[kNumberBytes];
    out_.append(text, write(text, value)) += '\n';
  }
  void series(std::string_view suffix, std::span<const Label> labels, std::string_view le) {
    out_.append(name_).append(suffix);
    char before = '{';
    for (const auto& [name, value] : labels) {
      out_.append(1, before).append(name).append("=\"").append(value).append("\"");
      before = ',';
    }
    if (!le.empty()) {
      out_.append(1, before).append("le=\"").append(le).append("\"");
      before = ',';
    }
    if (before == ',') out_ += '}';
    out_ += ' ';
  }

  std::string& out_;
  std::string_view name_;
};

}  // namespace tokend::api
