// The shared table of one shard epoch: one row a member, written by that member alone.
//
// Format. A row is an array of 8-byte cells in the order of RowLayout, little endian, padded to a
// multiple of 64 bytes. Every cell is a count that starts at 0 and never goes back: a sequence x is
// shown as x + 1, a message index i as i + 1, so that a row of zeros says "nothing yet".
//
//   cell            | meaning                                                | of
//   tail            | bytes of my ring that hold records                     | senders
//   index           | messages in my ring, nulls counted one by one          | senders
//   received[s]     | messages received from sender s without a gap          | all
//   received_seq    | sequences received without a gap (order.h)             | all
//   delivered_seq   | sequences delivered here; frees ring space of senders  | all
//   persisted       | sequences of this epoch synced here                    | persistent shards
//   dispatched      | version up to which my lambdas have taken changes      | all
//   wedged          | 1: I neither send nor receive in this epoch any more   | view change
//   got[slot]       | of each slot of a sender, number << 24 | steps of its  | all
//                   | schedule whose receives have come (block_transfer.h)   |
//   sent[slot]      | the same of sends that are written                     | all
//
// A member writes its cells, then pushes the range that changed, once a pass, behind the ring bytes
// that `tail` guards. A cell that was set quietly is no reason to push: nobody waits for it now, so
// it goes with the next that somebody does wait for, or with a heartbeat. So is delivered_seq while
// a ring has room, and so are the cells of what was received and persisted where nothing but nulls
// is new.
//
// Thread: the agent's; rows of others are written by the transport at any time.
// Invariants
//  1. A cell never goes back: checked for mine, a fault of the peer for the others'.
//  2. What a peer shows of delivered and persisted is at most what I have received (it delivers
//     nothing that I have not).
#ifndef FRESHET_CORE_SHARD_TABLE_H_
#define FRESHET_CORE_SHARD_TABLE_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "native/core/aligned_memory.h"
#include "native/core/cell.h"
#include "native/core/check.h"
#include "native/core/types.h"

namespace freshet {

// Where the cells of a row lie, as indexes of cells.
struct RowLayout {
  size_t senders;

  static constexpr size_t tail() { return 0; }
  static constexpr size_t index() { return 1; }
  constexpr size_t received(size_t sender) const { return 2 + sender; }
  constexpr size_t received_seq() const { return 2 + senders; }
  constexpr size_t delivered_seq() const { return 3 + senders; }
  constexpr size_t persisted() const { return 4 + senders; }
  constexpr size_t dispatched() const { return 5 + senders; }
  constexpr size_t wedged() const { return 6 + senders; }
  // Slots are counted over all senders.
  constexpr size_t steps_got(size_t slot) const { return 7 + senders + slot; }
  constexpr size_t steps_sent(size_t slot) const {
    return steps_got(senders * kTransfersMax) + slot;
  }
  constexpr size_t cells() const { return 7 + senders + 2 * senders * kTransfersMax; }
  constexpr size_t size() const {  // in bytes
    return (cells() * sizeof(uint64_t) + kRecordAlignment - 1) & ~(kRecordAlignment - 1);
  }
};

// What a member was last seen to show.
struct SeenRow {
  uint64_t tail = 0;
  uint64_t index = 0;
  uint64_t received_seq = 0;
  uint64_t delivered_seq = 0;
  uint64_t persisted = 0;
  uint64_t dispatched = 0;
};

// A range of cells, empty when begin >= end.
struct CellRange {
  size_t begin = SIZE_MAX;
  size_t end = 0;

  bool empty() const { return begin >= end; }
  void add(size_t cell) {
    begin = std::min(begin, cell);
    end = std::max(end, cell + 1);
  }
  void add(const CellRange& other) {
    begin = std::min(begin, other.begin);
    end = std::max(end, other.end);
  }
};

class ShardTable {
 public:
  ShardTable(size_t members, size_t senders, Rank me);

  const RowLayout& layout() const { return layout_; }
  MutableBytes row(Rank member) const {
    return {memory_.data() + member * layout_.size(), layout_.size()};
  }
  uint64_t mine(size_t cell) const { return load_cell(cell_at(me_, cell)); }
  // A cell as its row is now; look() is for those that every pass needs.
  uint64_t shown(Rank member, size_t cell) const { return load_cell(cell_at(member, cell)); }
  size_t members() const { return seen_.size(); }

  // Raises one of my cells; returns whether it changed. `awaited`: others may be waiting for it.
  bool set(size_t cell, uint64_t value, bool awaited = true) {
    uint64_t* place = cell_at(me_, cell);
    const uint64_t now = load_cell(place);
    FRESHET_CHECK_VALUES(value >= now, value, now);
    if (value == now) return false;
    store_cell(place, value);
    changed_.add(cell);
    urgent_ = urgent_ || awaited;
    return true;
  }
  bool set_quietly(size_t cell, uint64_t value) { return set(cell, value, false); }
  bool has_changed() const { return !changed_.empty(); }
  // Has a cell changed that others may be waiting for?
  bool is_urgent() const { return urgent_; }
  // The cells set since the last call.
  CellRange take_changed() {
    const CellRange result = changed_;
    changed_ = {};
    urgent_ = false;
    return result;
  }
  Bytes bytes_of(const CellRange& range) const {
    return Bytes(row(me_)).subspan(range.begin * sizeof(uint64_t),
                                   (range.end - range.begin) * sizeof(uint64_t));
  }

  // Reads the rows of the others. Returns the rank of a member whose row
  // breaks an invariant, or `members` if all hold.
  Rank look();
  // Nothing more is read from this member's row, until it is trusted again; what was seen counts
  // on.
  void freeze(Rank member) { frozen_ |= RankSet{1} << member; }
  void thaw(Rank member) { frozen_ &= ~(RankSet{1} << member); }
  bool is_frozen(Rank member) const { return (frozen_ >> member & 1) != 0; }
  const SeenRow& seen(Rank member) const { return seen_[member]; }

  // Minima over all members: of the others as last looked at, of mine as it stands.
  uint64_t least_received_seq() const {
    return std::min(least_.received_seq, mine(layout_.received_seq()));
  }
  uint64_t least_delivered_seq() const {
    return std::min(least_.delivered_seq, mine(layout_.delivered_seq()));
  }
  uint64_t least_persisted() const { return std::min(least_.persisted, mine(layout_.persisted())); }
  uint64_t least_dispatched() const {
    return std::min(least_.dispatched, mine(layout_.dispatched()));
  }

 private:
  uint64_t* cell_at(Rank member, size_t cell) const {
    return reinterpret_cast<uint64_t*>(memory_.data() + member * layout_.size()) + cell;
  }
  SeenRow read(Rank member) const;

  RowLayout layout_;
  Rank me_;
  AlignedMemory memory_;
  std::vector<SeenRow> seen_;
  RankSet frozen_ = 0;
  SeenRow least_;  // by field, over the others
  CellRange changed_;
  bool urgent_ = false;
};

}  // namespace freshet

#endif  // FRESHET_CORE_SHARD_TABLE_H_
