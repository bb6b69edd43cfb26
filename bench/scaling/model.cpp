#include "bench/scaling/model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <functional>
#include <queue>
#include <random>
#include <utility>
#include <vector>

namespace tokend::scaling {
namespace {

// Those of tokend.
constexpr std::size_t kBatchTokensMax = 4096;
constexpr std::size_t kOverlappingTokensMin = 64;
constexpr std::size_t kWritesMax = 4;
constexpr std::size_t kWritesMaxOfAll = 12;
constexpr std::size_t kBatchesOfAShard = 2;
constexpr std::size_t kHandOverTokensMin = 96;
constexpr std::size_t kHandOverTurnsMax = 4;
constexpr double kFrameBytes = 4096;
// Ours. What a turn takes, and the keeper at once.
constexpr std::size_t kTurnRequestsMax = 256;
constexpr std::size_t kKeeperTokens = 1024;
// Commits wait above it. tokend's is two million; so much less, so that a keeper that is too slow
// shows in a short run.
constexpr std::size_t kTailTokensMax = 50'000;

constexpr double kSaturated = 0.9;
constexpr double kNsPerSecond = 1e9;

struct Request {
  double begun;  // ns
  std::uint32_t loop;
  std::uint32_t client;
};
using Requests = std::vector<Request>;

constexpr std::uint32_t kCommitter = ~std::uint32_t{0};

enum class Kind : std::uint8_t { loop, client, committer, keeper, shard, count_ };

struct Flight {
  Requests requests;
  std::uint32_t shard = kCommitter;  // that made it
  double durable = 0;
};

// All that a thread of any kind has; most of it is empty.
struct Thread {
  Kind kind = Kind::loop;
  std::uint32_t index = 0;
  std::size_t processor = 0;
  bool running = false;
  bool ready = false;
  double ready_since = 0;
  double busy = 0;  // measured

  std::deque<Request> inbox;  // requests of a loop, of a committer; answers for a client
  Requests answers;           // of a loop, come home
  // What the present turn or batch does at its end.
  Requests taken;
  std::vector<Flight> finished;
  Requests answered;
  // A loop's: held back for the committer, or the shards.
  std::vector<Requests> held;
  std::size_t held_count = 0;
  std::size_t turns_held = 0;
  // The committer's.
  std::deque<Flight> flights;
  std::deque<Flight> handed_in;
  std::vector<Flight> begun;
  // Its, and a shard's: tokens and batches.
  std::size_t under_way = 0;
  std::size_t batches = 0;
  std::size_t tail = 0;  // a keeper's: tokens that it has to write
};

struct Event {
  double at;
  std::uint64_t number;
  enum class What : std::uint8_t { arrival, end_of_task, durable } what;
  std::uint32_t index;  // of a loop, a processor
  bool operator>(const Event& other) const noexcept {
    return at != other.at ? at > other.at : number > other.number;
  }
};

class Simulation {
 public:
  Simulation(const Scenario& scenario, const Costs& costs)
      : scenario_(scenario),
        costs_(costs),
        random_(scenario.seed),
        begin_(scenario.seconds / 2 * kNsPerSecond),
        end_(scenario.seconds * 1.5 * kNsPerSecond),
        running_(scenario.processors, kNone) {
    const auto processors = static_cast<std::uint32_t>(scenario.processors);
    const auto shards = static_cast<std::uint32_t>(scenario.shards);
    for (auto [kind, count] : {std::pair{Kind::loop, processors},
                               {Kind::client, processors},
                               {Kind::committer, 1U},
                               {Kind::keeper, 1U},
                               {Kind::shard, shards > 1 ? shards : 0}}) {
      first_[static_cast<std::size_t>(kind)] = threads_.size();
      for (std::uint32_t i = 0; i < count; ++i) {
        Thread& its = threads_.emplace_back();
        its.kind = kind;
        its.index = i;
        its.processor = i % scenario.processors;
        its.held.resize(kind == Kind::loop ? shards : 0);
      }
    }
    const double crossing = 1.0 - 1.0 / static_cast<double>(scenario.processors);
    loop_half_ = (costs.loop_token + crossing * costs.loop_cross) / 2;
    committer_token_ = costs.committer_token + crossing * costs.committer_cross;
    shard_token_ = costs.shard_token + crossing * costs.shard_cross;
    commit_token_ = costs.commit_token + crossing * costs.commit_cross;
    writes_max_ = has_shards()
                      ? std::min(kWritesMaxOfAll, kWritesMax + kBatchesOfAShard * scenario.shards)
                      : kWritesMax;
  }

