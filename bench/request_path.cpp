// The request path for counting instructions (bench/instructions runs it under callgrind): the real
// session, API, store front and committer in one thread over a database that takes everything and
// keeps nothing. Prints nothing and ends by itself; a wrong answer trips a CHECK.
//
//   bench_request_path ITEM COUNT
//
// Only functions named measured_* are counted, those of them that callgrind is told; making
// requests and checking answers is not. Ids, tokens and time are the same in every run, and so is
// the count: those of N and of 2 N requests differ by N requests, without the set-up.
//
// Limits: COUNT is a whole number of turns, at most kCountMax, so that no user reaches the limit
// of tokens.

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/idle.h"
#include "bench/memory_transport.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mailbox.h"
#include "core/outbox.h"
#include "core/session.h"
#include "http/api/api.h"
#include "http/http_session.h"
#include "http/metrics.h"
#include "http/parser.h"
#include "store/bootstrap.h"
#include "store/committer.h"
#include "store/store.h"
#include "tests/support/memory_database.h"

namespace tokend::bench {
namespace {

constexpr std::size_t kConnections = 64;  // each with one request in a turn, as without pipelining
constexpr std::size_t kUsers = 1'024;
constexpr std::size_t kTokensPerUserMax = 50;
constexpr std::size_t kWarmupTurns = 2 * kUsers / kConnections;
constexpr std::size_t kCountMax = kUsers * (kTokensPerUserMax - 4);
constexpr int kExitUsage = 64;

class FixedClock final : public core::Clock {
 public:
  [[nodiscard]] std::int64_t monotonic_ns() const noexcept override { return turn.monotonic_ns; }
  [[nodiscard]] std::int64_t wall_ms() const noexcept override { return turn.wall_ms; }
  core::TurnClock turn{.monotonic_ns = 1'000'000'000'000, .wall_ms = 1'760'000'000'000};
};

// SplitMix64: the same ids and tokens each time, whatever the C++ library's generators do.
class FixedBytes final : public store::RandomBytes {
  void refill(std::span<std::uint8_t> block) noexcept override {
    for (std::uint8_t& byte : block) {
      std::uint64_t mixed = state_ += 0x9E3779B97F4A7C15U;
      mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
      mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
      byte = static_cast<std::uint8_t>(mixed >> 56U);
    }
  }
  std::uint64_t state_ = 1;
};

// In memory until discard(); from then on commits are only counted, because the cost of a tree in
// memory is not the server's.
class DiscardingDatabase final : public store::Database {
 public:
  core::Result<store::Found> get(store::Family family, std::string_view key, store::Reach reach,
                                 std::string& value) const override {
    return kept_.get(family, key, reach, value);
  }
  core::Result<void> scan(store::Family family, std::string_view from,
                          const std::function<bool(std::string_view key, std::string_view value)>&
                              visit) const override {
    return kept_.scan(family, from, visit);
  }
  core::Result<void> scan_back(
      store::Family family, std::string_view before,
      const std::function<bool(std::string_view key, std::string_view value)>& visit)
      const override {
    return kept_.scan_back(family, before, visit);
  }
  core::Result<std::string> last_key(store::Family family) const override {
    return kept_.last_key(family);
  }
  std::uint64_t bytes_of(store::Family family) const override { return kept_.bytes_of(family); }
  std::unique_ptr<store::Batch> make_batch() const override {
    return std::make_unique<CountingBatch>(*this);
  }
  core::Result<void> submit(store::Batch& batch) override {
    auto& counting = static_cast<CountingBatch&>(batch);
    if (!discards_) return kept_.submit(*counting.kept);
    tokens_put_ += counting.tokens_put;
    return {};
  }
  core::Result<bool> collect() override { return discards_ ? true : kept_.collect(); }
  void wait() noexcept override { kept_.wait(); }
  void interrupt() noexcept override { kept_.interrupt(); }
  [[nodiscard]] std::size_t submissions_max() const noexcept override {
    return kept_.submissions_max();
  }

