// A first-in first-out queue of plain values with a bound fixed at start.
//
// Thread: none; the owner's.
// Invariants
//  1. size() <= capacity(); pushing into a full queue is a bug of the caller.
#ifndef FRESHET_CORE_FIXED_QUEUE_H_
#define FRESHET_CORE_FIXED_QUEUE_H_

#include <algorithm>
#include <bit>
#include <type_traits>

#include "native/core/aligned_memory.h"
#include "native/core/check.h"

namespace freshet {

template <typename T>
class FixedQueue {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit FixedQueue(size_t capacity)
      : capacity_(std::bit_ceil(capacity)), memory_(capacity_ * sizeof(T)) {}

  bool empty() const { return head_ == tail_; }
  bool full() const { return size() == capacity_; }
  size_t size() const { return static_cast<size_t>(tail_ - head_); }
  size_t capacity() const { return capacity_; }

  void push(const T& value) {
    FRESHET_CHECK_VALUES(!full(), size(), capacity_);
    at(tail_) = value;
    tail_++;
  }
  T& front() { return at(head_); }
  const T& front() const { return at(head_); }
  T& back() { return at(tail_ - 1); }
  T& operator[](size_t index) const { return at(head_ + index); }  // 0: the front
  void pop() { head_++; }
  // Drops what came last, so that `size` are left.
  void shrink(size_t size) { tail_ = std::min(tail_, head_ + size); }

 private:
  T& at(uint64_t position) const {
    return reinterpret_cast<T*>(memory_.data())[position & (capacity_ - 1)];
  }

  size_t capacity_;
  AlignedMemory memory_;
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_CORE_FIXED_QUEUE_H_
