#include "native/core/pair_table.h"

#include "native/core/cell.h"

namespace freshet {
namespace {

// A row's owner by its place in the order of node ids.
uint16_t owner_of(NodeId node, NodeId other) { return node < other ? 0 : 1; }

}  // namespace

PairTable::PairTable(NodeId me, NodeId peer)
    : me_(me), peer_(peer), memory_(2 * kRecordAlignment) {}

GrantedRegion PairTable::region() {
  return {peer_,
          {RegionKind::kMemberRow, owner_of(peer_, me_), 0, 0},
          {reinterpret_cast<std::byte*>(theirs()), kRecordAlignment}};
}

void PairTable::beat(Nanos now, uint64_t loop_beat, Outputs& out) {
  store_cell(&mine()->echo, load_cell(&theirs()->stamp));
  store_cell(&mine()->loop_beat, loop_beat);
  store_cell(&mine()->stamp, static_cast<uint64_t>(now));
  out.writes.push_back({peer_,
                        {RegionKind::kMemberRow, owner_of(me_, peer_), 0, 0},
                        0,
                        {reinterpret_cast<const std::byte*>(mine()), sizeof(Row)},
                        false});
}

uint64_t PairTable::stamp() const { return load_cell(&theirs()->stamp); }
uint64_t PairTable::echo() const { return load_cell(&theirs()->echo); }

}  // namespace freshet
