// A bounded ring between one producing and one consuming thread; neither ever waits.
//
// Threads: push from one, pop from one other.
// Invariant: tail - head <= kCount; a cell is written before tail passes it and read before head
// does.
#ifndef FRESHET_AGENT_LOG_QUEUE_H_
#define FRESHET_AGENT_LOG_QUEUE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace freshet {

template <typename T, size_t kCount>
class LogQueue {
  static_assert((kCount & (kCount - 1)) == 0);

 public:
  LogQueue() : cells_(std::make_unique<std::array<T, kCount>>()) {}

  bool push(const T& item) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == kCount) return false;
    (*cells_)[tail % kCount] = item;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  bool pop(T& item) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    item = (*cells_)[head % kCount];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }
  bool empty() const {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
  }

 private:
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::atomic<uint64_t> tail_{0};
  alignas(64) std::unique_ptr<std::array<T, kCount>> cells_;
};

}  // namespace freshet

#endif  // FRESHET_AGENT_LOG_QUEUE_H_
