// --proxy-protocol v2: whom a proxy carries is the client, for the rate limit, the login block and
// the log; who sends no header is closed. With headers of our own, and with a real haproxy's.

#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/contract/contract_suite.h"
#include "tests/support/front_process.h"
#include "tests/support/proxy_header_bytes.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kHaproxy = "/usr/sbin/haproxy";

Call login_call(const std::string& user, const std::string& password) {
  return {.method = "POST",
          .target = "/api/v1/login",
          .headers = {{"Content-Type", "application/json"}},
          .body = R"({"user":")" + user + R"(","password":")" + password + R"("})"};
}

// No test of these may log in by the suite's client, which sends no header.
class ProxyProtocol : public ServerSuite<ProxyProtocol> {
 public:
  static ServerSettings settings() {
    return {.flags = {"--proxy-protocol", "v2", "--header-timeout", "1s"},
            .environment = {{"API_Enable_Rate_Limiter", "true"}, {"HTTP_FORWARDED_COUNT", "1"}}};
  }

 protected:
  void SetUp() override {}

  // The first of a connection that begins with `header`, in one segment with it.
  Response ask(const std::string& header, const Call& call) {
    HttpClient client({.port = server().port(), .is_tokend = false});
    if (!client.send(header + bytes_of(call))) return {};
    return client.read_response();
  }
};

TEST_F(ProxyProtocol, EachSourceHasAWindowOfItsOwn) {
  for (int time = 0; time < 12; ++time) {
    EXPECT_EQ(ask(proxy_header_ipv4(1), login_call("nobody", "x")).status, time < 10 ? 401 : 429);
  }
  EXPECT_EQ(ask(proxy_header_ipv4(2), login_call("nobody", "x")).status, 401);
  EXPECT_EQ(ask(proxy_header_ipv6(1), login_call("nobody", "x")).header("X-RateLimit-Remaining"),
            "9");
  EXPECT_EQ(ask(proxy_header_ipv6(1), login_call("nobody", "x")).header("X-RateLimit-Remaining"),
            "8");
}

TEST_F(ProxyProtocol, ForwardingHeadersStartFromIt) {
  Call call = login_call("nobody", "x");
  call.headers.emplace_back("X-Forwarded-For", "192.0.2.50");
  EXPECT_EQ(ask(proxy_header_ipv4(50), call).header("X-RateLimit-Remaining"), "9");
  EXPECT_EQ(ask(proxy_header_ipv4(51), call).header("X-RateLimit-Remaining"), "8");
  // Without that header the source is the client.
  EXPECT_EQ(ask(proxy_header_ipv4(50), login_call("nobody", "x")).header("X-RateLimit-Remaining"),
            "9");
}

TEST_F(ProxyProtocol, TheLogNamesTheSource) {
  // Failures are logged, the eleventh because of the ten before it.
  for (std::uint8_t time = 0; time < 11; ++time) {
    const std::string header = proxy_header_ipv4(static_cast<std::uint8_t>(100 + time));
    EXPECT_EQ(ask(header, login_call("somebody.else", "x")).status, 401);
  }
  constexpr const char* kLast = "address=203.0.113.110";
  const std::string log = server().log_with(kLast);
  EXPECT_THAT(log, HasSubstr(kLast));
  EXPECT_THAT(log, Not(HasSubstr("address=127.0.0.1")));
}

TEST_F(ProxyProtocol, LocalAndInPartsAndPipelined) {
  HttpClient client({.port = server().port(), .is_tokend = false});
  ASSERT_TRUE(client.send_byte_by_byte(proxy_header(kProxyLocal, 0x00, "")));
  const std::string health = bytes_of({.target = "/health"});
  ASSERT_TRUE(client.send(health + health));
  EXPECT_EQ(client.read_response().status, 200);
  EXPECT_EQ(client.read_response().status, 200);
}

