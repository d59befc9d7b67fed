#include "native/core/byte_ring.h"

#include <bit>
#include <cstring>

#include "native/core/check.h"

namespace freshet {

ByteRingWriter::ByteRingWriter(MutableBytes memory)
    : start_(memory.data()), mask_(memory.size() - 1) {
  FRESHET_CHECK_VALUES(std::has_single_bit(memory.size()) && memory.size() >= kRecordAlignment,
                       memory.size(), 0);
  FRESHET_CHECK(reinterpret_cast<uintptr_t>(start_) % kRecordAlignment == 0);
}

std::byte* ByteRingWriter::reserve(size_t size) {
  FRESHET_CHECK_VALUES(size % kRecordAlignment == 0 && size > 0, size, 0);
  const uint64_t offset = tail_ & mask_;
  const uint64_t to_end = this->size() - offset;
  const uint64_t skip = size > to_end ? to_end : 0;
  if (tail_ + skip + size > head_ + this->size()) return nullptr;
  if (skip > 0) {
    RecordHeader wrap = {};
    wrap.length = sizeof wrap;
    wrap.kind = RecordKind::kWrap;
    seal_header(wrap);
    std::memcpy(start_ + offset, &wrap, sizeof wrap);
    last_wrap_ = tail_;
    tail_ += skip;
  }
  return start_ + (tail_ & mask_);
}

void ByteRingWriter::commit(size_t size) {
  FRESHET_CHECK_VALUES(size % kRecordAlignment == 0, size, 0);
  FRESHET_CHECK_VALUES((tail_ & mask_) + size <= this->size(), tail_, size);
  tail_ += size;
  FRESHET_CHECK_VALUES(tail_ <= head_ + this->size(), head_, tail_);
}

void ByteRingWriter::free_up_to(uint64_t position) {
  FRESHET_CHECK_VALUES(position >= head_ && position <= tail_, position, head_);
  head_ = position;
}

uint64_t ByteRingWriter::skip_wrap(uint64_t position) const {
  if (position < tail_ && header_at(position).kind == RecordKind::kWrap)
    return (position | mask_) + 1;
  return position;
}

int ByteRingWriter::pieces(uint64_t from, RingPiece out[2]) const {
  FRESHET_CHECK_VALUES(from >= head_ && from <= tail_, from, tail_);
  if (from == tail_) return 0;
  const uint64_t offset = from & mask_;
  const uint64_t turn = (from | mask_) + 1;  // the ring's next beginning after `from`
  if (tail_ <= turn) {
    const bool wraps = last_wrap_ != UINT64_MAX && last_wrap_ >= from && tail_ == turn;
    const uint64_t end = wraps ? last_wrap_ + sizeof(RecordHeader) : tail_;
    out[0] = {offset, {start_ + offset, static_cast<size_t>(end - from)}};
    return 1;
  }
  const bool wraps = last_wrap_ != UINT64_MAX && last_wrap_ >= from && last_wrap_ < turn;
  const uint64_t end = wraps ? last_wrap_ + sizeof(RecordHeader) : turn;
  out[0] = {offset, {start_ + offset, static_cast<size_t>(end - from)}};
  out[1] = {0, {start_, static_cast<size_t>(tail_ - turn)}};
  return 2;
}

void ByteRingWriter::rewind() {
  head_ = 0;
  tail_ = 0;
  last_wrap_ = UINT64_MAX;
}

}  // namespace freshet
