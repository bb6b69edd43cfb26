#include "tools/tokend/daemon.h"

#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/affinity.h"
#include "core/cache_line.h"
#include "http/api/api.h"
#include "http/http_session.h"
#include "store/bootstrap.h"
#include "store/store.h"
#include "tools/tokend/first_admin.h"

namespace tokend::tools {
namespace {

using core::Severity;

// Descriptors that are not connections: the database's files, rings, listeners, standard ones.
constexpr rlim_t kOtherDescriptors = 4'096;

constexpr std::int64_t kProxyHeaderWarningsApartMs = 60'000;

Config with_cores(Config config) {
  if (config.cores == 0) config.cores = std::max<std::size_t>(1, core::allowed_cpus().size());
  return config;
}

LogOptions log_options(const Config& config) {
  LogOptions options;
  options.json = config.log_format == "json";
  options.least = config.log_level == "debug"     ? Severity::debug
                  : config.log_level == "warning" ? Severity::warning
                  : config.log_level == "error"   ? Severity::error
                                                  : Severity::info;
  return options;
}

core::ServerOptions server_options(const Config& config) {
  core::ReactorOptions reactor = config.reactor;
  // So that the page can be had where the API's connections are at their limit, which is the API's
  // sessions'.
  if (!config.metrics_listen.empty()) {
    reactor.connections_max += api::metrics_page_limits().connections_max;
  }
  return {.listen = config.listen,
          .cores = config.cores,
          .cpus = config.cpus,
          .steer_connections = config.steer_connections,
          .drain_timeout_ms = config.drain_timeout_ms,
          .reactor = reactor};
}

api::ApiOptions api_options(const Config& config) {
  api::ApiOptions options;
  options.create_tokens_enabled = config.create_tokens_for_users;
  options.create_tokens_secret = config.create_tokens_for_users_secret;
  options.token_lifetime_ms_max = config.token_lifetime_ms_max;
  options.audit = config.audit_retention_ms > 0;
  options.rate_limit = {.entries_max = config.rate_limiter_entries, .restarts_when_spent = false};
  options.user_rate_limit = {
      .key = config.rate_limiter_key == "user"   ? api::RateLimitKey::user
             : config.rate_limiter_key == "both" ? api::RateLimitKey::both
                                                 : api::RateLimitKey::address,
      .calls_max = static_cast<std::uint32_t>(config.rate_limiter_user_calls_max),
      .window_ms = config.rate_limiter_user_window_ms};
  options.login_block = {
      .enabled = config.login_block,
      .user_failures_max = static_cast<std::uint32_t>(config.login_block_user_failures_max),
      .address_failures_max = static_cast<std::uint32_t>(config.login_block_address_failures_max),
      .time_ms = config.login_block_time_ms,
      .entries_max = config.login_block_entries};
  options.forwarded_count = static_cast<std::uint32_t>(config.forwarded_count);
  options.version = TOKEND_VERSION;
  options.body_bytes_max = config.http.body_bytes_max;
  return options;
}

// As many as of addresses, in a table of their own, so that no crowd of addresses can make it
// forget a user; next to nothing where it is not used.
api::RateLimitOptions user_windows(const api::ApiOptions& options) {
  const bool used = options.user_rate_limit.key != api::RateLimitKey::address;
  return {.entries_max = used ? options.rate_limit.entries_max : 0, .restarts_when_spent = false};
}

store::CommitterOptions committer_options(const Config& config) {
  store::CommitterOptions options;
  options.tokens_per_user_max = config.tokens_per_user_max;
  options.personal_tokens_per_user_max = config.personal_tokens_per_user_max;
  options.idempotency_window_ms = config.idempotency_window_ms;
  options.idempotency_bytes_max = config.idempotency_bytes_max;
  options.indexed_tokens_max = config.tokens_max;
  options.audit = config.audit_retention_ms > 0;
  options.settings = config.settings;
  options.given_settings = config.given_settings;
  return options;
}

static_assert(store::kIssuingShardsMax < core::Outbox::kReceiversMax, "and the committer");

// Apart from the committer.
std::size_t shards_of(const Config& config) {
  return config.store_shards > 1 ? config.store_shards : 0;
}

store::StoreOptions store_options(const Config& config) {
  store::StoreOptions options = config.store;
  options.bcrypt_cost = static_cast<int>(config.bcrypt_cost);
  options.audit_retention_ms = config.audit_retention_ms;
  return options;
}

// Connections are descriptors, so all that the system grants are taken.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

StartFailure failure_of(const core::Error& error, int exit_code = kExitFailure) {
  return {exit_code,
          error.message.empty() ? std::string(core::name_of(error.code)) : error.message};
}

}  // namespace

// A core's own parts. The store joins the committer's replicas when it is made.
struct alignas(core::kCacheLineBytes) Daemon::Core {
  Core(Daemon& daemon, core::Reactor& reactor)
      : log(daemon.log_.add_core()),
        store({.database = *daemon.database_,
               .committer = *daemon.committer_,
               .readers = daemon.readers_,
               .hashers = daemon.hashers_,
               .home = reactor.mailbox(),
               .clock = reactor.turn_clock(),
               .outbox = &reactor.outbox(),
               .timers = &reactor.timers(),
               .log = &log},
              store_options(daemon.config_)),
        api(daemon.api_options_, {.store = store,
                                  .log = log,
                                  .clock = reactor.turn_clock(),
                                  .limiter = daemon.limiter_,
                                  .user_limiter = daemon.user_limiter_,
                                  .issuing_limiter = daemon.issuing_limiter_,
                                  .login_block = daemon.login_block_,
                                  .timers = &reactor.timers()}),
        metrics(api::kRoutes.size()),
        factory(api::with_bulk_issuance(daemon.config_.http), api, reactor.turn_clock(),
                reactor.blocks(), &metrics) {}

