// Hybrid logical clock in whole microseconds: near the wall clock, above everything seen.
// Source: Kulkarni et al., "Logical Physical Clocks", OPODIS 2014, with the counter folded into the
// microseconds, as times here are strictly monotone per shard anyway.
//
// Thread: the agent's. newest() may be read by any thread.
#ifndef FRESHET_CORE_HYBRID_CLOCK_H_
#define FRESHET_CORE_HYBRID_CLOCK_H_

#include <atomic>

#include "native/core/types.h"

namespace freshet {

class HybridClock {
 public:
  // A stamp above all seen and at least `wall`.
  Micros stamp(Micros wall) {
    const Micros now = newest_.load(std::memory_order_relaxed);
    const Micros next = wall > now ? wall : now + 1;
    newest_.store(next, std::memory_order_release);
    return next;
  }
  // Every time that arrives from elsewhere is shown here.
  void observe(Micros time) {
    if (time > newest_.load(std::memory_order_relaxed))
      newest_.store(time, std::memory_order_release);
  }
  // Goes back to `newest`: only while nothing is ordered by this clock.
  void begin_anew(Micros newest) { newest_.store(newest, std::memory_order_release); }
  Micros newest() const { return newest_.load(std::memory_order_acquire); }

 private:
  std::atomic<Micros> newest_{0};
};

}  // namespace freshet

#endif  // FRESHET_CORE_HYBRID_CLOCK_H_
