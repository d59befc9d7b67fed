// Heartbeats of two members: a row each, pushed to the other.
//
// Format. A row is an array of 8-byte cells, little endian, padded to a multiple of 64 bytes:
//   stamp      my boot-time clock, ns, when I sent this heartbeat
//   echo       the newest stamp of the other that I saw
//   loop_beat  turns of my event loop
//
// Thread: the agent's; the other's row is written by the transport at any time.
// Invariant: only I write my row.
#ifndef FRESHET_CORE_PAIR_TABLE_H_
#define FRESHET_CORE_PAIR_TABLE_H_

#include <cstdint>

#include "native/core/aligned_memory.h"
#include "native/core/outputs.h"
#include "native/core/shard_replica.h"

namespace freshet {

class PairTable {
 public:
  PairTable(NodeId me, NodeId peer);

  // The peer's row, to be granted to it.
  GrantedRegion region();

  // One heartbeat, queued to the peer.
  void beat(Nanos now, uint64_t loop_beat, Outputs& out);
  // As the peer shows them.
  uint64_t stamp() const;
  uint64_t echo() const;

 private:
  struct Row {
    uint64_t stamp;
    uint64_t echo;
    uint64_t loop_beat;
  };
  Row* mine() const { return reinterpret_cast<Row*>(memory_.data()); }
  Row* theirs() const { return reinterpret_cast<Row*>(memory_.data() + kRecordAlignment); }

  const NodeId me_;
  const NodeId peer_;
  AlignedMemory memory_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_PAIR_TABLE_H_
