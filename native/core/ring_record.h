// Which bytes in a peer's ring are a record of this epoch. A peer may be broken; what it writes is
// measured before it is believed.
//
// Thread: none; pure functions.
#ifndef FRESHET_CORE_RING_RECORD_H_
#define FRESHET_CORE_RING_RECORD_H_

#include <cstdint>

#include "native/core/record.h"

namespace freshet {

// How a peer broke the format; kNone if it did not.
enum class RingFault : uint8_t {
  kNone = 0,
  kRow = 1,        // a cell went back, or claims what cannot be
  kTail = 2,       // not a multiple of 64, or over bytes that this member still needs
  kLength = 3,     // lengths that do not fit each other or the ring
  kKind = 4,       // no kind that travels in a ring
  kEpoch = 5,      // another shard or epoch
  kIndex = 6,      // not the next message of this sender
  kNulls = 7,      // more nulls than a ring can owe
  kBlock = 8,      // offers and places that do not belong together
  kTime = 9,       // not a time
  kChecksum = 10,  // header_crc or payload_crc does not match
  kRelayed = 11,   // a large record is not what its sender sent: somebody on the way broke it
};

const char* ring_fault_name(RingFault fault);

inline constexpr Micros kTimeMax = (Micros{1} << 53) - 1;  // a safe integer

constexpr size_t extension_size(uint8_t flags) {
  return ((flags & kHasCondition) ? sizeof(Condition) : 0) +
         ((flags & kHasSession) ? sizeof(SessionStamp) : 0);
}

inline bool is_change(RecordKind kind) {
  return kind == RecordKind::kPut || kind == RecordKind::kRemove || kind == RecordKind::kTrigger ||
         kind == RecordKind::kControl;
}

// The parts of a change within its length and the limits.
inline bool parts_fit(const RecordHeader& header) {
  const size_t head =
      sizeof(RecordHeader) + header.extension_length + header.key_length + header.meta_length;
  return header.length >= head && header.length <= kRecordSizeMax &&
         header.key_length <= kKeySizeMax && header.meta_length <= kMetaSizeMax &&
         header.extension_length == extension_size(header.flags);
}

// Is this a header of (shard, epoch) whose record lies within `available` contiguous bytes?
// Looks at neither index nor checksum. kWrap is judged by its reader.
inline RingFault judge_header(const RecordHeader& header, size_t available, ShardId shard,
                              Epoch epoch) {
  if (header.length < sizeof(RecordHeader) || padded(header.length) > available)
    return RingFault::kLength;
  if (header.kind == RecordKind::kWrap) return RingFault::kNone;
  if (header.shard != shard || header.epoch != epoch) return RingFault::kEpoch;
  if (header.kind == RecordKind::kNull)
    return header.length == sizeof(RecordHeader) ? RingFault::kNone : RingFault::kLength;
  if (header.kind == RecordKind::kOffer)
    return header.length > sizeof(RecordHeader) ? RingFault::kNone : RingFault::kLength;
  if (header.kind == RecordKind::kPlace)
    return header.length == sizeof(RecordHeader) ? RingFault::kNone : RingFault::kLength;
  if (!is_change(header.kind)) return RingFault::kKind;
  if (!parts_fit(header)) return RingFault::kLength;
  return header.time >= 0 && header.time <= kTimeMax ? RingFault::kNone : RingFault::kTime;
}

}  // namespace freshet

#endif  // FRESHET_CORE_RING_RECORD_H_
