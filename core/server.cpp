#include "core/server.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <latch>
#include <thread>
#include <utility>

#include "core/affinity.h"
#include "core/listener.h"
#include "core/ring.h"

namespace tokend::core {
namespace {

constexpr std::chrono::milliseconds kDrainedCorePoll{1};
// One more may be of a core alone.
constexpr std::size_t kListenersMax = Reactor::kListenersMax - 1;

}  // namespace

struct Server::Impl {
  // What a thread says before it runs its loop.
  struct Report {
    Result<void> enabled;
    int pinning_error = 0;
  };

  void deliver_until_all_drained(Reactor& reactor) noexcept;
  [[nodiscard]] Result<void> check_steering() const;

  ServerOptions options;
  std::vector<int> cpus;  // of each core; empty: none is pinned
  std::vector<std::unique_ptr<Reactor>> reactors;
  std::atomic<std::size_t> undrained{0};  // loops that still run
  std::vector<std::string> addresses;
  std::vector<std::string> warnings;
  std::vector<std::thread> threads;
};

// On a core's thread whose loop has ended. What the other cores' connections wait for may need this
// core's word (a revocation is answered when every core has dropped what it remembers), so it takes
// its messages until none has a connection. Polled, because it happens once, and briefly.
void Server::Impl::deliver_until_all_drained(Reactor& reactor) noexcept {
  undrained.fetch_sub(1);
  while (undrained.load() != 0) {
    reactor.deliver_mail();
    std::this_thread::sleep_for(kDrainedCorePoll);
  }
}

Result<void> Server::Impl::check_steering() const {
  const std::vector<int> allowed = allowed_cpus();
  std::vector<int> own = cpus;
  std::ranges::sort(own);
  if (own.empty() || std::ranges::adjacent_find(own) != own.end()) {
    return fail(Errc::invalid,
                "--steer-connections: each core needs a CPU of its own; --cores may be " +
                    std::to_string(allowed.size()) + " at most");
  }
  for (const int cpu : own) {
    if (std::ranges::find(allowed, cpu) == allowed.end()) {
      return fail(Errc::invalid, "--steer-connections: CPU " + std::to_string(cpu) +
                                     " of --cpus may not be used by this process");
    }
  }
  return {};
}

Server::Server(const ServerOptions& options, const Clock& clock) : impl_(std::make_unique<Impl>()) {
  CHECK(options.cores > 0);
  impl_->options = options;
  const std::vector<int> cpus = options.cpus.empty() ? allowed_cpus() : options.cpus;
  for (std::size_t core = 0; core < options.cores && !cpus.empty(); ++core) {
    impl_->cpus.push_back(cpus[core % cpus.size()]);
  }
  for (std::size_t core = 0; core < options.cores; ++core) {
    run_on_cpu(cpu_of(core), [&] {
      impl_->reactors.push_back(std::make_unique<Reactor>(options.reactor, clock));
    });
  }
}

Server::~Server() {
  request_stop();
  join();
}

Reactor& Server::reactor(std::size_t core) noexcept {
  CHECK(core < impl_->reactors.size());
  return *impl_->reactors[core];
}

int Server::cpu_of(std::size_t core) const noexcept {
  return core < impl_->cpus.size() ? impl_->cpus[core] : -1;
}

std::size_t Server::cores() const noexcept { return impl_->reactors.size(); }

const std::vector<std::string>& Server::addresses() const noexcept { return impl_->addresses; }

const std::vector<std::string>& Server::warnings() const noexcept { return impl_->warnings; }

Result<void> Server::listen() {
  const ServerOptions& options = impl_->options;
  if (!options.cpus.empty() && options.cpus.size() != options.cores) {
    return fail(Errc::invalid, "as many CPUs as cores must be named, or none");
  }
  if (options.listen.empty() || options.listen.size() > kListenersMax) {
    return fail(Errc::invalid, "between 1 and " + std::to_string(kListenersMax) +
                                   " addresses to listen on are needed");
  }
  if (options.steer_connections) {
    if (auto possible = impl_->check_steering(); !possible) return possible;
  }
  for (std::size_t core = 0; core < options.cores; ++core) {
    Result<void> opened;
    run_on_cpu(cpu_of(core), [&] { opened = impl_->reactors[core]->open(); });
    if (!opened) return opened;
  }
  for (const std::string& text : options.listen) {
    const auto address = parse_listen_address(text);
    if (!address) return std::unexpected(address.error());
    auto listeners = listen_on(*address, options.cores);
    if (!listeners) return std::unexpected(std::move(listeners.error()));
    if (options.steer_connections) {
      if (auto steered = steer_by_cpu(*listeners, impl_->cpus); !steered) return steered;
    }
    for (std::size_t core = 0; core < options.cores; ++core) {
      impl_->reactors[core]->add_listener(std::move(listeners->sockets[core]));
    }
    impl_->addresses.push_back(text_of(listeners->address));
  }
  return {};
}

Result<std::string> Server::listen_apart(const std::string& address, std::size_t core,
                                         SessionFactory& factory) {
  CHECK(impl_->threads.empty());
  const auto parsed = parse_listen_address(address);
  if (!parsed) return std::unexpected(parsed.error());
  auto listeners = listen_on(*parsed, 1);
  if (!listeners) return std::unexpected(std::move(listeners.error()));
  reactor(core).add_listener(std::move(listeners->sockets.front()), &factory);
  return text_of(listeners->address);
}

Result<void> Server::start(const std::vector<SessionFactory*>& factories) {
  CHECK(factories.size() == impl_->reactors.size() && impl_->threads.empty());
  const std::size_t cores = impl_->reactors.size();
  impl_->undrained = cores;
  std::vector<Impl::Report> reports(cores);
  std::latch enabled(static_cast<std::ptrdiff_t>(cores));
  for (std::size_t core = 0; core < cores; ++core) {
    impl_->threads.emplace_back([&, core, cpu = cpu_of(core), reactor = impl_->reactors[core].get(),
                                 factory = factories[core]] {
      const std::string name = "core-" + std::to_string(core);
      pthread_setname_np(pthread_self(), name.c_str());
      reports[core].pinning_error = pin_to(cpu);
      reports[core].enabled = reactor->enable();
      const bool runs = reports[core].enabled.has_value();
      enabled.count_down();  // the reports and the latch are gone from here on
      if (!runs) {
        impl_->undrained.fetch_sub(1);
        return;
      }
      reactor->run(*factory);
      impl_->deliver_until_all_drained(*reactor);
    });
  }
  enabled.wait();

  for (std::size_t core = 0; core < cores; ++core) {
    if (reports[core].pinning_error != 0) {
      impl_->warnings.push_back("core " + std::to_string(core) + " is not pinned to a CPU: " +
                                std::strerror(reports[core].pinning_error));
    }
  }
  for (Impl::Report& report : reports) {
    if (report.enabled) continue;
    request_stop();
    join();
    return std::move(report.enabled);
  }
  return {};
}

void Server::request_stop() noexcept {
  for (const auto& reactor : impl_->reactors) {
    reactor->request_stop(impl_->options.drain_timeout_ms);
  }
}

void Server::join() {
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->threads.clear();
}

}  // namespace tokend::core
