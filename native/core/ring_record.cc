#include "native/core/ring_record.h"

namespace freshet {

const char* ring_fault_name(RingFault fault) {
  switch (fault) {
    case RingFault::kNone:
      return "none";
    case RingFault::kRow:
      return "row";
    case RingFault::kTail:
      return "tail";
    case RingFault::kLength:
      return "length";
    case RingFault::kKind:
      return "kind";
    case RingFault::kEpoch:
      return "epoch";
    case RingFault::kIndex:
      return "index";
    case RingFault::kNulls:
      return "nulls";
    case RingFault::kBlock:
      return "block";
    case RingFault::kTime:
      return "time";
    case RingFault::kChecksum:
      return "checksum";
    case RingFault::kRelayed:
      return "relayed";
  }
  return "unknown";
}

}  // namespace freshet