  void discard() noexcept { discards_ = true; }
  [[nodiscard]] std::size_t tokens_put() const noexcept { return tokens_put_; }

 private:
  struct CountingBatch final : store::Batch {
    explicit CountingBatch(const DiscardingDatabase& of)
        : database(of),
          kept(of.kept_.make_batch()) {}
    void put(store::Family family, std::string_view key, std::string_view value) override {
      if (!database.discards_) return kept->put(family, key, value);
      ++changes;
      tokens_put += family == store::Family::tokens;
    }
    void remove(store::Family family, std::string_view key) override {
      if (!database.discards_) return kept->remove(family, key);
      ++changes;
    }
    void clear() noexcept override {
      kept->clear();
      changes = tokens_put = 0;
    }
    [[nodiscard]] std::size_t count() const noexcept override {
      return database.discards_ ? changes : kept->count();
    }
    [[nodiscard]] std::size_t bytes() const noexcept override { return kept->bytes(); }
    const DiscardingDatabase& database;
    std::unique_ptr<store::Batch> kept;
    std::size_t changes = 0;
    std::size_t tokens_put = 0;
  };

  tests::MemoryDatabase kept_;
  bool discards_ = false;
  std::size_t tokens_put_ = 0;
};

class NoLog final : public core::Log {
 public:
  void write(core::Severity, std::string_view) noexcept override {}
};

struct Connection {
  explicit Connection(core::BlockPool& blocks) : transport(blocks) {}

  // The session may change what it is handed, so it is handed a fresh copy.
  void receive(std::string_view request) {
    received.assign(request);
    received.append(core::kReceivePaddingBytes, '\0');
    length = request.size();
  }
  [[nodiscard]] std::string_view answer() {
    const core::Block* block = transport.output().front();
    CHECK(block != nullptr);
    return {block->data + block->begin, block->end - block->begin};
  }
  void sent() {
    transport.output().clear();
    session->on_output_sent();
  }