TEST_F(ProxyProtocol, WhoSendsNoHeaderIsClosedWithoutAWordAndTheLogIsNotFlooded) {
  constexpr int kConnections = 50;
  for (int time = 0; time < kConnections; ++time) {
    HttpClient client({.port = server().port(), .is_tokend = false});
    ASSERT_TRUE(client.send(bytes_of({.target = "/health"})));
    EXPECT_TRUE(client.read_end());
  }
  HttpClient first_version({.port = server().port(), .is_tokend = false});
  ASSERT_TRUE(first_version.send("PROXY TCP4 203.0.113.7 198.51.100.1 4242 80\r\n" +
                                 bytes_of({.target = "/health"})));
  EXPECT_TRUE(first_version.read_end());
  HttpClient silent({.port = server().port(), .is_tokend = false});
  EXPECT_TRUE(silent.read_end());

  const std::string line = "connections closed that began with no PROXY protocol v2 header";
  const auto lines = [&] {
    std::size_t count = 0;
    const std::string log = server().log();
    for (std::size_t at = 0; (at = log.find(line, at)) != std::string::npos; ++at) ++count;
    return count;
  };
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (lines() == 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(Milliseconds(50));
  }
  // Further ones are told of later.
  HttpClient further({.port = server().port(), .is_tokend = false});
  ASSERT_TRUE(further.send("x"));
  EXPECT_TRUE(further.read_end());
  std::this_thread::sleep_for(Milliseconds(2'500));
  EXPECT_EQ(lines(), 1U);
}

// Listens at PORT, tells tokend of its clients and checks its health.
class Haproxy : public FrontProcess {
 public:
  explicit Haproxy(std::uint16_t tokend_port)
      : FrontProcess(kHaproxy, configuration(tokend_port), [](const std::string& folder) {
          return std::vector<std::string>{"-db", "-f", folder + "/front.conf"};
        }) {}
  // Once its connections have ended.
  [[nodiscard]] int stop() { return FrontProcess::stop(SIGUSR1); }

 private:
  [[nodiscard]] static std::string configuration(std::uint16_t tokend_port) {
    std::string text = R"(global
  maxconn 64
  log stderr format raw local0 notice
defaults
  mode tcp
  log global
  timeout check 10s
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen front
  bind 127.0.0.1:PORT
  option httpchk GET /health
  server tokend 127.0.0.1:TOKEND send-proxy-v2 check inter 100ms
)";
    replace_all(text, "TOKEND", std::to_string(tokend_port));
    return text;
  }
};

class ProxyProtocolOfHaproxy : public ServerSuite<ProxyProtocolOfHaproxy> {
 public:
  static ServerSettings settings() {
    return {.flags = {"--proxy-protocol", "v2"},
            .environment = {{"API_Enable_Rate_Limiter", "true"}}};
  }

 protected:
  void SetUp() override {
    ASSERT_TRUE(std::filesystem::exists(kHaproxy)) << "haproxy is missing: tools/dependencies";
  }
};

TEST_F(ProxyProtocolOfHaproxy, ItsClientsAreOursAndItsHealthChecksAreAnswered) {
  Haproxy haproxy(server().port());
  ASSERT_TRUE(haproxy.start()) << haproxy.log();
  const auto ask = [&](const std::string& source) {
    HttpClient client({.port = haproxy.port(), .source = source});
    return client.exchange(login_call("nobody", "x"));
  };
  for (int time = 0; time < 12; ++time) {
    const Response response = ask("127.0.3.1");
    EXPECT_EQ(response.status, time < 10 ? 401 : 429) << response << haproxy.log();
  }
  EXPECT_EQ(ask("127.0.3.2").status, 401);
  constexpr const char* kSource = "address=127.0.3.2";
  EXPECT_THAT(server().log_with(kSource), HasSubstr(kSource));
  // Some health checks later it is still up.
  std::this_thread::sleep_for(Milliseconds(500));
  EXPECT_EQ(ask("127.0.3.3").status, 401);
  EXPECT_THAT(haproxy.log(), Not(HasSubstr("DOWN")));
  EXPECT_EQ(haproxy.stop(), 0) << haproxy.log();
}

}  // namespace
}  // namespace tokend::tests
