// What the machine itself can do, measured in the same run as what is built on it.
#ifndef FRESHET_BENCH_RAW_BLOCKS_H_
#define FRESHET_BENCH_RAW_BLOCKS_H_

#include <string>
#include <vector>

#include "native/core/types.h"

namespace freshet::bench {

Nanos now();

struct Percentiles {
  double p50_us = 0;
  double p99_us = 0;
  double mean_us = 0;
};
Percentiles percentiles(std::vector<Nanos> samples);

// TCP round trips of 100 bytes between two processes that sleep in epoll, each held on a core of
// its own where there are two: on one, neither wakes a core, and they take a tenth of the time.
Percentiles ping_pong(int rounds);

// `writers` threads, a preallocated file each, writing `batch_size` bytes and syncing them in turn.
struct SyncRate {
  double syncs_per_second = 0;  // of one writer, on average
  double bytes_per_second = 0;  // of all
};
SyncRate side_by_side_logs(const std::string& folder, int writers, size_t batch_size,
                           double seconds);

// One log alone: from the write of `batch_size` bytes to the end of their sync, one after another.
Percentiles one_log(const std::string& folder, size_t batch_size, double seconds);

}  // namespace freshet::bench

#endif  // FRESHET_BENCH_RAW_BLOCKS_H_