  MemoryTransport transport;
  core::Session* session = nullptr;
  std::string received;
  std::size_t length = 0;
};
using Connections = std::vector<std::unique_ptr<Connection>>;

// ---- What is counted. Not inlined: callgrind knows them by their names.

[[gnu::noinline]] void measured_parse(http::Parser& parser, char* request, std::size_t length) {
  const http::Parser::Result result = parser.parse(request, length);
  CHECK(result.status == http::Parser::Status::complete && result.consumed == length);
}

[[gnu::noinline]] void measured_receive(const Connections& connections, core::Outbox& outbox) {
  for (const auto& connection : connections) {
    connection->session->on_bytes({connection->received.data(), connection->length});
  }
  outbox.flush();
}

[[gnu::noinline]] void measured_come_home(core::Mailbox& home) {
  core::MessageList messages = home.take();
  while (core::Message* message = messages.pop_front()) message->deliver(*message);
}

[[gnu::noinline]] void measured_commit(store::Committer& committer) { CHECK(committer.step()); }

template <class T>
T must(core::Result<T> result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().message.c_str());
  CHECK(result.has_value());
  return std::move(*result);
}

std::string headers_of(std::string_view user, std::string_view token) {
  return "Host: 127.0.0.1:3000\r\nX-Auth-Token: " + std::string(token) +
         "\r\nX-User-Id: " + std::string(user) + "\r\n";
}

std::string create_token_request(std::string_view headers, std::string_view user) {
  const std::string body = R"({"userId":")" + std::string(user) + R"("})";
  return "POST /api/v1/users.createToken HTTP/1.1\r\n" + std::string(headers) +
         "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

class World {
 public:
  World() {
    options_.create_tokens_enabled = true;
    options_.instance_id = "request-path";
    const store::Prepared prepared =
        must(store::prepare_store(database_, clock_, random_, {}, /*bcrypt_cost=*/4));
    admin_ = prepared.created_admin->id;
    store::CommitterOptions committer_options;
    committer_options.settings.rate_limiter = false;
    committer_ = must(store::Committer::open(
        {.database = database_, .clock = clock_, .waker = nobody_, .random = random_},
        prepared.identity, committer_options));
    store_ = std::make_unique<store::Store>(store::StoreParts{.database = database_,
                                                              .committer = *committer_,
                                                              .readers = idle_,
                                                              .hashers = idle_,
                                                              .home = home_,
                                                              .clock = clock_.turn,
                                                              .outbox = &outbox_},
                                            store::StoreOptions{});
    limiter_ = std::make_unique<api::RateLimiter>(options_.rate_limit);
    user_limiter_ = std::make_unique<api::RateLimiter>(options_.rate_limit);
    issuing_limiter_ = std::make_unique<api::RateLimiter>(options_.rate_limit);
    login_block_ = std::make_unique<api::LoginBlock>(options_.login_block);
    api_ = std::make_unique<api::Api>(options_, api::ApiParts{.store = *store_,
                                                              .log = log_,
                                                              .clock = clock_.turn,
                                                              .limiter = *limiter_,
                                                              .user_limiter = *user_limiter_,
                                                              .issuing_limiter = *issuing_limiter_,
                                                              .login_block = *login_block_});
    http::SessionLimits limits;
    limits.connections_max = 2 * kConnections;
    limits.exchanges_max = 2 * kConnections;
    factory_ =
        std::make_unique<http::HttpSessionFactory>(limits, *api_, clock_.turn, blocks_, &metrics_);
    create_users();
    for (std::string& headers : headers_) headers = headers_of(admin_.view(), issue_for_admin());
    for (std::size_t i = 0; i < kConnections; ++i) {
      connections_.push_back(std::make_unique<Connection>(blocks_));
      connections_.back()->session = factory_->open(connections_.back()->transport);
      CHECK(connections_.back()->session != nullptr);
    }
    database_.discard();
  }
  ~World() {
    for (const auto& connection : connections_) factory_->close(*connection->session);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // One createToken on each connection.
  void create_tokens() {
    std::vector<std::string_view> users;
    for (const auto& connection : connections_) {
      users.push_back(users_[next_user_].view());
      connection->receive(create_token_request(headers_[0], users.back()));
      next_user_ = (next_user_ + 1) % users_.size();
    }
    const std::size_t put_before = database_.tokens_put();
    measured_receive(connections_, outbox_);
    measured_commit(*committer_);
    measured_come_home(home_);
    CHECK(database_.tokens_put() == put_before + connections_.size());
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      const std::string_view answer = connections_[i]->answer();
      const std::string start = R"({"data":{"userId":")" + std::string(users[i]) + '"';
      CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
      CHECK(answer.find(start) != std::string_view::npos);
      connections_[i]->sent();
    }
  }

  // One GET me on each connection, with the token of the turn before or with the other one.
  void get_me(bool repeats) {
    shown_ = (shown_ + (repeats ? 0 : 1)) % headers_.size();
    const std::string request = "GET /api/v1/me HTTP/1.1\r\n" + headers_[shown_] + "\r\n";
    for (const auto& connection : connections_) connection->receive(request);
    measured_receive(connections_, outbox_);
    const std::string id = R"("_id":")" + std::string(admin_.view()) + '"';
    for (const auto& connection : connections_) {
      const std::string_view answer = connection->answer();
      CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
      CHECK(answer.find(id) != std::string_view::npos);
      connection->sent();
    }
  }

 private:
  template <class Kind>
  struct Asked {
    Kind operation;
    bool done = false;
    Asked() { operation.template then<&Asked::on_done>(*this); }
    void on_done() noexcept { done = true; }
  };

  void settle() {
    outbox_.flush();
    while (committer_->step()) measured_come_home(home_);
    measured_come_home(home_);
  }

  void create_users() {
    const auto all = std::make_unique<Asked<store::CreateUser>[]>(kUsers);
    for (std::size_t i = 0; i < kUsers; ++i) {
      all[i].operation.user.username = "user-" + std::to_string(i);
      all[i].operation.user.name = all[i].operation.user.username;
      store_->write(all[i].operation);
    }
    settle();
    for (std::size_t i = 0; i < kUsers; ++i) {
      CHECK(all[i].done && all[i].operation.result.has_value());
      users_.push_back(all[i].operation.user.id);
    }
  }

