#include "http/api/metrics_text.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

namespace tokend::api {
namespace {

TEST(MetricsText, FamiliesAndSamplesAreWrittenAsPrometheusReadsThem) {
  std::string out;
  MetricsText text(out);
  text.family("a_total", MetricType::counter, "How many.");
  text.sample({}, std::uint64_t{18'446'744'073'709'551'615U});
  text.sample(std::array{Label{"core", "0"}, Label{"cache", "user"}}, std::uint64_t{7});
  text.family("b", MetricType::gauge, "How much.");
  text.sample({}, 0.25);
  EXPECT_EQ(out,
            "# HELP a_total How many.\n"
            "# TYPE a_total counter\n"
            "a_total 18446744073709551615\n"
            "a_total{core=\"0\",cache=\"user\"} 7\n"
            "# HELP b How much.\n"
            "# TYPE b gauge\n"
            "b 0.25\n");
}

TEST(MetricsText, AHistogramIsCumulativeAndTheSumOfAllThatAreGiven) {
  core::DurationHistogram one;
  core::DurationHistogram two;
  one.add(core::DurationHistogram::bound_ns(0));
  one.add(core::DurationHistogram::bound_ns(1));
  two.add(core::DurationHistogram::bound_ns(1));
  two.add(60'000'000'000);
  std::string out;
  MetricsText text(out);
  text.family("d_seconds", MetricType::histogram, "How long.");
  text.histogram(std::array{Label{"endpoint", "/x"}}, std::array{&one, &two});
  const auto has = [&](const std::string& line) {
    return out.find("\n" + line + "\n") != std::string::npos;
  };
  EXPECT_TRUE(has(R"(d_seconds_bucket{endpoint="/x",le="1.6384e-05"} 1)")) << out;
  EXPECT_TRUE(has(R"(d_seconds_bucket{endpoint="/x",le="3.2768e-05"} 3)")) << out;
  EXPECT_TRUE(has(R"(d_seconds_bucket{endpoint="/x",le="17.179869184"} 3)")) << out;
  EXPECT_TRUE(has(R"(d_seconds_bucket{endpoint="/x",le="+Inf"} 4)")) << out;
  EXPECT_TRUE(has(R"(d_seconds_sum{endpoint="/x"} 60.00008192)")) << out;
  EXPECT_TRUE(has(R"(d_seconds_count{endpoint="/x"} 4)")) << out;
}

}  // namespace
}  // namespace tokend::api
