#pragma once
// tokend as a net of queues, simulated event by event: loops, a committer and a keeper, the shards
// of --store-shards, a disk, and the processors that all of them share. Costs go in, throughput and
// latency come out; README.md says where the costs come from and what is left out.
//
// Operation: a request waits for its loop's turn, goes to the committer, which makes one batch of
// what waits, waits for the batch's write and all before it, and goes home to its loop. With more
// than one shard it goes to a random one, which makes the batch and hands it in to the committer. A
// processor runs what is ready in the order in which it became ready, a turn or a batch at a time;
// loops and the load's threads stay on their processor, the others go where one is free. The rules
// of batches and of handing over are those of store/committer.cpp and core/hand_over.h.

#include <cstddef>
#include <cstdint>

namespace tokend::scaling {

// Nanoseconds of a processor if it is not said otherwise. The defaults are README.md's.
struct Costs {
  double loop_turn = 15300;  // a turn that finds something
  double loop_token = 946;   // a request and its answer, the kernel's part included
  double committer_batch = 60100;
  double committer_token = 921;
  // Where shards make the batches: theirs, and what is left to the committer.
  double shard_batch = 27800;
  double shard_token = 678;
  double commit_batch = 52800;
  double commit_token = 497;
  double keeper_token = 318;
  // In addition, for the share of tokens whose loop and committer are on different processors.
  double loop_cross = 599;
  double committer_cross = 18;
  double shard_cross = 28;
  double commit_cross = 0;
  double post = 100;        // what one thread leaves with another, whatever its length
  double wake = 1000;       // if that one sleeps
  double client_token = 0;  // of a load that shares the processors; 0: it comes from outside
  // The disk does one write at a time for so long, and its answer takes the delay more.
  double disk_write = 18500;
  double disk_kib = 291;
  double disk_delay = 89900;
  double disk_spread = 0.3;    // sigma of the logarithm of disk_write; 0: none
  double journal_bytes = 110;  // of a token
  double table_bytes = 200;    // of a token, written by the keeper
};

struct Scenario {
  std::size_t processors = 2;    // a loop on each
  std::size_t shards = 1;        // 1: the committer issues
  std::size_t in_flight = 1024;  // requests for each loop, in a closed loop
  double rate = 0;               // requests/s of all loops, in an open loop; 0: closed
  double seconds = 0.5;          // measured, behind a warm-up of half of it
  std::uint64_t seed = 1;
};

struct Outcome {
  double tokens_per_second = 0;
  double latency_us_mean = 0;
  double latency_us_p50 = 0;
  double latency_us_p99 = 0;
  double in_flight_mean = 0;
  double batch_tokens_mean = 0;
  // Shares of the measured time: of all processors, of the disk, and the mean of each kind of
  // thread.
  double processors_busy = 0;
  double loops_busy = 0;
  double committer_busy = 0;
  double shards_busy = 0;  // 0 where the committer issues
  double keeper_busy = 0;
  double disk_busy = 0;

  // What is busy for more than 90 % of the time, or why nothing is.
  [[nodiscard]] const char* saturated() const noexcept;
};

[[nodiscard]] Outcome simulate(const Scenario& scenario, const Costs& costs);

}  // namespace tokend::scaling
