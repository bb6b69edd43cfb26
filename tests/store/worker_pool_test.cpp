#include "store/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

namespace tokend::store {
namespace {

struct CountedJob : Job {
  explicit CountedJob(std::atomic<int>& its_count) : count(its_count) {
    run = [](Job& job) noexcept { ++static_cast<CountedJob&>(job).count; };
  }
  std::atomic<int>& count;
};

TEST(WorkerPool, RunsEveryJobOnce) {
  std::atomic<int> count{0};
  WorkerPool pool({"test", 3, 100'000});
  ASSERT_TRUE(pool.start());
  std::deque<CountedJob> jobs;
  for (int i = 0; i < 4000; ++i) jobs.emplace_back(count);
  std::vector<std::thread> askers;
  for (std::size_t asker = 0; asker < 4; ++asker) {
    askers.emplace_back([&, asker] {
      for (std::size_t i = asker; i < jobs.size(); i += 4) EXPECT_TRUE(pool.submit(jobs[i]));
    });
  }
  for (std::thread& asker : askers) asker.join();
  pool.stop();
  EXPECT_EQ(count, 4000);
  EXPECT_EQ(pool.queued(), 0U);
}

TEST(WorkerPool, RefusesBeyondItsLimit) {
  std::atomic<int> count{0};
  WorkerPool pool({"test", 1, 2});  // not started: nothing leaves the queue
  CountedJob first(count), second(count), third(count);
  EXPECT_TRUE(pool.submit(first));
  EXPECT_TRUE(pool.submit(second));
  EXPECT_FALSE(pool.submit(third));
  ASSERT_TRUE(pool.start());
  pool.stop();
  EXPECT_EQ(count, 2);
}

TEST(WorkerPool, OneWorkerKeepsTheOrder) {
  struct Ordered : Job {
    std::vector<int>* order = nullptr;
    int number = 0;
  };
  std::vector<int> order;
  std::deque<Ordered> jobs(100);
  WorkerPool pool({"test", 1, 1000});
  for (int i = 0; i < 100; ++i) {
    Ordered& job = jobs[static_cast<std::size_t>(i)];
    job.order = &order;
    job.number = i;
    job.run = [](Job& run) noexcept {
      auto& ordered = static_cast<Ordered&>(run);
      ordered.order->push_back(ordered.number);
    };
    ASSERT_TRUE(pool.submit(job));
  }
  ASSERT_TRUE(pool.start());
  pool.stop();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace tokend::store