  Outcome run();

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

  Thread& thread(Kind kind, std::size_t index) {
    return threads_[first_[static_cast<std::size_t>(kind)] + index];
  }
  [[nodiscard]] bool has_shards() const { return scenario_.shards > 1; }
  // The part of an interval that lies in the measured time.
  [[nodiscard]] double measured(double from, double to) const {
    return std::max(0.0, std::min(to, end_) - std::max(from, begin_));
  }
  void schedule(double at, Event::What what, std::uint32_t index) {
    events_.push({at, ++events_made_, what, index});
  }

  void arrive(std::uint32_t loop, std::uint32_t client);
  void arrive_at_random(std::uint32_t loop);
  void make_ready(Thread& thread);
  [[nodiscard]] bool has_work(const Thread& thread) const;
  [[nodiscard]] bool may_begin_batch(const Thread& thread) const;
  [[nodiscard]] bool may_submit(const Thread& committer) const;
  [[nodiscard]] bool is_wanted_by_others(const Thread& thread) const;
  void dispatch(std::size_t processor);
  double begin_task(Thread& thread);
  double begin_turn(Thread& loop);
  double begin_batch(Thread& thread);
  double begin_commit(Thread& committer);
  void end_task(Thread& thread);
  void end_turn(Thread& loop);
  void end_batch(Thread& shard);
  void end_commit(Thread& committer);
  void submit(Thread& committer, Flight&& flight);
  void answer(const Request& request);
  void disk_works(double work);

  const Scenario scenario_;
  const Costs costs_;
  std::mt19937_64 random_;
  const double begin_;
  const double end_;
  double now_ = 0;
  double loop_half_ = 0;
  double committer_token_ = 0;
  double shard_token_ = 0;
  double commit_token_ = 0;
  std::size_t writes_max_ = kWritesMax;

  std::vector<Thread> threads_;
  std::array<std::size_t, static_cast<std::size_t>(Kind::count_)> first_{};
  std::vector<std::size_t> running_;  // the thread on each processor
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t events_made_ = 0;

