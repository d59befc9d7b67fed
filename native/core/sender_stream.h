// What one sender has sent, as this member sees it: taken in once from the ring, delivered later.
//
// Two cursors run over the same ring. take() measures and checksums what is new and counts
// messages; next() hands out message after message in order once it is stable. Between the two the
// bytes stay in the ring: the sender writes over them only after this member has shown their
// delivery.
//
// In a ring a header is sealed too (header_crc, over the message index in `sequence`; delivery
// seals it anew), so that no bit of a record goes from one member's memory to another's unchecked.
//
// Of a large record the ring has an offer and, later, its place; the rest comes otherwise. A place
// is not taken before all of it is here, nor an offer while there is no slot for it
// (large_multicast.h); what lies behind waits too.
//
// Thread: the agent's.
// Invariants
//  1. delivered position <= taken position <= the sender's tail <= delivered position + ring size.
//  2. Nothing is handed out that has not been taken; lengths are measured at both cursors, since a
//     broken peer may write over what was taken.
#ifndef FRESHET_CORE_SENDER_STREAM_H_
#define FRESHET_CORE_SENDER_STREAM_H_

#include <cstdint>

#include "native/core/byte_ring.h"
#include "native/core/ring_record.h"

namespace freshet {

class LargeMulticast;

class SenderStream {
 public:
  // `own`: this member's ring, whose content is not measured again.
  SenderStream(const std::byte* ring, size_t ring_size, ShardId shard, Epoch epoch, bool own);

  // Takes in what lies before `tail`, at most about `bytes_max`. It is sender s's of `large`.
  RingFault take(uint64_t tail, size_t bytes_max, LargeMulticast& large, size_t s);
  // My ring now holds `messages` up to `tail`.
  void take_own(uint64_t tail, uint64_t messages);

  // Messages up to the newest that is no null.
  uint64_t changes() const { return changes_; }
  uint64_t received() const { return received_; }  // messages, counted from the epoch's start
  uint64_t taken() const { return take_.position(); }
  Micros newest_time() const { return newest_time_; }  // greatest stamp seen
  bool own() const { return own_; }

  // Takes the next message out. `record` is null for a null. Only while delivered() < received().
  RingFault next(const std::byte*& record);
  uint64_t delivered() const { return delivered_; }
  uint64_t delivered_position() const { return deliver_.position(); }
  // Of the message at delivered_position().
  uint64_t next_index() const { return delivered_ + nulls_left_; }

 private:
  RingFault take_record(const RecordHeader& header, LargeMulticast& large, size_t s, bool& waits);
  RingFault take_change(const RecordHeader& header, LargeMulticast& large, size_t s, bool& waits);

  ShardId shard_;
  Epoch epoch_;
  bool own_;
  size_t ring_size_;
  ByteRingCursor take_;
  ByteRingCursor deliver_;
  uint64_t received_ = 0;
  uint64_t changes_ = 0;
  uint64_t delivered_ = 0;
  uint64_t nulls_left_ = 0;  // of the kNull just before deliver_
  Micros newest_time_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_CORE_SENDER_STREAM_H_
