// A message from thread to thread: the cost of the atomic steps, and of the whole hop between two
// threads that never sleep.

#include <benchmark/benchmark.h>

#include <atomic>
#include <thread>
#include <vector>

#include "bench/idle.h"
#include "core/error.h"
#include "core/mailbox.h"

namespace tokend::bench {
namespace {

struct Numbered : core::Message {
  int number = 0;
};

// Range: messages posted before one take().
void post_and_take(benchmark::State& state) {
  NobodySleeps waker;
  core::Mailbox mailbox(waker);
  std::vector<Numbered> messages(static_cast<std::size_t>(state.range(0)));
  for (std::size_t i = 0; i < messages.size(); ++i) messages[i].number = static_cast<int>(i);
  for (Numbered& message : messages) mailbox.post(message);
  core::MessageList list = mailbox.take();
  for (const Numbered& message : messages) CHECK(list.pop_front() == &message);
  CHECK(list.empty());

  for (auto _ : state) {
    for (Numbered& message : messages) mailbox.post(message);
    core::MessageList taken = mailbox.take();
    while (core::Message* message = taken.pop_front()) benchmark::DoNotOptimize(message);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(post_and_take)->Arg(1)->Arg(64);

// One message there and back; needs two idle CPUs.
void hop_and_back(benchmark::State& state) {
  NobodySleeps waker;
  core::Mailbox there(waker);
  core::Mailbox back(waker);
  std::atomic<bool> stop{false};
  std::thread echo([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      for (core::MessageList list = there.take(); core::Message* message = list.pop_front();) {
        back.post(*message);
      }
    }
  });
  Numbered message;
  for (auto _ : state) {
    there.post(message);
    core::Message* came = nullptr;
    while (!came) came = back.take().pop_front();
    CHECK(came == &message);
  }
  stop = true;
  echo.join();
}
BENCHMARK(hop_and_back)->UseRealTime();

}  // namespace
}  // namespace tokend::bench

BENCHMARK_MAIN();