  std::string issue_for_admin() {
    Asked<store::IssueToken> asked;
    asked.operation.user = asked.operation.issuer = admin_;
    store_->write(asked.operation);
    settle();
    CHECK(asked.done && asked.operation.result.has_value());
    return std::string(store::view_of(asked.operation.token));
  }

  api::ApiOptions options_;
  FixedClock clock_;
  NobodySleeps nobody_;
  Idle idle_;
  NoLog log_;
  FixedBytes random_;
  DiscardingDatabase database_;
  core::Mailbox home_{nobody_};
  core::Outbox outbox_;
  core::BlockPool blocks_{1'024};
  std::unique_ptr<store::Committer> committer_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<api::RateLimiter> limiter_;
  std::unique_ptr<api::RateLimiter> user_limiter_;
  std::unique_ptr<api::RateLimiter> issuing_limiter_;
  std::unique_ptr<api::LoginBlock> login_block_;
  std::unique_ptr<api::Api> api_;
  http::HttpMetrics metrics_{api::kRoutes.size()};
  std::unique_ptr<http::HttpSessionFactory> factory_;
  Connections connections_;
  store::UserId admin_;
  std::vector<store::UserId> users_;
  std::size_t next_user_ = 0;
  std::array<std::string, 2> headers_;  // each with a token of the administrator
  std::size_t shown_ = 0;
};

// Of requests whose heads are all the same or differ in the last character of the token.
void parse(bool repeats, std::size_t count) {
  constexpr std::string_view kUser = "abcdefghijkmnopqr";
  const std::array<std::string, 2> requests = {
      create_token_request(headers_of(kUser, "AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_abc"), kUser),
      create_token_request(headers_of(kUser, "AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_abd"),
                           kUser)};
  http::Parser parser(http::ParserLimits{});
  std::string received;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& request = requests[repeats ? 0 : i % requests.size()];
    received.assign(request);
    received.append(core::kReceivePaddingBytes, '\0');
    measured_parse(parser, received.data(), request.size());
    CHECK(parser.request().path() == "/api/v1/users.createToken");
    CHECK(parser.request().header(http::Header::x_user_id) == kUser);
    CHECK(parser.request().body().ends_with(R"("})") && parser.keep_alive());
    parser.reset();
  }
}

enum class Item { create_token, me, me_repeated };

void serve(Item item, std::size_t count) {
  World world;
  // Every user has tokens afterwards, so that no table grows in what differs between two counts.
  for (std::size_t turn = 0; turn < kWarmupTurns; ++turn) world.create_tokens();
  for (std::size_t served = 0; served < count; served += kConnections) {
    item == Item::create_token ? world.create_tokens() : world.get_me(item == Item::me_repeated);
  }
}

int run(std::string_view item, std::string_view text) {
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool is_parse = item == "parse" || item == "parse_repeated";
  const bool is_me = item == "me" || item == "me_repeated";
  const bool known = is_parse || is_me || item == "create_token";
  if (!known || error != std::errc{} || end != text.data() + text.size() || count == 0 ||
      count % kConnections != 0 || count > kCountMax) {
    std::fprintf(
        stderr,
        "usage: bench_request_path parse|parse_repeated|create_token|me|me_repeated COUNT\n"
        "COUNT is a multiple of %zu, at most %zu\n",
        kConnections, kCountMax);
    return kExitUsage;
  }
  if (is_parse) {
    parse(item == "parse_repeated", count);
  } else {
    serve(!is_me                  ? Item::create_token
          : item == "me_repeated" ? Item::me_repeated
                                  : Item::me,
          count);
  }
  return 0;
}

}  // namespace
}  // namespace tokend::bench

int main(int argc, char** argv) {
  return argc == 3 ? tokend::bench::run(argv[1], argv[2]) : tokend::bench::run("", "");
}
