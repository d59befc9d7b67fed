// Who is silent for too long.
//
// For each peer the time between heartbeats is estimated as it is seen here, with its deviation;
// one that is overdue by more than that allows is silent. (The estimate is that of round trips in
// TCP, Jacobson and Karels, SIGCOMM 1988, used for heartbeats as by Bertier, Marin and Sens, DSN
// 2002.) So a machine under load, where heartbeats come late and unevenly, is given more time,
// between two bounds.
//
// Thread: the agent's. Times are of one boot-time clock, ns.
// Invariants
//  1. A pause of my own is no silence of the others: all of them start again after one.
//  2. Nobody is silent before `silence_min` and everybody is after `silence_max`.
#ifndef FRESHET_CORE_VIEW_FAILURE_DETECTOR_H_
#define FRESHET_CORE_VIEW_FAILURE_DETECTOR_H_

#include <unordered_map>

#include "native/core/types.h"

namespace freshet {

struct DetectorLimits {
  Nanos silence_min = 1'200'000'000;
  Nanos silence_max = 5'000'000'000;
  Nanos loop_silence = 5'000'000'000;  // of a member's event loop, while its threads live
};

class FailureDetector {
 public:
  explicit FailureDetector(DetectorLimits limits) : limits_(limits) {}

  void add(NodeId peer, Nanos now);
  void add_if_new(NodeId peer, Nanos now) {
    if (!peers_.contains(peer)) add(peer, now);
  }
  void remove(NodeId peer) { peers_.erase(peer); }
  // What the peer shows now.
  void observe(NodeId peer, uint64_t stamp, uint64_t loop_beat, Nanos now);
  // Once a pass. True: I was away for long, nobody is judged by the time before.
  bool pass(Nanos now);

  bool is_silent(NodeId peer, Nanos now) const;
  bool has_loop_stopped(NodeId peer, Nanos now) const;
  // Within half of the least silence: as good as here.
  bool is_heard(NodeId peer, Nanos now) const;
  bool is_heard_since(NodeId peer, Nanos since) const;
  // How long it may be silent.
  Nanos patience(NodeId peer) const;

 private:
  struct Peer {
    uint64_t stamp = 0;
    uint64_t loop_beat = 0;
    Nanos heard = 0;
    Nanos turned = 0;  // its event loop
    Nanos interval = 0;
    Nanos deviation = 0;
  };

  const DetectorLimits limits_;
  std::unordered_map<NodeId, Peer> peers_;
  Nanos passed_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_CORE_VIEW_FAILURE_DETECTOR_H_
