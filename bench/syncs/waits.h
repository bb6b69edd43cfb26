#pragma once
// What requests would wait for that need a synced write each, if all but the disk cost nothing:
// group commit, at its plainest. Writes follow each other, and each takes all requests that have
// come before its begin. So a disk that stands still for 50 ms now and then, as those of virtual
// machines do, shows in it as it does in a server's latency: by how many requests come meanwhile,
// not by how many writes.

#include <span>
#include <vector>

namespace tokend::syncs {

// `ends_us`: when each write ended, in microseconds, ascending; the next one began then. Requests
// come evenly, one every `every_us` (more than 0), from the first of them to the last but one.
// Ascending; empty with fewer than three writes.
[[nodiscard]] std::vector<double> waits_us(std::span<const double> ends_us, double every_us);

}  // namespace tokend::syncs
