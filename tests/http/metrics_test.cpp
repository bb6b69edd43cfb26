#include "http/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

#include "http/message.h"
#include "tests/http/harness.h"
#include "tests/http/session_helpers.h"

namespace tokend::http::testing {
namespace {

constexpr std::int64_t kMillisecond = core::kNanosecondsPerMillisecond;

std::uint64_t answers(const Core& core, std::size_t kind, int status) {
  const auto found = std::ranges::find(HttpMetrics::kStatuses, status);
  return core.metrics.of(kind)
      .answers[static_cast<std::size_t>(found - HttpMetrics::kStatuses.begin())];
}

std::uint64_t durations(const Core& core, std::size_t kind) {
  std::uint64_t sum = 0;
  for (std::size_t bound = 0; bound <= core::DurationHistogram::kBounds; ++bound) {
    sum += core.metrics.of(kind).durations.count(bound);
  }
  return sum;
}

TEST(HttpMetricsTest, EveryStatusThatCanBeAnsweredHasItsPlace) {
  for (int status = 0; status < 1'000; ++status) {
    EXPECT_EQ(std::ranges::count(HttpMetrics::kStatuses, status),
              status_line_of(status).empty() ? 0 : 1)
        << status;
  }
}

TEST(HttpMetricsTest, AnswersAreCountedByKindAndStatus) {
  Core core;
  Wire wire(core);
  wire.exchange(get("/kind"));
  wire.exchange(get("/kind"));
  wire.exchange(get("/empty"));
  EXPECT_EQ(answers(core, 1, 200), 2U);
  EXPECT_EQ(answers(core, core.metrics.no_kind(), 204), 1U);
  EXPECT_EQ(answers(core, core.metrics.no_kind(), 200), 0U);
  EXPECT_EQ(durations(core, 0), 0U);
  EXPECT_EQ(durations(core, 1), 2U);
}

TEST(HttpMetricsTest, ADurationIsFromTheWholeRequestToItsAnswer) {
  Core core;
  Wire wire(core);
  wire.send("GET /later HTTP/1.1\r\n");
  core.clock.monotonic_ns += 700 * kMillisecond;  // the client's
  wire.send("Host: h\r\n\r\n");
  core.clock.monotonic_ns += 5 * kMillisecond;
  ASSERT_EQ(core.application.waiting.size(), 1U);
  core.application.release();
  EXPECT_EQ(core.metrics.of(core.metrics.no_kind()).durations.sum_ns(), 5U * kMillisecond);
}

TEST(HttpMetricsTest, BytesThatAreNoRequestAreCountedWithoutADuration) {
  Core core;
  Wire wire(core);
  wire.exchange("nonsense\r\n\r\n");
  EXPECT_EQ(answers(core, core.metrics.no_kind(), 400), 1U);
  EXPECT_EQ(durations(core, core.metrics.no_kind()), 0U);
}

TEST(HttpMetricsTest, WhatNobodyWaitsForAnyMoreIsNotCounted) {
  Core core;
  {
    Wire wire(core);
    wire.send(get("/later"));
  }
  ASSERT_EQ(core.application.waiting.size(), 1U);
  core.application.release();
  EXPECT_EQ(answers(core, core.metrics.no_kind(), 200), 0U);
  EXPECT_EQ(durations(core, core.metrics.no_kind()), 0U);
}

}  // namespace
}  // namespace tokend::http::testing
