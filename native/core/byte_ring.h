// The byte ring: how variable-length records travel one way between members.
//
// Format. A ring is 2^k bytes. Positions are byte counts from the start of the epoch and never go
// back; position p lies at p mod 2^k. Every record starts at a multiple of 64 and takes its length
// rounded up to 64, and is sealed with its header_crc; it never crosses the end of the ring: where
// it would, a header of kind kWrap says that the next record starts at the ring's beginning. The
// sender writes [pushed, tail) in at most two contiguous writes and then the guard, its counter
// `tail`; receivers read up to the tail they saw and hand back space by showing how far they are.
//
// Thread: the agent's. The memory of a receiving ring is written by the peer at any time beyond
// the tail it has shown.
// Invariants of the writer
//  1. head <= tail <= head + size; all are multiples of 64.
//  2. Bytes of [head, tail) do not change.
#ifndef FRESHET_CORE_BYTE_RING_H_
#define FRESHET_CORE_BYTE_RING_H_

#include <cstdint>

#include "native/core/record.h"
#include "native/core/types.h"

namespace freshet {

// A contiguous part of a ring that is to be written to the peers.
struct RingPiece {
  uint64_t offset;  // in the ring
  Bytes bytes;
};

class ByteRingWriter {
 public:
  // `memory` is a power of two, at least 64 bytes, aligned to 64, and outlives the writer.
  explicit ByteRingWriter(MutableBytes memory);

  // `size` contiguous bytes (a multiple of 64) behind the tail, or null if there is no room now.
  // May move the tail over a kWrap.
  std::byte* reserve(size_t size);
  // Makes the `size` bytes last reserved part of the ring.
  void commit(size_t size);
  // Everything before `position` may be written over. Never goes back.
  void free_up_to(uint64_t position);
  // Position of the first record at or after `position`: skips a kWrap that lies there.
  uint64_t skip_wrap(uint64_t position) const;
  const RecordHeader& header_at(uint64_t position) const {
    return *reinterpret_cast<const RecordHeader*>(start_ + (position & mask_));
  }

  uint64_t head() const { return head_; }
  uint64_t tail() const { return tail_; }
  size_t size() const { return mask_ + 1; }
  // The parts of [from, tail), at most two; returns how many. Unused bytes behind the newest
  // kWrap are left out.
  int pieces(uint64_t from, RingPiece out[2]) const;
  // Starts again at position 0, empty.
  void rewind();

 private:
  std::byte* start_;
  uint64_t mask_;
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
  uint64_t last_wrap_ = UINT64_MAX;  // position of the newest kWrap
};

// A place in a ring that someone else writes.
class ByteRingCursor {
 public:
  ByteRingCursor(const std::byte* start, size_t size) : start_(start), mask_(size - 1) {}

  uint64_t position() const { return position_; }
  const std::byte* data() const { return start_ + (position_ & mask_); }
  const RecordHeader& header() const { return *reinterpret_cast<const RecordHeader*>(data()); }
  // Contiguous bytes between the cursor and `tail`.
  size_t available(uint64_t tail) const {
    const uint64_t to_end = mask_ + 1 - (position_ & mask_);
    return static_cast<size_t>(tail - position_ < to_end ? tail - position_ : to_end);
  }
  // Position of the ring's next beginning.
  uint64_t next_start() const { return (position_ | mask_) + 1; }
  void advance(size_t size) { position_ += size; }
  void move_to(uint64_t position) { position_ = position; }

 private:
  const std::byte* start_;
  uint64_t mask_;
  uint64_t position_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_CORE_BYTE_RING_H_
