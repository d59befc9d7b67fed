// Repeatable randomness for simulations: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
//
// Thread: none; the owner's.
#ifndef FRESHET_IO_SEEDED_RANDOM_H_
#define FRESHET_IO_SEEDED_RANDOM_H_

#include <cstdint>

namespace freshet {

class SeededRandom {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  // 0 <= result < bound; bound > 0. The bias of the remainder does not matter here.
  uint64_t below(uint64_t bound) { return next() % bound; }
  // low <= result <= high
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }
  bool chance(uint32_t percent) { return below(100) < percent; }

 private:
  uint64_t state_;
};

}  // namespace freshet

#endif  // FRESHET_IO_SEEDED_RANDOM_H_
