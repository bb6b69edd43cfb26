// Bytes to requests and answers to bytes: a whole HttpSession over a transport that is only memory,
// under an application that answers a constant. No socket, no token.

#include <benchmark/benchmark.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bench/memory_transport.h"
#include "core/error.h"
#include "core/session.h"
#include "http/http_session.h"
#include "http/session.h"

namespace tokend::bench {
namespace {

constexpr std::string_view kBody = R"({"userId":"abcdefghijkmnopqr"})";
constexpr std::string_view kAnswerBody =
    R"({"data":{"userId":"abcdefghijkmnopqr","authToken":"AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_abc"},"success":true})";

std::string request() {
  return "POST /api/v1/users.createToken HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n"
         "X-Auth-Token: AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_abc\r\n"
         "X-User-Id: abcdefghijkmnopqr\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(kBody.size()) + "\r\n\r\n" + std::string(kBody);
}

class ConstantApplication final : public http::Application {
 public:
  void on_request(http::Exchange& exchange) noexcept override {
    const http::Request& request = exchange.request();
    right_ += request.path() == "/api/v1/users.createToken" && request.body() == kBody &&
              request.header(http::Header::x_user_id) == "abcdefghijkmnopqr";
    exchange.answer({.status = 200,
                     .headers = "Content-Type: application/json\r\nCache-Control: no-store\r\n",
                     .body = kAnswerBody});
  }
  http::Answer on_refusal(http::Refusal) noexcept override { CHECK(false); }
  [[nodiscard]] std::size_t right() const noexcept { return right_; }

 private:
  std::size_t right_ = 0;
};

// Range: requests in one receive.
void serve_requests(benchmark::State& state) {
  const core::TurnClock clock{.monotonic_ns = 1'000'000'000, .wall_ms = 1'700'000'000'000};
  core::BlockPool blocks(1'024);
  ConstantApplication application;
  http::SessionLimits limits;
  limits.connections_max = 4;
  http::HttpSessionFactory factory(limits, application, clock, blocks);
  MemoryTransport transport(blocks);
  core::Session* session = factory.open(transport);
  CHECK(session);

  std::string bytes;
  for (std::int64_t i = 0; i < state.range(0); ++i) bytes += request();
  const std::size_t length = bytes.size();
  bytes.resize(length + core::kReceivePaddingBytes);
  std::string received = bytes;

  std::size_t served = 0;
  const auto serve = [&] {
    // The session may change what it was handed, so each time it is handed a fresh copy.
    received = bytes;
    session->on_bytes({received.data(), length});
    served += static_cast<std::size_t>(state.range(0));
  };
  serve();
  CHECK(application.right() == served);
  CHECK(transport.output().front() != nullptr);
  const core::Block& first = *transport.output().front();
  const std::string_view answer(first.data + first.begin, first.end - first.begin);
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(kAnswerBody));
  transport.output().clear();
  session->on_output_sent();

  for (auto _ : state) {
    serve();
    transport.output().clear();
    session->on_output_sent();
  }
  CHECK(application.right() == served);
  state.SetItemsProcessed(state.iterations() * state.range(0));
  factory.close(*session);
}
BENCHMARK(serve_requests)->Arg(1)->Arg(16);

}  // namespace
}  // namespace tokend::bench

BENCHMARK_MAIN();
