#include "native/core/member_table.h"

#include <algorithm>

#include "native/core/cell.h"
#include "native/core/check.h"

namespace freshet {

MemberTable::MemberTable(ViewConfig config)
    : config_(std::move(config)),
      layout_{config_.members.size(), config_.shards},
      me_(rank_of(config_.me)),
      memory_(config_.members.size() * layout_.size()) {
  FRESHET_CHECK_VALUES(config_.members.size() <= kMembersMax, config_.members.size(), kMembersMax);
  FRESHET_CHECK_VALUES(config_.shards <= kShardsMax, config_.shards, kShardsMax);
  for (const NodeId node : config_.members) {
    if (node != config_.me) peers_.push_back({node, false, {}});
  }
}

Rank MemberTable::rank_of(NodeId node) const {
  const auto found = std::find(config_.members.begin(), config_.members.end(), node);
  FRESHET_CHECK_VALUES(found != config_.members.end(), node, config_.members.size());
  return static_cast<Rank>(found - config_.members.begin());
}

std::vector<GrantedRegion> MemberTable::regions() {
  std::vector<GrantedRegion> result;
  for (Rank rank = 0; rank < config_.members.size(); rank++) {
    if (rank == me_) continue;
    result.push_back({config_.members[rank],
                      {RegionKind::kMemberRow, static_cast<uint16_t>(rank), 0, config_.view},
                      {memory_.data() + rank * layout_.size(), layout_.size()}});
  }
  return result;
}

uint64_t MemberTable::cell(Rank member, size_t index) const {
  return load_cell(reinterpret_cast<const uint64_t*>(memory_.data() + member * layout_.size()) +
                   index);
}

void MemberTable::set_cell(size_t index, uint64_t value) {
  if (cell(me_, index) == value) return;
  store_cell(reinterpret_cast<uint64_t*>(memory_.data() + me_ * layout_.size()) + index, value);
  changed_.add(index);
}

void MemberTable::set(MemberCell cell, uint64_t value) {
  set_cell(static_cast<size_t>(cell), value);
}

void MemberTable::set_echo(Rank member, uint64_t stamp) {
  if (stamp > echo(me_, member)) set_cell(layout_.echo(member), stamp);
}

uint64_t MemberTable::get(Rank member, MemberCell index) const {
  return cell(member, static_cast<size_t>(index));
}

uint64_t MemberTable::echo(Rank of, Rank member) const { return cell(of, layout_.echo(member)); }

void MemberTable::beat(Nanos now) {
  for (Rank rank = 0; rank < config_.members.size(); rank++) {
    if (rank != me_) set_echo(rank, get(rank, MemberCell::kStamp));
  }
  set(MemberCell::kStamp, static_cast<uint64_t>(now));
}

uint32_t MemberTable::asleep() const {
  uint32_t result = 0;
  for (Rank rank = 0; rank < config_.members.size(); rank++) {
    if (rank != me_ && (get(rank, MemberCell::kAsleep) & 1) != 0) result |= uint32_t{1} << rank;
  }
  return result;
}

int MemberTable::push(Outputs& out) {
  const RegionId row{RegionKind::kMemberRow, static_cast<uint16_t>(me_), 0, config_.view};
  const std::byte* mine = memory_.data() + me_ * layout_.size();
  const size_t before = out.writes.size();
  for (Peer& peer : peers_) {
    peer.behind.add(changed_);
    if (peer.congested || peer.behind.empty()) continue;
    const size_t offset = peer.behind.begin * sizeof(uint64_t);
    const size_t size = (peer.behind.end - peer.behind.begin) * sizeof(uint64_t);
    out.writes.push_back({peer.node, row, offset, {mine + offset, size}, false});
    peer.behind = {};
  }
  changed_ = {};
  return static_cast<int>(out.writes.size() - before);
}

void MemberTable::set_congested(NodeId node, bool congested) {
  for (Peer& peer : peers_) {
    if (peer.node == node) peer.congested = congested;
  }
}

void MemberTable::repeat_to(NodeId node) {
  for (Peer& peer : peers_) {
    if (peer.node == node) peer.behind = {0, layout_.cells()};
  }
}

}  // namespace freshet
