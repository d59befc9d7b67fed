#include "native/core/view/view_table.h"

#include <algorithm>
#include <cstring>

#include "native/core/cell.h"
#include "native/core/check.h"
#include "native/core/xxh3.h"

namespace freshet {
namespace {

constexpr size_t kCellSize = sizeof(uint64_t);

size_t group_of(size_t cell) {
  const auto& groups = ViewRow::kGroups;
  const auto after = std::upper_bound(groups.begin(), groups.end(), cell);
  return static_cast<size_t>(after - groups.begin()) - 1;
}

uint64_t* cell_in(std::byte* row, size_t cell) { return reinterpret_cast<uint64_t*>(row) + cell; }
const uint64_t* cell_in(const std::byte* row, size_t cell) {
  return reinterpret_cast<const uint64_t*>(row) + cell;
}

Trim trim_in(const std::byte* row, size_t shard) {
  const size_t at = ViewRow::trim_of(shard);
  Trim trim;
  trim.ballot = load_cell(cell_in(row, at));
  trim.epoch = static_cast<Epoch>(load_cell(cell_in(row, at + 1)));
  for (size_t s = 0; s < kMembersMax; s++) trim.counts[s] = load_cell(cell_in(row, at + 2 + s));
  return trim;
}

}  // namespace

struct ViewTable::Peer {
  explicit Peer(NodeId id) : node(id), live(ViewRow::kSize), seen(ViewRow::kSlot * kCellSize) {}

  const NodeId node;
  AlignedMemory live;        // its row, as it writes it
  AlignedMemory seen;        // as last taken in, without the proposal
  uint64_t incarnation = 0;  // who is there, or was last
  bool up = false;
  bool congested = false;
  bool frozen = false;
  std::array<CellRange, kGroupCount> behind;

