#pragma once
// The API on a real Store over a database in memory, in one thread: bytes in, bytes out. The test
// owns time and decides when the committer, the workers and the mailbox get their turn.

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/mailbox.h"
#include "http/api/api.h"
#include "http/http_session.h"
#include "store/bootstrap.h"
#include "store/committer.h"
#include "store/store.h"
#include "tests/http/harness.h"
#include "tests/support/api_description.h"
#include "tests/support/memory_database.h"

namespace tokend::api::testing {

class ManualClock final : public core::Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return turn.monotonic_ns; }
  std::int64_t wall_ms() const noexcept override { return turn.wall_ms; }
  void advance_ms(std::int64_t ms) {
    turn.monotonic_ns += ms * core::kNanosecondsPerMillisecond;
    turn.wall_ms += ms;
  }
  core::TurnClock turn{.monotonic_ns = 1'000'000'000'000, .wall_ms = 1'760'000'000'000};
};

class NoWaker final : public core::Waker {
 public:
  void wake() noexcept override {}
};

class ManualExecutor final : public store::Executor {
 public:
  bool submit(store::Job& job) noexcept override {
    if (full) return false;
    jobs.push_back(&job);
    return true;
  }
  bool run_all() {
    const bool any = !jobs.empty();
    while (!jobs.empty()) {
      store::Job* job = jobs.front();
      jobs.pop_front();
      job->run(*job);
    }
    return any;
  }
  std::deque<store::Job*> jobs;
  bool full = false;
};

class RecordingLog final : public core::Log {
 public:
  void write(core::Severity, std::string_view line) noexcept override { lines.emplace_back(line); }
  [[nodiscard]] bool has(std::string_view text) const {
    for (const std::string& line : lines) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }
  std::vector<std::string> lines;
};

struct Reply {
  int status = 0;
  std::string head;  // status line and header lines
  std::string body;

