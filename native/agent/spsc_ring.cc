#include "native/agent/spsc_ring.h"

#include <bit>

#include "native/core/check.h"

namespace freshet {

SpscRing::SpscRing(size_t capacity) : memory_(capacity), mask_(capacity - 1) {
  FRESHET_CHECK_VALUES(std::has_single_bit(capacity) && capacity >= 4 * kAlignment, capacity, 0);
}

std::byte* SpscRing::reserve(uint32_t type, size_t size) {
  FRESHET_CHECK_VALUES(type != 0 && size <= body_max(), size, body_max());
  const uint64_t tail = tail_.load(std::memory_order_relaxed);
  const size_t to_end = memory_.size() - (tail & mask_);
  const bool wraps = whole(size) > to_end;
  const uint64_t end = tail + (wraps ? to_end : 0) + whole(size);
  if (end - head_seen_ > memory_.size()) {
    head_seen_ = head_.load(std::memory_order_acquire);
    if (end - head_seen_ > memory_.size()) return nullptr;
  }
  uint64_t at = tail;
  if (wraps) {
    *head_at(tail) = {0, 0};
    at += to_end;
  }
  *head_at(at) = {type, static_cast<uint32_t>(size)};
  reserved_ = end;
  return reinterpret_cast<std::byte*>(head_at(at)) + kHeadSize;
}

void SpscRing::commit() { tail_.store(reserved_, std::memory_order_seq_cst); }

bool SpscRing::front(uint32_t& type, MutableBytes& body) {
  uint64_t head = head_.load(std::memory_order_relaxed);
  if (head == tail_seen_) {
    tail_seen_ = tail_.load(std::memory_order_acquire);
    if (head == tail_seen_) return false;
  }
  if (head_at(head)->type == 0) {
    head += memory_.size() - (head & mask_);
    head_.store(head, std::memory_order_release);
  }
  const Head* record = head_at(head);
  type = record->type;
  body = {memory_.data() + (head & mask_) + kHeadSize, record->size};
  return true;
}

void SpscRing::pop() {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  head_.store(head + whole(head_at(head)->size), std::memory_order_release);
}

bool SpscRing::empty() const {
  return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_seq_cst);
}

}  // namespace freshet
