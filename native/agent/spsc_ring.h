// A bounded ring of variable-length records between two threads, one writing, one reading.
//
// Threads: reserve and commit from the writer, front, pop and empty from the reader. Neither waits.
// Invariants
//  1. tail - head <= the capacity; both only grow.
//  2. A record lies in one piece; type 0 in its place means: go on at the ring's start.
#ifndef FRESHET_AGENT_SPSC_RING_H_
#define FRESHET_AGENT_SPSC_RING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "native/core/aligned_memory.h"
#include "native/core/types.h"

namespace freshet {

class SpscRing {
 public:
  explicit SpscRing(size_t capacity);  // a power of two

  // Writer: room for a record of `size` bytes and a type other than 0; null: full.
  std::byte* reserve(uint32_t type, size_t size);
  void commit();  // shows what was reserved to the reader
  size_t body_max() const { return memory_.size() / 2 - kHeadSize; }

  // Reader: the oldest record, which stays until pop(); false: none.
  bool front(uint32_t& type, MutableBytes& body);
  void pop();
  bool empty() const;

 private:
  static constexpr size_t kAlignment = 8;
  struct Head {
    uint32_t type;
    uint32_t size;
  };
  static constexpr size_t kHeadSize = sizeof(Head);
  static constexpr size_t whole(size_t size) {
    return (kHeadSize + size + kAlignment - 1) & ~(kAlignment - 1);
  }
  Head* head_at(uint64_t position) const {
    return reinterpret_cast<Head*>(memory_.data() + (position & mask_));
  }

  AlignedMemory memory_;
  const uint64_t mask_;
  alignas(64) std::atomic<uint64_t> tail_{0};
  uint64_t reserved_ = 0;   // writer
  uint64_t head_seen_ = 0;  // writer
  alignas(64) std::atomic<uint64_t> head_{0};
  uint64_t tail_seen_ = 0;  // reader
};

}  // namespace freshet

#endif  // FRESHET_AGENT_SPSC_RING_H_
