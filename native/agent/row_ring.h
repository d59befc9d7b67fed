// Rows from the agent to the event loop, laid out as `drain` of platform/bridge/native.ts hands
// them on: eight float64s, the kind first.
//
// Threads: the agent pushes and publishes, the event loop drains.
// Invariants
//  1. At most one wake is pending: after one no other is asked for until drain() was called.
//  2. A row is complete before the tail that shows it.
#ifndef FRESHET_AGENT_ROW_RING_H_
#define FRESHET_AGENT_ROW_RING_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>

#include "native/core/check.h"

namespace freshet {

inline constexpr size_t kRowWidth = 8;
using Row = std::array<double, kRowWidth>;

// The numbers are those of rowKinds in platform/bridge/native-columns.ts.
enum class RowKind : uint8_t {
  kCompletion = 1,
  kEvent = 2,
  kPeer = 3,
  kShardStopped = 4,
  kMessage = 5,
  kResult = 6,
  kReleased = 7,
  kDamage = 8,
  kDisk = 9,
  kView = 10,
  kLag = 11,
  kTrigger = 12,
};

template <typename... Columns>
Row make_row(RowKind kind, Columns... columns) {
  static_assert(sizeof...(columns) < kRowWidth);
  return Row{static_cast<double>(kind), static_cast<double>(columns)...};
}

class RowRing {
 public:
  explicit RowRing(size_t capacity)
      : rows_(std::make_unique_for_overwrite<Row[]>(capacity)), mask_(capacity - 1) {
    FRESHET_CHECK_VALUES(std::has_single_bit(capacity), capacity, 0);
  }

  // Agent. How many rows fit now.
  size_t room() const {
    return mask_ + 1 - static_cast<size_t>(pushed_ - head_.load(std::memory_order_acquire));
  }
  // Both. How many more than those that are shown would fit.
  size_t shown_room() const {
    const uint64_t tail = tail_.load(std::memory_order_acquire);
    return mask_ + 1 - static_cast<size_t>(tail - head_.load(std::memory_order_seq_cst));
  }
  void push(const Row& row) { rows_[pushed_++ & mask_] = row; }
  // Shows what was pushed. True: the event loop is to be woken, which is only done when `urgent`.
  bool publish(bool urgent = true) {
    if (pushed_ != tail_.load(std::memory_order_relaxed))
      tail_.store(pushed_, std::memory_order_release);
    if (!urgent || pushed_ == head_.load(std::memory_order_acquire)) return false;
    return !wake_pending_.exchange(true, std::memory_order_seq_cst);
  }

  // Event loop. Copies at most `max` rows to `out`; returns how many.
  size_t drain(double* out, size_t max) {
    wake_pending_.exchange(false, std::memory_order_seq_cst);
    const uint64_t head = head_.load(std::memory_order_relaxed);
    const uint64_t tail = tail_.load(std::memory_order_acquire);
    const size_t count = std::min(max, static_cast<size_t>(tail - head));
    const size_t first = std::min(count, mask_ + 1 - (head & mask_));
    if (first > 0) std::memcpy(out, &rows_[head & mask_], first * sizeof(Row));
    if (count > first)
      std::memcpy(out + first * kRowWidth, &rows_[0], (count - first) * sizeof(Row));
    // Before it looks whether the agent sleeps for want of room.
    head_.store(head + count, std::memory_order_seq_cst);
    return count;
  }

 private:
  std::unique_ptr<Row[]> rows_;
  const size_t mask_;
  alignas(64) std::atomic<uint64_t> tail_{0};
  uint64_t pushed_ = 0;  // the agent's: not shown yet
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::atomic<bool> wake_pending_{false};
};

}  // namespace freshet

#endif  // FRESHET_AGENT_ROW_RING_H_
