// The ceiling: our reactor answering a constant. No parser, no store, no data. What it serves is
// the most that a server on this core, kernel and machine can serve, so every claim about speed is
// a ratio to it.
//
// It learns how long a connection's requests are from the first one (the end of its header section
// and its Content-Length) and then answers one for every so many bytes; pipelined requests may
// arrive in any parts, but all of a connection must have the length of its first.

#include <getopt.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/server.h"

namespace {

using namespace tokend;  // a program's main file

// As long as the server's answer to users.createToken, headers included.
constexpr std::size_t kCreateTokenAnswerBytes = 480;
constexpr std::size_t kResponseBytesMin = 128;
constexpr std::size_t kResponseBytesMax = 1U << 20;
constexpr std::size_t kCoresMax = 1024;
// A first request that is longer is not one that a load generator sends.
constexpr std::size_t kFirstRequestBytesMax = 64 * 1024;

constexpr int kExitUsage = 64;
constexpr int kExitUnavailable = 78;

// A whole answer of exactly `bytes` bytes.
std::string make_response(std::size_t bytes) {
  std::string head;
  std::size_t body_bytes = bytes;
  // The number of digits of Content-Length depends on the body's size: two or three rounds settle.
  for (int round = 0; round < 4; ++round) {
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body_bytes) + "\r\n\r\n";
    body_bytes = bytes - head.size();
  }
  return head + std::string(bytes - head.size(), '0');
}

// 0 while the header section is not whole.
std::size_t request_bytes(std::string_view received) noexcept {
  const std::size_t end = received.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  constexpr std::string_view kName = "\r\ncontent-length:";
  std::size_t body_bytes = 0;
  for (std::size_t at = 0; at + kName.size() <= end + 2; ++at) {
    if (strncasecmp(received.data() + at, kName.data(), kName.size()) != 0) continue;
    std::string_view value = received.substr(at + kName.size(), end - at - kName.size());
    while (value.starts_with(' ')) value.remove_prefix(1);
    std::from_chars(value.data(), value.data() + value.size(), body_bytes);
    break;
  }
  return end + 4 + body_bytes;
}

class ConstantSession final : public core::Session {
 public:
  ConstantSession(core::Transport& transport, std::string_view response) noexcept
      : transport_(transport),
        response_(response) {}

  void on_bytes(std::span<char> bytes) noexcept override {
    if (request_bytes_ == 0) {
      first_.append(bytes.data(), bytes.size());
      request_bytes_ = request_bytes(first_);
      if (request_bytes_ == 0) {
        if (first_.size() > kFirstRequestBytesMax) transport_.abort();
        return;
      }
      received_ = first_.size();
      first_ = {};
    } else {
      received_ += bytes.size();
    }
    for (; received_ >= request_bytes_; received_ -= request_bytes_) {
      transport_.output().append(response_);
    }
  }
  void on_end_of_input() noexcept override { transport_.finish(); }
  void on_deadline() noexcept override {}
  void on_output_sent() noexcept override {}
  void on_drain() noexcept override { transport_.finish(); }

 private:
  core::Transport& transport_;
  std::string_view response_;
  std::size_t request_bytes_ = 0;  // of each request, once known
  std::size_t received_ = 0;       // of requests not yet answered
  std::string first_;
};

class ConstantFactory final : public core::SessionFactory {
 public:
  explicit ConstantFactory(std::string_view response) noexcept : response_(response) {}
  core::Session* open(core::Transport& transport) noexcept override {
    return new ConstantSession(transport, response_);
  }
  void close(core::Session& session) noexcept override {
    delete static_cast<ConstantSession*>(&session);
  }

 private:
  std::string_view response_;
};

struct Settings {
  core::ServerOptions server{
      .listen = {}, .cores = 1, .cpus = {}, .drain_timeout_ms = 1'000, .reactor = {}};
  std::size_t response_bytes = kCreateTokenAnswerBytes;
};

[[noreturn]] void usage(const char* program) {
  std::fprintf(stderr,
               "usage: %s [--listen ADDRESS:PORT]... [--cores N] [--cpus N,N...] "
               "[--response-bytes N]\n",
               program);
  std::exit(kExitUsage);
}

template <class Number>
Number number(std::string_view text, Number min, Number max, const char* program) {
  Number value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value < min || value > max) {
    usage(program);
  }
  return value;
}

Settings settings_of(int count, char** arguments) {
  constexpr int kCpuMax = 4095;
  const option options[] = {{"listen", required_argument, nullptr, 'l'},
                            {"cores", required_argument, nullptr, 'c'},
                            {"cpus", required_argument, nullptr, 'p'},
                            {"response-bytes", required_argument, nullptr, 'r'},
                            {}};
  Settings settings;
  const char* program = arguments[0];
  for (int option; (option = getopt_long(count, arguments, "", options, nullptr)) != -1;) {
    if (option == 'l') {
      settings.server.listen.emplace_back(optarg);
    } else if (option == 'c') {
      settings.server.cores = number<std::size_t>(optarg, 1, kCoresMax, program);
    } else if (option == 'p') {
      std::string_view rest = optarg;
      for (std::size_t comma = 0; comma != std::string_view::npos;) {
        comma = rest.find(',');
        settings.server.cpus.push_back(number<int>(rest.substr(0, comma), 0, kCpuMax, program));
        if (comma != std::string_view::npos) rest.remove_prefix(comma + 1);
      }
    } else if (option == 'r') {
      settings.response_bytes =
          number<std::size_t>(optarg, kResponseBytesMin, kResponseBytesMax, program);
    } else {
      usage(program);
    }
  }
  if (optind != count) usage(program);
  if (settings.server.listen.empty()) settings.server.listen.emplace_back("127.0.0.1:0");
  return settings;
}

int fail(const core::Error& error) {
  std::fprintf(stderr, "ceiling: %s\n", error.message.c_str());
  return error.code == core::Errc::unavailable ? kExitUnavailable : EXIT_FAILURE;
}

}  // namespace

int main(int count, char** arguments) {
  const Settings settings = settings_of(count, arguments);
  // Blocked before there are threads, which inherit it: the signals are waited for below.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const std::string response = make_response(settings.response_bytes);
  const core::SystemClock clock;
  ConstantFactory factory(response);  // without state, so all cores may share it
  core::Server server(settings.server, clock);
  if (const auto listening = server.listen(); !listening) return fail(listening.error());
  const std::vector<core::SessionFactory*> factories(settings.server.cores, &factory);
  if (const auto started = server.start(factories); !started) return fail(started.error());
  for (const std::string& warning : server.warnings()) {
    std::fprintf(stderr, "ceiling: %s\n", warning.c_str());
  }
  for (const std::string& address : server.addresses()) {
    std::printf("listening on %s\n", address.c_str());
  }
  std::fflush(stdout);

  int signal = 0;
  sigwait(&signals, &signal);
  server.request_stop();
  server.join();
  return EXIT_SUCCESS;
}
