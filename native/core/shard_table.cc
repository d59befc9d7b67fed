#include "native/core/shard_table.h"

namespace freshet {
namespace {

bool goes_back(const SeenRow& from, const SeenRow& to) {
  return to.tail < from.tail || to.index < from.index || to.received_seq < from.received_seq ||
         to.delivered_seq < from.delivered_seq || to.persisted < from.persisted ||
         to.dispatched < from.dispatched;
}

}  // namespace

ShardTable::ShardTable(size_t members, size_t senders, Rank me)
    : layout_{senders}, me_(me), memory_(members * layout_.size()), seen_(members) {
  FRESHET_CHECK_VALUES(members > 0 && members <= kMembersMax, members, kMembersMax);
  FRESHET_CHECK_VALUES(senders > 0 && senders <= members, senders, members);
  FRESHET_CHECK_VALUES(me < members, me, members);
}

SeenRow ShardTable::read(Rank member) const {
  SeenRow row;
  row.tail = load_cell(cell_at(member, RowLayout::tail()));
  row.index = load_cell(cell_at(member, RowLayout::index()));
  row.received_seq = load_cell(cell_at(member, layout_.received_seq()));
  row.delivered_seq = load_cell(cell_at(member, layout_.delivered_seq()));
  row.persisted = load_cell(cell_at(member, layout_.persisted()));
  row.dispatched = load_cell(cell_at(member, layout_.dispatched()));
  return row;
}

Rank ShardTable::look() {
  const uint64_t my_received = mine(layout_.received_seq());
  SeenRow low = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
  for (Rank member = 0; member < seen_.size(); member++) {
    if (member == me_) continue;
    const bool frozen = (frozen_ >> member & 1) != 0;
    const SeenRow row = frozen ? seen_[member] : read(member);
    const bool beyond = row.delivered_seq > my_received || row.persisted > my_received;
    if (beyond || goes_back(seen_[member], row)) return member;
    seen_[member] = row;
    low.received_seq = std::min(low.received_seq, row.received_seq);
    low.delivered_seq = std::min(low.delivered_seq, row.delivered_seq);
    low.persisted = std::min(low.persisted, row.persisted);
    low.dispatched = std::min(low.dispatched, row.dispatched);
  }
  least_ = low;
  return static_cast<Rank>(seen_.size());
}

}  // namespace freshet
