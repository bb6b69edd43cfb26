// The parser's limits: exactly at them, and one above.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/http/harness.h"
#include "tests/http/outcome.h"

namespace tokend::http::testing {
namespace {

using ::testing::ElementsAre;

SessionLimits small_limits() {
  SessionLimits limits;
  limits.header_bytes_max = 256;
  limits.target_bytes_max = 64;
  limits.body_bytes_max = 100;
  return limits;
}

// The same answer whole, in single bytes, and in pieces that don't meet the limit.
int status_of_stream(const std::string& stream) {
  const Outcome whole = outcome_of(stream, {}, small_limits());
  for (const std::size_t piece : {1U, 5U, 63U}) {
    std::vector<std::size_t> splits;
    for (std::size_t split = piece; split < stream.size(); split += piece) splits.push_back(split);
    EXPECT_EQ(outcome_of(stream, splits, small_limits()), whole) << stream;
  }
  EXPECT_EQ(whole.statuses.size(), 1U) << stream;
  return whole.statuses.empty() ? 0 : whole.statuses[0];
}

TEST(ParserLimits, TargetOfExactlyTheLimitIsServedAndOneMoreIs414) {
  const auto with_target = [](std::size_t bytes) {
    return "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n";
  };
  EXPECT_EQ(status_of_stream(with_target(64)), 200);
  EXPECT_EQ(status_of_stream(with_target(65)), 414);
  EXPECT_EQ(status_of_stream(with_target(5000)), 414);
  EXPECT_EQ(status_of_stream("GET /" + std::string(64, 'a')), 414);
  EXPECT_EQ(status_of_stream("UNSUBSCRIBE /" + std::string(64, 'a')), 414);
  // An error behind the limit does not change what was decided at the limit, nor one before it.
  EXPECT_EQ(status_of_stream("GET /" + std::string(64, 'a') + "\x01 HTTP/1.1\r\n\r\n"), 414);
  EXPECT_EQ(status_of_stream("GET /" + std::string(62, 'a') + "\x01 HTTP/1.1\r\n\r\n"), 400);
}

TEST(ParserLimits, HeaderSectionOfExactlyTheLimitIsServedAndOneMoreIs431) {
  const auto with_head = [](std::size_t bytes) {
    const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    return start + std::string(bytes - start.size() - 4, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(status_of_stream(with_head(256)), 200);
  EXPECT_EQ(status_of_stream(with_head(257)), 431);
  EXPECT_EQ(status_of_stream(with_head(5000)), 431);
  // Many short headers are no way around it.
  std::string many = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int index = 0; index < 100; ++index) many += "A:\r\n";
  EXPECT_EQ(status_of_stream(many), 431);
}

TEST(ParserLimits, BodyOfExactlyTheLimitIsServedAndOneMoreIs413) {
  const auto sized = [](std::size_t bytes) {
    return "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
           std::string(bytes, 'b');
  };
  const auto chunked = [](std::size_t bytes, std::size_t chunk) {
    std::string stream = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (; bytes > 0; bytes -= std::min(bytes, chunk)) {
      char size[8];
      std::snprintf(size, sizeof size, "%zx\r\n", std::min(bytes, chunk));
      stream += size + std::string(std::min(bytes, chunk), 'b') + "\r\n";
    }
    return stream + "0\r\n\r\n";
  };
  EXPECT_EQ(status_of_stream(sized(100)), 200);
  EXPECT_EQ(status_of_stream(sized(101)), 413);
  for (const std::size_t chunk : {1U, 7U, 100U, 1000U}) {
    EXPECT_EQ(status_of_stream(chunked(100, chunk)), 200) << chunk;
    EXPECT_EQ(status_of_stream(chunked(101, chunk)), 413) << chunk;
  }
  EXPECT_EQ(status_of_stream("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "ffffffffffffffff\r\n"),
            413);
}

TEST(ParserLimits, TooLongABodyIsRefusedBeforeItIsRead) {
  const Outcome outcome = outcome_of("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n");
  EXPECT_THAT(outcome.statuses, ElementsAre(413));
}

TEST(ParserLimits, ExtensionsAndTrailersAreBounded) {
  const std::string c = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string extension(ChunkedDecoder::kExtensionBytesMax, 'e');
  EXPECT_EQ(status_of_stream(c + "1;" + extension + "\r\nx\r\n0\r\n\r\n"), 200);
  EXPECT_EQ(status_of_stream(c + "1;" + extension + "\r\nx\r\n0;e\r\n\r\n"), 400);
  const std::string trailer(ChunkedDecoder::kTrailerBytesMax - 3, 't');
  EXPECT_EQ(status_of_stream(c + "0\r\nT:" + trailer + "\r\n\r\n"), 200);
  EXPECT_EQ(status_of_stream(c + "0\r\nT:t" + trailer + "\r\n\r\n"), 431);
}

TEST(ParserLimits, TheDefaultsHoldAtFullSize) {
  const auto with_target = [](std::size_t bytes) {
    return "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n";
  };
  EXPECT_THAT(outcome_of(with_target(8 * 1024)).statuses, ElementsAre(200));
  EXPECT_THAT(outcome_of(with_target(8 * 1024 + 1)).statuses, ElementsAre(414));
  EXPECT_THAT(outcome_of(with_target(40 * 1024)).statuses, ElementsAre(414));
  const std::string stream =
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n" + std::string(65536, 'b');
  std::vector<std::size_t> splits;
  for (std::size_t split = 1000; split < stream.size(); split += 1000) splits.push_back(split);
  EXPECT_EQ(outcome_of(stream, splits).requests.at(0).body, std::string(65536, 'b'));
}

SessionLimits with_large_bodies() {
  SessionLimits limits = small_limits();
  limits.body_bytes_max = 5'000;
  limits.large_body_path = "/large";
  limits.large_body_bytes_max = 20'000;
  limits.large_requests_max = 2;
  return limits;
}

std::string sized_post(const std::string& path, std::size_t bytes) {
  return "POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(bytes) +
         "\r\n\r\n" + std::string(bytes, 'b');
}

TEST(ParserLimits, LargeBodyIsTakenOnItsOwnPathOnlyAndHasALimitThere) {
  const auto outcome_in_pieces = [](const std::string& stream, std::size_t piece) {
    std::vector<std::size_t> splits;
    for (std::size_t split = piece; split < stream.size(); split += piece) splits.push_back(split);
    return outcome_of(stream, splits, with_large_bodies());
  };
  const auto status = [&](const std::string& path, std::size_t bytes) {
    const std::string stream = sized_post(path, bytes);
    const Outcome whole = outcome_of(stream, {}, with_large_bodies());
    for (const std::size_t piece : {61U, 997U, 8000U}) {
      EXPECT_EQ(outcome_in_pieces(stream, piece), whole) << path << " " << bytes;
    }
    return whole.statuses.empty() ? 0 : whole.statuses[0];
  };
  EXPECT_EQ(status("/large", 20'000), 200);
  EXPECT_EQ(status("/large?query", 20'000), 200);
  EXPECT_EQ(status("/large", 20'001), 413);
  for (const char* path : {"/", "/larger", "/larg", "/large/", "/Large"}) {
    EXPECT_EQ(status(path, 5'000), 200) << path;
    EXPECT_EQ(status(path, 5'001), 413) << path;
  }
  // The next request on the connection has the common limit again.
  const std::string both = sized_post("/large", 20'000) + sized_post("/", 5'001);
  EXPECT_THAT(outcome_in_pieces(both, 997).statuses, ElementsAre(200, 413));

  std::string chunked = "POST /large HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int chunk = 0; chunk < 20; ++chunk) chunked += "3e8\r\n" + std::string(1000, 'c') + "\r\n";
  EXPECT_EQ(outcome_in_pieces(chunked + "0\r\n\r\n", 997).requests.at(0).body,
            std::string(20'000, 'c'));
  EXPECT_THAT(outcome_in_pieces(chunked + "1\r\nc\r\n0\r\n\r\n", 997).statuses, ElementsAre(413));
}

TEST(ParserLimits, LargeRequestsInPartsAreLimitedAndOthersGoOn) {
  Core core(with_large_bodies());
  const std::string stream = sized_post("/large", 20'000);
  Wire first(core);
  Wire second(core);
  Wire third(core);
  first.send_in_pieces(stream.substr(0, 15'000), 1000);
  second.send_in_pieces(stream.substr(0, 15'000), 1000);
  third.send_in_pieces(stream.substr(0, 15'000), 1000);
  EXPECT_THAT(statuses(third.received()), ElementsAre(503));
  EXPECT_TRUE(third.over());
  // What needs no large piece does not notice.
  Wire small(core);
  small.send_in_pieces(sized_post("/", 5'000) + sized_post("/large", 3'000), 1000);
  EXPECT_THAT(statuses(small.received()), ElementsAre(200, 200));

  first.send_in_pieces(stream.substr(15'000), 1000);
  EXPECT_THAT(statuses(first.received()), ElementsAre(200));
  Wire fourth(core);
  fourth.send_in_pieces(stream, 1000);
  EXPECT_THAT(statuses(fourth.received()), ElementsAre(200));
}

}  // namespace
}  // namespace tokend::http::testing