  double disk_free_ = 0;
  double disk_busy_ = 0;
  std::size_t batches_ = 0;
  std::size_t batch_tokens_ = 0;
  std::size_t in_flight_ = 0;
  double in_flight_area_ = 0;
  std::vector<double> latencies_;
};

void Simulation::arrive(std::uint32_t loop, std::uint32_t client) {
  ++in_flight_;
  Thread& its = thread(Kind::loop, loop);
  its.inbox.push_back({now_, loop, client});
  make_ready(its);
}

void Simulation::arrive_at_random(std::uint32_t loop) {
  const double rate = scenario_.rate / static_cast<double>(scenario_.processors) / kNsPerSecond;
  schedule(now_ + std::exponential_distribution<>(rate)(random_), Event::What::arrival, loop);
}

// Of its own.
bool Simulation::may_begin_batch(const Thread& thread) const {
  const bool has_room =
      thread.kind == Kind::shard ? thread.batches < kBatchesOfAShard : may_submit(thread);
  return !thread.inbox.empty() && has_room &&
         thread.inbox.size() >= std::min(kOverlappingTokensMin, thread.under_way);
}

bool Simulation::may_submit(const Thread& committer) const {
  const Thread& keeper = threads_[first_[static_cast<std::size_t>(Kind::keeper)]];
  return committer.flights.size() + committer.begun.size() < writes_max_ &&
         keeper.tail < kTailTokensMax;
}

bool Simulation::has_work(const Thread& thread) const {
  switch (thread.kind) {
    case Kind::loop:
      return !thread.inbox.empty() || !thread.answers.empty() || thread.held_count > 0;
    case Kind::committer:
      return may_begin_batch(thread) || (!thread.handed_in.empty() && may_submit(thread)) ||
             (!thread.flights.empty() && thread.flights.front().durable <= now_);
    case Kind::shard: return may_begin_batch(thread);
    case Kind::keeper: return thread.tail >= kKeeperTokens;
    default: return !thread.inbox.empty();
  }
}

void Simulation::make_ready(Thread& thread) {
  if (thread.ready || thread.running || !has_work(thread)) return;
  thread.ready = true;
  thread.ready_since = now_;
  // Where it ran, unless others want that processor and another one is free. Then it waits there: a
  // scheduler fetches a thread that is ready for so short a time only seldom.
  const bool floats = thread.kind != Kind::loop && thread.kind != Kind::client;
  if (floats && is_wanted_by_others(thread)) {
    for (std::size_t i = 0; i < running_.size(); ++i) {
      if (i == thread.processor || running_[i] != kNone) continue;
      thread.processor = i;
      break;
    }
  }
  if (running_[thread.processor] == kNone) dispatch(thread.processor);
}

bool Simulation::is_wanted_by_others(const Thread& thread) const {
  return running_[thread.processor] != kNone ||
         std::ranges::any_of(threads_, [&thread](const Thread& other) {
           return &other != &thread && other.ready && other.processor == thread.processor;
         });
}

void Simulation::dispatch(std::size_t processor) {
  Thread* next = nullptr;
  const auto consider = [&next, processor](Thread& thread) {
    if (thread.ready && thread.processor == processor &&
        (!next || thread.ready_since < next->ready_since)) {
      next = &thread;
    }
  };
  consider(thread(Kind::loop, processor));
  consider(thread(Kind::client, processor));
  for (std::size_t i = first_[static_cast<std::size_t>(Kind::committer)]; i < threads_.size();
       ++i) {
    consider(threads_[i]);
  }
  if (!next) return;
  next->ready = false;
  next->running = true;
  running_[processor] = static_cast<std::size_t>(next - threads_.data());
  const double cost = begin_task(*next);
  next->busy += measured(now_, now_ + cost);
  schedule(now_ + cost, Event::What::end_of_task, static_cast<std::uint32_t>(processor));
}

double Simulation::begin_task(Thread& thread) {
  switch (thread.kind) {
    case Kind::loop: return begin_turn(thread);
    case Kind::committer: return begin_commit(thread);
    case Kind::shard:
      return begin_batch(thread) + costs_.post +
             (has_work(this->thread(Kind::committer, 0)) ? 0 : costs_.wake);
    case Kind::keeper: return static_cast<double>(kKeeperTokens) * costs_.keeper_token;
    default:
      thread.taken.assign(thread.inbox.begin(), thread.inbox.end());
      thread.inbox.clear();
      return static_cast<double>(thread.taken.size()) * costs_.client_token;
  }
}

double Simulation::begin_turn(Thread& loop) {
  const std::size_t requests = std::min(loop.inbox.size(), kTurnRequestsMax);
  loop.taken.assign(loop.inbox.begin(), loop.inbox.begin() + static_cast<std::ptrdiff_t>(requests));
  loop.inbox.erase(loop.inbox.begin(), loop.inbox.begin() + static_cast<std::ptrdiff_t>(requests));
  loop.answered = std::exchange(loop.answers, {});
  return costs_.loop_turn +
         loop_half_ * static_cast<double>(loop.taken.size() + loop.answered.size());
}

void Simulation::end_turn(Thread& loop) {
  std::uniform_int_distribution<std::size_t> shard(0, scenario_.shards - 1);
  for (const Request& request : loop.taken) loop.held[shard(random_)].push_back(request);
  loop.held_count += loop.taken.size();
  for (const Request& request : loop.answered) answer(request);
  const bool sleeps = loop.inbox.empty() && loop.answers.empty();
  if (loop.held_count > 0 && loop.held_count < kHandOverTokensMin && !sleeps &&
      ++loop.turns_held < kHandOverTurnsMax) {
    return;
  }
  loop.turns_held = 0;
  loop.held_count = 0;
  for (std::size_t i = 0; i < loop.held.size(); ++i) {
    if (loop.held[i].empty()) continue;
    Thread& its = has_shards() ? thread(Kind::shard, i) : thread(Kind::committer, 0);
    its.inbox.insert(its.inbox.end(), loop.held[i].begin(), loop.held[i].end());
    loop.held[i].clear();
    make_ready(its);
  }
}

double Simulation::begin_batch(Thread& thread) {
  const auto count = static_cast<std::ptrdiff_t>(std::min(thread.inbox.size(), kBatchTokensMax));
  thread.taken.assign(thread.inbox.begin(), thread.inbox.begin() + count);
  thread.inbox.erase(thread.inbox.begin(), thread.inbox.begin() + count);
  const bool is_shard = thread.kind == Kind::shard;
  return is_shard ? costs_.shard_batch + shard_token_ * static_cast<double>(count)
                  : costs_.committer_batch + committer_token_ * static_cast<double>(count);
}

double Simulation::begin_commit(Thread& committer) {
  double cost = 0;
  std::vector<char> posted(scenario_.processors);
  while (!committer.flights.empty() && committer.flights.front().durable <= now_) {
    std::ranges::fill(posted, 0);
    for (const Request& request : committer.flights.front().requests) {
      if (posted[request.loop]) continue;
      posted[request.loop] = 1;
      const Thread& loop = thread(Kind::loop, request.loop);
      cost += costs_.post + (loop.ready || loop.running ? 0 : costs_.wake);
    }
    if (!has_shards()) committer.under_way -= committer.flights.front().requests.size();
    committer.finished.push_back(std::move(committer.flights.front()));
    committer.flights.pop_front();
  }
  while (!committer.handed_in.empty() && may_submit(committer)) {
    Flight& flight = committer.begun.emplace_back(std::move(committer.handed_in.front()));
    committer.handed_in.pop_front();
    cost += costs_.commit_batch + commit_token_ * static_cast<double>(flight.requests.size());
  }
  if (may_begin_batch(committer)) cost += begin_batch(committer);
  return cost;
}

void Simulation::disk_works(double work) {
  const double from = std::max(now_, disk_free_);
  disk_free_ = from + work;
  disk_busy_ += measured(from, disk_free_);
}

void Simulation::submit(Thread& committer, Flight&& flight) {
  const double spread = costs_.disk_spread;
  const double factor =
      spread > 0 ? std::lognormal_distribution<>(-spread * spread / 2, spread)(random_) : 1;
  const std::size_t tokens = flight.requests.size();
  const double bytes = static_cast<double>(tokens) * costs_.journal_bytes;
  const double written = std::ceil(bytes / kFrameBytes) * kFrameBytes;
  disk_works(costs_.disk_write * factor + written / 1024 * costs_.disk_kib);
  if (now_ >= begin_) {
    ++batches_;
    batch_tokens_ += tokens;
  }
  Thread& keeper = thread(Kind::keeper, 0);
  keeper.tail += tokens;
  flight.durable = disk_free_ + costs_.disk_delay;
  schedule(flight.durable, Event::What::durable, 0);
  committer.flights.push_back(std::move(flight));
  make_ready(keeper);
}

void Simulation::end_batch(Thread& shard) {
  shard.under_way += shard.taken.size();
  ++shard.batches;
  Thread& committer = thread(Kind::committer, 0);
  committer.handed_in.push_back({std::exchange(shard.taken, {}), shard.index});
  make_ready(committer);
}

void Simulation::end_commit(Thread& committer) {
  for (Flight& flight : committer.begun) submit(committer, std::move(flight));
  committer.begun.clear();
  if (!committer.taken.empty()) {
    committer.under_way += committer.taken.size();
    submit(committer, {.requests = std::exchange(committer.taken, {})});
  }
  for (const Flight& flight : committer.finished) {
    for (const Request& request : flight.requests) {
      thread(Kind::loop, request.loop).answers.push_back(request);
    }
    for (const Request& request : flight.requests) make_ready(thread(Kind::loop, request.loop));
    if (flight.shard == kCommitter) continue;
    Thread& shard = thread(Kind::shard, flight.shard);
    shard.under_way -= flight.requests.size();
    --shard.batches;
    make_ready(shard);
  }
  committer.finished.clear();
}

void Simulation::answer(const Request& request) {
  --in_flight_;
  if (now_ >= begin_) latencies_.push_back(now_ - request.begun);
  if (scenario_.rate > 0) return;
  if (costs_.client_token > 0) {
    Thread& client = thread(Kind::client, request.client);
    client.inbox.push_back(request);
    make_ready(client);
  } else {
    arrive(request.loop, request.client);
  }
}

void Simulation::end_task(Thread& thread) {
  switch (thread.kind) {
    case Kind::loop: end_turn(thread); break;
    case Kind::committer: end_commit(thread); break;
    case Kind::shard: end_batch(thread); break;
    case Kind::keeper:
      thread.tail -= kKeeperTokens;
      disk_works(kKeeperTokens * costs_.table_bytes / 1024 * costs_.disk_kib);
      make_ready(this->thread(Kind::committer, 0));
      break;
    default:
      for (const Request& request : thread.taken) arrive(request.loop, request.client);
      thread.taken.clear();
  }
}

Outcome Simulation::run() {
  const auto processors = static_cast<std::uint32_t>(scenario_.processors);
  for (std::uint32_t loop = 0; loop < processors; ++loop) {
    if (scenario_.rate > 0) {
      arrive_at_random(loop);
    } else {
      for (std::uint32_t i = 0; i < scenario_.in_flight; ++i) arrive(loop, i % processors);
    }
  }
  while (!events_.empty() && events_.top().at < end_) {
    const Event event = events_.top();
    events_.pop();
    in_flight_area_ += static_cast<double>(in_flight_) * measured(now_, event.at);
    now_ = event.at;
    switch (event.what) {
      case Event::What::arrival:
        arrive(event.index, 0);
        arrive_at_random(event.index);
        break;
      case Event::What::durable: make_ready(thread(Kind::committer, event.index)); break;
      case Event::What::end_of_task: {
        Thread& ended = threads_[running_[event.index]];
        end_task(ended);
        ended.running = false;
        running_[event.index] = kNone;
        make_ready(ended);
        if (running_[event.index] == kNone) dispatch(event.index);
      }
    }
  }

  Outcome outcome;
  const double time = end_ - begin_;
  std::array<double, static_cast<std::size_t>(Kind::count_)> busy{};
  for (const Thread& thread : threads_) busy[static_cast<std::size_t>(thread.kind)] += thread.busy;
  const auto share = [&](Kind kind, std::size_t count) {
    return busy[static_cast<std::size_t>(kind)] / time / static_cast<double>(count);
  };
  for (const double spent : busy) outcome.processors_busy += spent;
  outcome.processors_busy /= time * static_cast<double>(scenario_.processors);
  outcome.loops_busy = share(Kind::loop, scenario_.processors);
  outcome.committer_busy = share(Kind::committer, 1);
  outcome.keeper_busy = share(Kind::keeper, 1);
  if (has_shards()) outcome.shards_busy = share(Kind::shard, scenario_.shards);
  outcome.disk_busy = disk_busy_ / time;
  outcome.in_flight_mean = in_flight_area_ / time;
  if (batches_ > 0) {
    outcome.batch_tokens_mean = static_cast<double>(batch_tokens_) / static_cast<double>(batches_);
  }
  if (latencies_.empty()) return outcome;
  outcome.tokens_per_second = static_cast<double>(latencies_.size()) / time * kNsPerSecond;
  double sum = 0;
  for (const double latency : latencies_) sum += latency;
  outcome.latency_us_mean = sum / static_cast<double>(latencies_.size()) / 1e3;
  const auto percentile = [this](double of) {
    const auto at = latencies_.begin() +
                    static_cast<std::ptrdiff_t>(of * static_cast<double>(latencies_.size() - 1));
    std::ranges::nth_element(latencies_, at);
    return *at / 1e3;
  };
  outcome.latency_us_p50 = percentile(0.5);
  outcome.latency_us_p99 = percentile(0.99);
  return outcome;
}

}  // namespace

const char* Outcome::saturated() const noexcept {
  if (disk_busy > kSaturated) return "disk";
  if (keeper_busy > kSaturated) return "keeper";
  if (committer_busy > kSaturated) return "committer";
  if (shards_busy > kSaturated) return "shards";
  if (processors_busy > kSaturated) return "processors";
  return loops_busy > kSaturated ? "loops" : "requests in flight";
}

Outcome simulate(const Scenario& scenario, const Costs& costs) {
  return Simulation(scenario, costs).run();
}

}  // namespace tokend::scaling
