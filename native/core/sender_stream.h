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
// Large records arrive as blocks (kBlock): the pieces of the whole record (its header, head,
// value), in order, each a message of its own. header.version is the whole record's length, alike
// in all; payload_crc is the CRC32C of the whole record's payload up to this piece's end, so that
// the last one's is that of the record; the whole record's own header is sealed with payload_crc 0.
// Other messages may stand between blocks, but only nulls.
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

class SenderStream {
 public:
  // `own`: this member's ring, whose content is not measured again.
  SenderStream(const std::byte* ring, size_t ring_size, ShardId shard, Epoch epoch, bool own);

  // Takes in what lies before `tail`, at most about `bytes_max`.
  RingFault take(uint64_t tail, size_t bytes_max);
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
  RingFault take_record(const RecordHeader& header);
  RingFault take_block(const RecordHeader& header);
  RingFault take_change(const RecordHeader& header);
  RingFault start_blocks(const RecordHeader& header);

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

  uint64_t whole_length_ = 0;  // of the record whose blocks are arriving; 0: none
  uint64_t whole_taken_ = 0;
  uint32_t whole_crc_ = 0;
};

}  // namespace freshet

#endif  // FRESHET_CORE_SENDER_STREAM_H_
