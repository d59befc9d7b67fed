// One member of the benchmark's cluster: a process of its own with the real agent, store and log,
// and the load generator on the thread that takes the event loop's place.
#ifndef FRESHET_BENCH_BENCH_MEMBER_H_
#define FRESHET_BENCH_BENCH_MEMBER_H_

#include <array>
#include <atomic>
#include <string>

#include "native/bench/raw_blocks.h"
#include "native/core/work_meter.h"

namespace freshet::bench {

inline constexpr int kMembersMax = 16;

struct Options {
  size_t size = 100;  // bytes of a value
  int members = 3;
  int senders = 3;       // members that put
  int loader = -1;       // the only one that puts; -1: all senders
  size_t window = 1000;  // unanswered puts of one sender
  double seconds = 3;
  double warm_seconds = 0.5;
  // Of each sender, in the time of which the last answer of all is the end, after `warm_puts` of
  // each; at most `seconds` long. 0: what is answered in `seconds` counts.
  uint64_t puts = 0;
  uint64_t warm_puts = 0;
  bool persistent = false;
  bool raw = false;   // triggers, delivered as they are received
  bool idle = false;  // no load at all: what the members cost
  int spin_us = 0;
  size_t ring_size = size_t{4} << 20;
  uint64_t keys = 1000;  // different keys of one sender
  // Puts go to the pools, and to the shards, in turn; all members have all shards.
  uint32_t pools = 1;
  uint32_t shards = 1;
  uint32_t history = 4;   // versions of a key that are kept; 0: all
  uint64_t versions = 0;  // of all shards, that are there before anything is measured
  double memory_gib = 1;  // of one member's shards together
  std::string folder;     // for persistent shards
};

// What a member leaves for the parent, in memory that both map.
struct Outcome {
  uint64_t completed = 0;
  uint64_t refused = 0;
  double seconds = 0;
  double cpu_seconds = 0;
  Percentiles latency;
  // Of the agent while the load was on: nanoseconds by kind of work, and bytes.
  std::array<uint64_t, kWorkKinds> work{};
  uint64_t copied = 0;
  uint64_t passes = 0;
  uint64_t system_calls = 0;
  uint64_t log_batches = 0;
};

struct SharedState {
  std::atomic<int> arrived{0};  // at the barriers, counted on
  std::atomic<int> warm{0};     // of those that put: what comes before was answered
  std::atomic<int> ended{0};    // and all that is measured
  std::atomic<uint16_t> ports[kMembersMax];
  Outcome outcomes[kMembersMax];
};

// The life of member `index`; ends the process's part of the run.
void run_member(int index, const Options& options, SharedState& shared);

}  // namespace freshet::bench

#endif  // FRESHET_BENCH_BENCH_MEMBER_H_