  CoreLog& log;
  store::Store store;
  api::Api api;
  http::HttpMetrics metrics;
  http::HttpSessionFactory factory;
};

Daemon::Daemon(const Config& config)
    : config_(with_cores(config)),
      log_(log_options(config_), clock_),
      main_log_(log_.add_core()),
      signal_log_(log_.add_core()),
      server_(server_options(config_), clock_),
      committer_thread_(shards_of(config_)),
      readers_(
          {.name = "reader", .threads = config_.readers, .queue_max = config_.reader_queue_max}),
      hashers_(
          {.name = "hasher", .threads = config_.hashers, .queue_max = config_.hasher_queue_max}),
      api_options_(api_options(config_)),
      limiter_(api_options_.rate_limit),
      user_limiter_(user_windows(api_options_)),
      issuing_limiter_({.entries_max = api::kIssuingWindowsMax, .restarts_when_spent = false}),
      login_block_(api_options_.login_block),
      metrics_sessions_(api::metrics_page_limits(), metrics_page_, server_.reactor(0).turn_clock(),
                        server_.reactor(0).blocks()) {}

Daemon::~Daemon() { stop(); }

std::expected<std::unique_ptr<Daemon>, StartFailure> Daemon::open(const Config& config) {
  raise_descriptor_limit();
  std::unique_ptr<Daemon> daemon(new Daemon(config));
  // The addresses come before the store: a second tokend that is started by mistake then leaves no
  // trace in a data directory.
  if (auto bound = daemon->listen(); !bound) {
    const bool unsupported = bound.error().code == core::Errc::unavailable;
    return std::unexpected(
        failure_of(bound.error(), unsupported ? kExitUnsupported : kExitFailure));
  }
  if (auto opened = daemon->open_store(); !opened) return std::unexpected(opened.error());
  for (std::size_t core = 0; core < daemon->config_.cores; ++core) {
    core::run_on_cpu(daemon->server_.cpu_of(core), [&daemon, core] {
      daemon->cores_.push_back(std::make_unique<Core>(*daemon, daemon->server_.reactor(core)));
    });
  }
  daemon->fill_metrics_page();
  return daemon;
}

core::Result<void> Daemon::listen() {
  if (auto bound = server_.listen(); !bound) return bound;
  if (config_.metrics_listen.empty()) return {};
  auto bound = server_.listen_apart(config_.metrics_listen, 0, metrics_sessions_);
  if (!bound) return core::fail(bound.error().code, "--metrics-listen: " + bound.error().message);
  metrics_address_ = *std::move(bound);
  return {};
}

void Daemon::fill_metrics_page() {
  api::MetricsPage::Sources sources{.cores = {},
                                    .committer = *committer_,
                                    .version = TOKEND_VERSION,
                                    .started_ms = clock_.wall_ms()};
  for (std::size_t core = 0; core < cores_.size(); ++core) {
    sources.cores.push_back({.core = server_.reactor(core).metrics(),
                             .http = cores_[core]->metrics,
                             .store = cores_[core]->store});
  }
  metrics_page_.tell_of(std::move(sources));
}

std::expected<void, StartFailure> Daemon::open_store() {
  store::RocksOptions options;
  options.directory = config_.data;
  options.block_cache_bytes = config_.block_cache_bytes;
  options.token_segment_bytes = config_.write_buffer_bytes;
  options.journal_bytes_max = config_.journal_bytes;
  options.audit_retention_ms = config_.audit_retention_ms;
  options.journal_writes_max =
      std::min(store::kJournalWritesMax,
               options.journal_writes_max + shards_of(config_) * store::IssuingShard::kBatches);
  options.accept_log_damage = config_.accept_log_damage;
  auto database = store::RocksDatabase::open(options, clock_);
  if (!database) return std::unexpected(failure_of(database.error()));
  database_ = std::move(*database);

  auto plan = plan_first_admin(config_, *database_, random_);
  if (!plan) return std::unexpected(failure_of(plan.error()));
  auto prepared = store::prepare_store(*database_, clock_, random_, plan->admin,
                                       static_cast<int>(config_.bcrypt_cost));
  if (!prepared) return std::unexpected(failure_of(prepared.error()));
  if (prepared->created_admin) {
    first_admin_ = prepared->created_admin->username;
    admin_password_file_ = plan->password_file;
  }

  store::CommitterParts parts{.database = *database_,
                              .clock = clock_,
                              .waker = committer_thread_,
                              .random = committer_random_};
  for (std::size_t shard = 0; shard < shards_of(config_); ++shard) {
    shards_random_.push_back(std::make_unique<store::RandomBytes>());
    parts.shards.push_back({committer_thread_.shard_waker(shard), *shards_random_.back()});
  }
  auto committer = store::Committer::open(parts, prepared->identity, committer_options(config_));
  if (!committer) return std::unexpected(failure_of(committer.error()));
  committer_ = std::move(*committer);
  stored_settings_ = committer_->settings();
  return {};
}

int Daemon::run(SignalWatch& signals, const std::vector<std::string>& warnings) {
  log_.start();
  if (auto started = start(); !started) {
    main_log_.write(Severity::error, failure_of(started.error()).message);
    stop();
    return kExitFailure;
  }
  signals.serve(
      [this](int signal) {
        signal_log_.write(Severity::info, std::string("stopping: ") + strsignal(signal));
        server_.request_stop();
      },
      [this] {
        watch_health();
        watch_proxy_headers();
      });
  announce(warnings);
  server_.join();
  signals.release();
  stop();
  return 0;
}

core::Result<void> Daemon::start() {
  if (auto started = readers_.start(); !started) return started;
  if (auto started = hashers_.start(); !started) return started;
  if (auto started = committer_thread_.start(*committer_); !started) return started;
  std::vector<core::SessionFactory*> factories;
  for (const auto& core : cores_) factories.push_back(&core->factory);
  return server_.start(factories);
}

void Daemon::announce(const std::vector<std::string>& warnings) {
  const auto info = [this](const std::string& line) { main_log_.write(Severity::info, line); };
  const auto warn = [this](const std::string& line) { main_log_.write(Severity::warning, line); };
  info("tokend " TOKEND_VERSION ", " + std::to_string(config_.cores) + " cores, data in " +
       config_.data);
  if (config_.store_shards > 1) {
    info("issuing by " + std::to_string(config_.store_shards) + " shards");
  }
  if (config_.steer_connections) info("connections are steered by their CPU");
  for (const std::string& warning : warnings) warn(warning);
  for (const std::string& warning : server_.warnings()) warn(warning);
  if (!database_->warning().empty()) warn(database_->warning());
  warn_of_descriptors();
  if (!first_admin_.empty()) {
    info("first admin '" + first_admin_ + "' made" +
         (admin_password_file_.empty() ? "" : "; its password is in " + admin_password_file_));
  }
  for (std::size_t index = 0; index < store::kSettingCount; ++index) {
    const auto key = static_cast<store::SettingKey>(index);
    if (get(stored_settings_, key) != get(config_.settings, key)) {
      info("as stored: " + std::string(id_of(key)));
    }
  }
  if (!config_.create_tokens_for_users_secret.empty()) {
    info("issuing is on for requests with the secret");
  } else if (config_.create_tokens_for_users) {
    info("issuing is on");
  } else {
    warn(
        "issuing is off: users.createToken refuses everybody; CREATE_TOKENS_FOR_USERS=true or "
        "CREATE_TOKENS_FOR_USERS_SECRET turns it on");
  }
  // Scripts wait for the lines behind these.
  if (!metrics_address_.empty()) {
    info("metrics on http://" + metrics_address_ + "/metrics");
    std::printf("metrics on %s\n", metrics_address_.c_str());
  }
  for (const std::string& address : server_.addresses()) {
    info("listening on " + address);
    // For scripts, which read the port that the system chose.
    std::printf("listening on %s\n", address.c_str());
  }
  std::fflush(stdout);
}

void Daemon::warn_of_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  const rlim_t wanted = config_.cores * config_.http.connections_max + kOtherDescriptors;
  if (limit.rlim_cur >= wanted) return;
  main_log_.write(Severity::warning,
                  "the limit of open files is " + std::to_string(limit.rlim_cur) + ", but " +
                      std::to_string(wanted) +
                      " are wanted for all connections: raise it (LimitNOFILE, ulimit -Hn) or "
                      "lower --connections-max");
}

