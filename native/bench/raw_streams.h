// What TCP carries from each of several processes to all others, measured in the same run as what
// is built on it.
#ifndef FRESHET_BENCH_RAW_STREAMS_H_
#define FRESHET_BENCH_RAW_STREAMS_H_

#include <cstddef>
#include <string_view>

namespace freshet::bench {

// Bytes a second that `senders` of `members` processes give in writes of `size` bytes, each over
// one loopback stream to every other process, which reads what came into memory of that size:
// counted once, however many they go to. Nothing orders them. `congestion_control`: empty for the
// system's choice.
double raw_streams(int members, int senders, size_t size, double seconds,
                   std::string_view congestion_control);

}  // namespace freshet::bench

#endif  // FRESHET_BENCH_RAW_STREAMS_H_