  bool is_theirs() const {
    return load_cell(cell_in(live.data(), ViewRow::kIncarnation)) == incarnation;
  }
};

ViewTable::ViewTable(uint64_t incarnation) : row_(ViewRow::kSize) {
  set(ViewRow::kIncarnation, incarnation);
}
ViewTable::~ViewTable() = default;

ViewTable::Peer* ViewTable::find(NodeId node) const {
  for (const auto& peer : peers_)
    if (peer->node == node) return peer.get();
  return nullptr;
}

GrantedRegion ViewTable::open(NodeId node) {
  close(node);
  peers_.push_back(std::make_unique<Peer>(node));
  return {node, {RegionKind::kViewRow, 0, 0, 0}, peers_.back()->live.bytes()};
}

void ViewTable::close(NodeId node) {
  std::erase_if(peers_, [node](const auto& peer) { return peer->node == node; });
}

uint64_t ViewTable::mine(size_t cell) const { return load_cell(cell_in(row_.data(), cell)); }

void ViewTable::set(size_t cell, uint64_t value) {
  if (mine(cell) == value) return;
  store_cell(cell_in(row_.data(), cell), value);
  changed_[group_of(cell)].add(cell);
}

void ViewTable::set_proposal(Ballot ballot, Bytes encoded) {
  FRESHET_CHECK_VALUES(encoded.size() <= kViewSlotSize, encoded.size(), kViewSlotSize);
  if (!std::ranges::equal(my_proposal(), encoded)) {
    std::memcpy(row_.data() + ViewRow::kSlot * kCellSize, encoded.data(), encoded.size());
    changed_[group_of(ViewRow::kSlot)].add(
        {ViewRow::kSlot, ViewRow::kSlot + (encoded.size() + kCellSize - 1) / kCellSize});
  }
  set(ViewRow::kProposalBytes, encoded.size());
  set(ViewRow::kBallot, ballot);
  set(ViewRow::kProposed, vote_for(ballot, identity_of(encoded)));
}

Bytes ViewTable::my_proposal() const {
  return {row_.data() + ViewRow::kSlot * kCellSize, mine(ViewRow::kProposalBytes)};
}

void ViewTable::set_trim(size_t shard, const Trim& trim) {
  const size_t at = ViewRow::trim_of(shard);
  set(at, trim.ballot);
  set(at + 1, trim.epoch);
  for (size_t s = 0; s < kMembersMax; s++) set(at + 2 + s, trim.counts[s]);
  set(ViewRow::kTrim + shard, vote_for(trim));
}

Trim ViewTable::my_trim(size_t shard) const { return trim_in(row_.data(), shard); }

void ViewTable::look() {
  for (const auto& peer : peers_) {
    const uint64_t before = load_cell(cell_in(peer->seen.data(), ViewRow::kChanges));
    // What another incarnation wrote lies there until this one's row has come whole.
    if (!peer->is_theirs()) continue;
    copy_beats(*peer);
    const bool changed = load_cell(cell_in(peer->seen.data(), ViewRow::kChanges)) != before;
    if (changed) copy_rest(*peer);
  }
}

// Beats first: what they vouch for is read after them, so it is there.
void ViewTable::copy_beats(Peer& peer) {
  const auto take = [&](size_t cell) {
    store_cell(cell_in(peer.seen.data(), cell), load_cell(cell_in(peer.live.data(), cell)));
  };
  take(ViewRow::kStamp);
  take(ViewRow::kLeaseDropped);
  if (peer.frozen) {
    const uint64_t seen = load_cell(cell_in(peer.seen.data(), ViewRow::kSuspicion));
    const uint64_t now = load_cell(cell_in(peer.live.data(), ViewRow::kSuspicion));
    store_cell(cell_in(peer.seen.data(), ViewRow::kSuspicion),
               make_suspicion(attempt_in(now), seats_in(seen)));
    return;
  }
  for (size_t cell = 0; cell < ViewRow::kVotes; cell++)
    if (cell != ViewRow::kChanges) take(cell);
  take(ViewRow::kChanges);  // at least as new as the echoes
}

void ViewTable::copy_rest(Peer& peer) {
  for (size_t cell = ViewRow::kVotes; cell < ViewRow::kTrims; cell++)
    store_cell(cell_in(peer.seen.data(), cell), load_cell(cell_in(peer.live.data(), cell)));
  for (size_t shard = 0; shard < kViewShardsMax; shard++) {
    if (load_cell(cell_in(peer.seen.data(), ViewRow::kTrim + shard)) == 0) continue;
    const size_t at = ViewRow::trim_of(shard);
    for (size_t cell = at; cell < at + ViewRow::kTrimCells; cell++)
      store_cell(cell_in(peer.seen.data(), cell), load_cell(cell_in(peer.live.data(), cell)));
  }
}

void ViewTable::freeze(NodeId node, bool frozen) {
  Peer* peer = find(node);
  if (peer == nullptr || peer->frozen == frozen) return;
  peer->frozen = frozen;
  // Thawed: the next look takes all of it.
  if (!frozen) store_cell(cell_in(peer->seen.data(), ViewRow::kChanges), 0);
}

uint64_t ViewTable::seen(NodeId node, size_t cell) const {
  FRESHET_CHECK_VALUES(cell < ViewRow::kSlot, cell, ViewRow::kSlot);
  const Peer* peer = find(node);
  return peer == nullptr ? 0 : load_cell(cell_in(peer->seen.data(), cell));
}

uint64_t ViewTable::hint(NodeId node, size_t cell) const {
  const Peer* peer = find(node);
  if (peer == nullptr || !peer->is_theirs()) return 0;
  return load_cell(cell_in(peer->live.data(), cell));
}

bool ViewTable::seen_trim(NodeId node, size_t shard, Trim& out) const {
  const uint64_t vote = seen(node, ViewRow::kTrim + shard);
  if (vote == 0) return false;
  out = trim_in(find(node)->seen.data(), shard);
  return vote_for(out) == vote;
}

bool ViewTable::seen_proposal(NodeId node, Ballot& ballot, std::vector<std::byte>& out) const {
  const uint64_t vote = seen(node, ViewRow::kProposed);
  const uint64_t size = seen(node, ViewRow::kProposalBytes);
  if (vote == 0 || size > kViewSlotSize) return false;
  ballot = seen(node, ViewRow::kBallot);
  const std::byte* slot = find(node)->live.data() + ViewRow::kSlot * kCellSize;
  out.assign(slot, slot + size);
  return vote_for(ballot, identity_of(out)) == vote;
}

bool ViewTable::installed_proposal(NodeId node, std::vector<std::byte>& out) const {
  out.clear();
  const uint64_t size = hint(node, ViewRow::kProposalBytes);
  if (size == 0 || size > kViewSlotSize) return false;
  const std::byte* slot = find(node)->live.data() + ViewRow::kSlot * kCellSize;
  out.assign(slot, slot + size);
  return identity_of(out) == hint(node, ViewRow::kInstalledAs);
}

int ViewTable::push(Outputs& out) {
  bool rest = false;
  for (size_t group = 1; group < kGroupCount; group++) rest = rest || !changed_[group].empty();
  if (rest) set(ViewRow::kChanges, mine(ViewRow::kChanges) + 1);
  const size_t before = out.writes.size();
  for (const auto& peer : peers_) {
    if (!peer->up) continue;
    for (size_t group = 0; group < kGroupCount; group++) peer->behind[group].add(changed_[group]);
    if (!peer->congested) push_to(*peer, out);
  }
  changed_ = {};
  return static_cast<int>(out.writes.size() - before);
}

// From the last group to the first: nothing is seen before what it vouches for.
void ViewTable::push_to(Peer& peer, Outputs& out) {
  for (size_t group = kGroupCount; group-- > 0;) {
    CellRange& range = peer.behind[group];
    if (range.empty()) continue;
    const size_t offset = range.begin * kCellSize;
    const size_t size = (range.end - range.begin) * kCellSize;
    out.writes.push_back(
        {peer.node, {RegionKind::kViewRow, 0, 0, 0}, offset, {row_.data() + offset, size}, false});
    range = {};
  }
}

void ViewTable::on_up(NodeId node, uint64_t incarnation) {
  Peer* peer = find(node);
  if (peer == nullptr) return;
  if (peer->incarnation != incarnation) {
    peer->incarnation = incarnation;
    peer->seen = AlignedMemory(ViewRow::kSlot * kCellSize);
    peer->frozen = false;
  }
  peer->up = true;
  peer->congested = false;  // with the connection before went what waited for it
  for (size_t group = 0; group < kGroupCount; group++)
    peer->behind[group] = {ViewRow::kGroups[group], ViewRow::kGroups[group + 1]};
  const size_t slot = group_of(ViewRow::kSlot);
  peer->behind[slot].end = ViewRow::kSlot + (my_proposal().size() + kCellSize - 1) / kCellSize;
}

void ViewTable::on_down(NodeId node) {
  Peer* peer = find(node);
  if (peer == nullptr) return;
  peer->up = false;
  peer->behind = {};
}

void ViewTable::set_congested(NodeId node, bool congested) {
  if (Peer* peer = find(node)) peer->congested = congested;
}

// 0 stands for none.
uint64_t ViewTable::vote_for(Ballot ballot, uint64_t identity) {
  const uint64_t parts[] = {ballot, identity};
  const uint64_t vote = xxh3_64(parts, sizeof parts);
  return vote == 0 ? 1 : vote;
}

uint64_t ViewTable::identity_of(Bytes encoded) {
  const uint64_t identity = xxh3_64(encoded.data(), encoded.size());
  return identity == 0 ? 1 : identity;
}

uint64_t ViewTable::vote_for(const Trim& trim) {
  std::array<uint64_t, 2 + kMembersMax> parts{trim.ballot, trim.epoch};
  std::copy(trim.counts.begin(), trim.counts.end(), parts.begin() + 2);
  const uint64_t vote = xxh3_64(parts.data(), sizeof parts);
  return vote == 0 ? 1 : vote;
}

}  // namespace freshet