void Daemon::watch_health() {
  if (failure_told_ || committer_->healthy()) return;
  failure_told_ = true;
  signal_log_.write(Severity::error, "durability is lost, nothing is written until a restart: " +
                                         committer_->failure());
}

// A listener that expects a header of every connection is silent towards whoever sends none, so the
// operator must hear of a proxy that was not told to send it; a port scanner must not fill the log.
void Daemon::watch_proxy_headers() {
  if (!config_.reactor.proxy_protocol) return;
  std::uint64_t refused = 0;
  for (std::size_t core = 0; core < server_.cores(); ++core) {
    refused += server_.reactor(core).metrics().get(core::CoreCounter::proxy_headers_refused);
  }
  const std::int64_t now_ms = clock_.monotonic_ns() / core::kNanosecondsPerMillisecond;
  const bool told_lately =
      proxy_headers_told_ > 0 && now_ms - proxy_headers_told_ms_ < kProxyHeaderWarningsApartMs;
  if (refused == proxy_headers_told_ || told_lately) return;
  signal_log_.write(Severity::warning,
                    "connections closed that began with no PROXY protocol v2 header: " +
                        std::to_string(refused - proxy_headers_told_) + " (--proxy-protocol)");
  proxy_headers_told_ = refused;
  proxy_headers_told_ms_ = now_ms;
}

// The cores have ended, the committer has not.
void Daemon::send_rest_of_audit() {
  for (std::size_t core = 0; core < cores_.size(); ++core) {
    cores_[core]->api.send_rest_of_audit();
    server_.reactor(core).outbox().flush();
  }
}

void Daemon::stop() {
  server_.request_stop();
  server_.join();
  send_rest_of_audit();
  readers_.stop();
  hashers_.stop();
  committer_thread_.stop();
  log_.stop();
}

}  // namespace tokend::tools