  [[nodiscard]] std::optional<std::string> header(std::string_view name) const {
    const std::string start = "\r\n" + std::string(name) + ": ";
    const std::size_t at = head.find(start);
    if (at == std::string::npos) return std::nullopt;
    const std::size_t begin = at + start.size();
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

// Fails the test when `reply` is not what `bytes`, one request, may be answered with.
inline void expect_described(std::string_view bytes, const Reply& reply) {
  tests::Response response;
  response.status = reply.status;
  response.body = reply.body;
  for (std::size_t at = reply.head.find("\r\n"); at + 2 < reply.head.size();) {
    const std::size_t end = reply.head.find("\r\n", at + 2);
    const std::string line = reply.head.substr(at + 2, end - at - 2);
    const std::size_t colon = line.find(": ");
    response.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    at = end;
  }
  tests::SentRequests sent;
  sent.add(bytes);
  EXPECT_EQ(tests::ApiDescription::of_tokend().violation(sent.take(), response), "")
      << bytes << "\n"
      << response;
}

// A user's credentials as header lines.
struct Credentials {
  std::string user_id;
  std::string token;
  [[nodiscard]] std::string headers() const {
    return "X-Auth-Token: " + token + "\r\nX-User-Id: " + user_id + "\r\n";
  }
};

// Nearly no test wants to be limited; those that do say so.
inline store::CommitterOptions default_committer_options() {
  store::CommitterOptions options;
  options.settings.rate_limiter = false;
  return options;
}

inline ApiOptions default_options() {
  ApiOptions options;
  options.create_tokens_enabled = true;
  options.instance_id = "instance";
  options.version = "1.2.3";
  return options;
}

// The text between `before` and the next quote.
inline std::string text_after(std::string_view text, std::string_view before) {
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = at + before.size();
  return std::string(text.substr(begin, text.find('"', begin) - begin));
}

class World {
 public:
  static constexpr std::string_view kAdminPassword = "the admin's password";

  explicit World(const ApiOptions& api_options = default_options(),
                 const store::CommitterOptions& committer_options = default_committer_options())
      : options(api_options),
        limiter(options.rate_limit),
        user_limiter(options.rate_limit),
        issuing_limiter(RateLimitOptions{.entries_max = kIssuingWindowsMax}),
        login_block(options.login_block) {
    auto prepared = store::prepare_store(database, clock, random,
                                         {.username = "admin",
                                          .password = std::string(kAdminPassword),
                                          .email = "admin@example.org",
                                          .name = "The Admin"},
                                         kBcryptCost);
    EXPECT_TRUE(prepared.has_value());
    admin_id = prepared->created_admin->id.view();
    auto opened = store::Committer::open({database, clock, waker, random}, prepared->identity,
                                         committer_options);
    EXPECT_TRUE(opened.has_value());
    committer = std::move(*opened);
    store = std::make_unique<store::Store>(
        store::StoreParts{database, *committer, workers, workers, home, clock.turn},
        store::StoreOptions{
            .token_cache_entries = 1024, .user_cache_entries = 1024, .bcrypt_cost = kBcryptCost});
    api = std::make_unique<Api>(options, ApiParts{*store, log, clock.turn, limiter, user_limiter,
                                                  issuing_limiter, login_block});
    factory = std::make_unique<http::HttpSessionFactory>(with_bulk_issuance(http::SessionLimits{}),
                                                         *api, clock.turn, blocks);
    connect();
  }
  ~World() {
    run();
    if (session_) factory->close(*session_);
  }

  // A connection of its own for what follows.
  void connect() {
    if (session_) factory->close(*session_);
    transport = std::make_unique<http::testing::FakeTransport>(blocks);
    session_ = factory->open(*transport);
  }

  void send(std::string_view bytes) {
    const std::size_t size = bytes.size() + core::kReceivePaddingBytes;
    // Of exactly the promised size and gone afterwards, so that AddressSanitizer sees misuse.
    const auto buffer = std::make_unique<char[]>(size);
    std::memcpy(buffer.get(), bytes.data(), bytes.size());
    feed({buffer.get(), bytes.size()});
  }
  // The padding behind `bytes` is the caller's.
  void feed(std::span<char> bytes) { session_->on_bytes(bytes); }
  // What came home, in the order in which it came.
  bool deliver_home() {
    core::MessageList messages = home.take();
    const bool any = !messages.empty();
    while (core::Message* message = messages.pop_front()) message->deliver(*message);
    return any;
  }
  // Everybody gets turns until nothing is left to do.
  void run() {
    for (bool any = true; any;) {
      any = workers.run_all();
      any = committer->step() || any;
      any = deliver_home() || any;
    }
  }
  [[nodiscard]] Reply take_reply() {
    Reply reply;
    const std::string bytes = transport->take_output();
    const std::size_t end = bytes.find("\r\n\r\n");
    if (!bytes.starts_with("HTTP/1.1 ") || end == std::string::npos) {
      ADD_FAILURE() << "no answer: " << bytes;
      return reply;
    }
    reply.status = std::stoi(bytes.substr(9, 3));
    reply.head = bytes.substr(0, end + 2);
    reply.body = bytes.substr(end + 4);
    if (transport->finished || transport->aborted) connect();
    return reply;
  }
  // The answer must be as http/api/openapi.json describes it.
  Reply exchange(std::string_view bytes) {
    send(bytes);
    run();
    const Reply reply = take_reply();
    expect_described(bytes, reply);
    return reply;
  }

  Reply get(std::string_view target, std::string_view headers = {}) {
    return exchange("GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" +
                    std::string(headers) + "\r\n");
  }
  Reply post(std::string_view target, std::string_view headers, std::string_view body) {
    return exchange("POST " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" +
                    std::string(headers) + "Content-Length: " + std::to_string(body.size()) +
                    "\r\n\r\n" + std::string(body));
  }
  Reply post(std::string_view target, const Credentials& who, std::string_view body) {
    return post(target, who.headers(), body);
  }
  Reply get(std::string_view target, const Credentials& who) { return get(target, who.headers()); }

  Credentials login(std::string_view username, std::string_view password) {
    const Reply reply = post("/api/v1/login", "",
                             R"({"user":")" + std::string(username) + R"(","password":")" +
                                 std::string(password) + R"("})");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return {text_after(reply.body, R"("userId":")"), text_after(reply.body, R"("authToken":")")};
  }
  const Credentials& admin() {
    if (admin_.token.empty()) admin_ = login("admin", kAdminPassword);
    return admin_;
  }
  // Makes a user whose password is "pw-<name>"; returns its id.
  std::string create_user(std::string_view name, std::string_view more = {}) {
    const std::string text(name);
    const Reply reply =
        post("/api/v1/users.create", admin(),
             R"({"username":")" + text + R"(","name":"Name of )" + text + R"(","email":")" + text +
                 R"(@example.org","password":"pw-)" + text + '"' + std::string(more) + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return text_after(reply.body, R"("_id":")");
  }
  Credentials new_user(std::string_view name, std::string_view more = {}) {
    const std::string id = create_user(name, more);
    return login(name, "pw-" + std::string(name));
  }
  bool is_logged_in(const Credentials& who) { return get("/api/v1/me", who).status == 200; }

  static constexpr int kBcryptCost = 4;

  ApiOptions options;
  ManualClock clock;
  NoWaker waker;
  store::RandomBytes random;
  tests::MemoryDatabase database;
  ManualExecutor workers;
  core::Mailbox home{waker};
  RecordingLog log;
  RateLimiter limiter;
  RateLimiter user_limiter;
  RateLimiter issuing_limiter;
  LoginBlock login_block;
  std::unique_ptr<store::Committer> committer;
  std::unique_ptr<store::Store> store;
  core::BlockPool blocks{512};
  std::unique_ptr<Api> api;
  std::unique_ptr<http::HttpSessionFactory> factory;
  std::unique_ptr<http::testing::FakeTransport> transport;
  std::string admin_id;

 private:
  core::Session* session_ = nullptr;
  Credentials admin_;
};

}  // namespace tokend::api::testing
