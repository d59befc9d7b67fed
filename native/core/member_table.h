// The shared table of a view: one row a member, pushed to all, that says who lives and how it is.
//
// Format. A row is an array of 8-byte cells, little endian, in the order of MemberCell, then the
// two slots of the proposal; padded to a multiple of 64 bytes. Cells are monotone but for
// `clock_offset` and `disk_free`, which stand alone. What the view change moves has its place
// already: a cell that nobody moves yet reads 0, "nothing yet".
//
//   cell              | meaning
//   stamp             | my boot-time clock, ns, when I sent this heartbeat
//   echo[m]           | the newest stamp of m that I saw, written after `acked`
//   suspected[m]      | attempt in which I suspect m; 0: never
//   attempt           | number of this try to go on
//   loop_beat         | turns of my event loop
//   proposed, acked, prepared, committed, installed | view numbers
//   lease_dropped     | view number in which I gave up my lease
//   released[m]       | view number up to which my promises to m have lapsed
//   asleep            | 1 | 2 * number of my sleeps: odd while I may be waiting in the kernel
//   clock_offset      | my hybrid clock minus my wall clock at start, µs (two's complement)
//   disk_free         | bytes free on my fullest disk; UINT64_MAX: none is used
//   disk_damage       | records found damaged and not repaired yet, counted since start
//   wedged_count      | of the entries of `wedged` that hold
//   proposal_number[2] | guard of each slot, written after it
//
// Thread: the agent's; rows of others are written by the transport at any time.
// Invariants
//  1. Only I write my row; every push is one range of changed cells.
//  2. The proposal of slot n % 2 is written before proposal_number[n % 2] shows n.
#ifndef FRESHET_CORE_MEMBER_TABLE_H_
#define FRESHET_CORE_MEMBER_TABLE_H_

#include <cstdint>
#include <vector>

#include "native/core/aligned_memory.h"
#include "native/core/outputs.h"
#include "native/core/shard_replica.h"
#include "native/core/shard_table.h"

namespace freshet {

// Cells that exist once a row, by index.
enum class MemberCell : uint8_t {
  kStamp = 0,
  kAttempt = 1,
  kLoopBeat = 2,
  kProposed = 3,
  kAcked = 4,
  kPrepared = 5,
  kCommitted = 6,
  kInstalled = 7,
  kLeaseDropped = 8,
  kAsleep = 9,
  kClockOffset = 10,
  kDiskFree = 11,
  kDiskDamage = 12,
  kWedgedCount = 13,
  kProposalNumber0 = 14,
  kProposalNumber1 = 15,
};
inline constexpr size_t kMemberCells = 16;
inline constexpr size_t kProposalSize = size_t{64} << 10;  // one slot

// Where the repeated cells lie, as indexes of cells. They follow the single ones so that the
// heartbeat's cells lie together; shards are those of the view, in its order.
struct MemberRowLayout {
  size_t members;
  size_t shards;

  constexpr size_t echo(Rank m) const { return kMemberCells + m; }
  constexpr size_t suspected(Rank m) const { return kMemberCells + members + m; }
  constexpr size_t released(Rank m) const { return kMemberCells + 2 * members + m; }
  constexpr size_t wedged(size_t shard) const { return kMemberCells + 3 * members + shard; }
  constexpr size_t cells() const { return kMemberCells + 3 * members + shards; }
  constexpr size_t proposal(size_t slot) const {  // byte offset
    return padded(cells() * sizeof(uint64_t)) + slot * kProposalSize;
  }
  constexpr size_t size() const { return proposal(2); }
};

struct ViewConfig {
  uint32_t view = 0;            // its number
  std::vector<NodeId> members;  // in rank order
  NodeId me = 0;
  size_t shards = 0;
};

class MemberTable {
 public:
  explicit MemberTable(ViewConfig config);

  const ViewConfig& config() const { return config_; }
  const MemberRowLayout& layout() const { return layout_; }
  // The rows of the others, to be granted to them.
  std::vector<GrantedRegion> regions();

  // Sets one of my cells; it travels with the next push().
  void set(MemberCell cell, uint64_t value);
  void set_echo(Rank member, uint64_t stamp);
  uint64_t get(Rank member, MemberCell cell) const;
  uint64_t echo(Rank of, Rank member) const;

  // One heartbeat: my stamp, and the echo of everyone's newest.
  void beat(Nanos now);
  // Ranks (not me) that show themselves asleep, as bits.
  uint32_t asleep() const;

  // Queues the changed range to every peer that is not held back. Returns how many writes.
  int push(Outputs& out);
  void set_congested(NodeId peer, bool congested);
  // The peer may have lost writes (a new connection): it gets the whole row again.
  void repeat_to(NodeId peer);

 private:
  struct Peer {
    NodeId node;
    bool congested = false;
    CellRange behind;
  };

  void set_cell(size_t cell, uint64_t value);
  uint64_t cell(Rank member, size_t index) const;
  Rank rank_of(NodeId node) const;

  ViewConfig config_;
  MemberRowLayout layout_;
  Rank me_;
  AlignedMemory memory_;
  CellRange changed_;
  std::vector<Peer> peers_;
};

}  // namespace freshet

#endif  // FRESHET_CORE_MEMBER_TABLE_H_
