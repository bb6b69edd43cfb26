#pragma once
// tokend put together: every part is made here and handed what it needs.
//
// Operation: open() makes all parts and binds the addresses, in the order of what is cheapest to
// undo; nothing serves yet. run() serves until a signal comes and ends in this order: 1. no further
// connection is accepted 2. what is in flight is answered, for which the committer and the workers
// are still needed 3. the loops end 4. the workers end 5. the shards and the committer end 6. the
// database closes.
//
// Concurrency: one thread. Each core has a Store, an Api and sessions of its own; the cores share
// the database, the committer, the workers, the rate limiter and the options.

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/server.h"
#include "http/api/login_block.h"
#include "http/api/metrics_page.h"
#include "http/api/options.h"
#include "http/api/rate_limit.h"
#include "http/http_session.h"
#include "store/committer.h"
#include "store/committer_thread.h"
#include "store/rocks.h"
#include "store/token.h"
#include "store/worker_pool.h"
#include "tools/tokend/config.h"
#include "tools/tokend/log.h"
#include "tools/tokend/signals.h"

namespace tokend::tools {

inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
// The machine can't run tokend (sysexits.h: EX_CONFIG): io_uring is missing or disabled.
inline constexpr int kExitUnsupported = 78;

struct StartFailure {
  int exit_code = kExitFailure;
  std::string message;
};

class Daemon {
 public:
  [[nodiscard]] static std::expected<std::unique_ptr<Daemon>, StartFailure> open(
      const Config& config);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Serves until `signals` says stop. Returns the exit code.
  [[nodiscard]] int run(SignalWatch& signals, const std::vector<std::string>& warnings);

 private:
  struct Core;

  explicit Daemon(const Config& config);
  [[nodiscard]] std::expected<void, StartFailure> open_store();
  [[nodiscard]] core::Result<void> listen();
  void fill_metrics_page();
  [[nodiscard]] core::Result<void> start();
  void announce(const std::vector<std::string>& warnings);
  void watch_health();
  void watch_proxy_headers();
  void warn_of_descriptors();
  void send_rest_of_audit();
  void stop();

  const Config config_;
  const core::SystemClock clock_;
  LogThread log_;
  CoreLog& main_log_;    // of the thread that runs this
  CoreLog& signal_log_;  // of the signals' thread
  core::Server server_;

  std::unique_ptr<store::RocksDatabase> database_;
  store::RandomBytes random_;            // before threads run
  store::RandomBytes committer_random_;  // the committer's
  std::vector<std::unique_ptr<store::RandomBytes>> shards_random_;
  store::CommitterThread committer_thread_;
  std::unique_ptr<store::Committer> committer_;
  store::WorkerPool readers_;
  store::WorkerPool hashers_;

  const api::ApiOptions api_options_;
  api::RateLimiter limiter_;
  api::RateLimiter user_limiter_;
  api::RateLimiter issuing_limiter_;
  api::LoginBlock login_block_;
  std::vector<std::unique_ptr<Core>> cores_;
  api::MetricsPage metrics_page_;  // core 0 serves it
  http::HttpSessionFactory metrics_sessions_;
  std::string metrics_address_;  // that was bound

  std::string first_admin_;          // its name, when it was made by this start
  std::string admin_password_file_;  // where its password was written, if it was
  store::Settings stored_settings_;  // those of the start
  // The signals' thread only.
  bool failure_told_ = false;
  std::uint64_t proxy_headers_told_ = 0;    // those refused
  std::int64_t proxy_headers_told_ms_ = 0;  // when; monotonic
};

}  // namespace tokend::tools
