// What a replica writes to the others: its ring, and its row of the shard's table.
#include <algorithm>

#include "native/core/order.h"
#include "native/core/shard_replica_impl.h"

namespace freshet {

void ShardReplica::Impl::show_received() {
  const size_t senders = streams_.size();
  const RowLayout& layout = table_.layout();
  for (size_t s = 0; s < senders; s++) {
    table_.set_quietly(layout.received(s), received_[s]);
    if (changes_[s] == 0) continue;
    const auto change = static_cast<uint64_t>(sequence_of(changes_[s] - 1, s, senders)) + 1;
    newest_change_ = std::max(newest_change_, change);
  }
  const uint64_t sequences = contiguous_sequences({received_.data(), senders});
  // Readers here first: a read that begins after a peer saw the counter must wait for it.
  // What came behind a gap makes no null in front of it worth waiting for.
  const bool goes_on = sequences > table_.mine(layout.received_seq());
  if (goes_on) received_changes_ = std::min(newest_change_, sequences);
  frontiers_.changes.store(static_cast<Sequence>(received_changes_) - 1, std::memory_order_release);
  frontiers_.received.store(static_cast<Sequence>(sequences) - 1, std::memory_order_release);
  table_.set(layout.received_seq(), sequences, shown_received_ < newest_change_);
}

bool ShardReplica::Impl::is_to_show() const {
  if (table_.is_urgent() || show_delivered_) return true;
  if (!table_.has_changed()) return false;
  for (size_t s = 0; s < streams_.size(); s++) {
    if (streams_[s].delivered_position() - shown_[s] >= config_.ring_size / kShownDivisor)
      return true;
  }
  return false;
}

bool ShardReplica::Impl::show_delivered() {
  show_delivered_ = stopped_ == Status::kOk && table_.has_changed();
  return show_delivered_;
}

// Ring bytes and blocks first, then the row that guards them.
int ShardReplica::Impl::push(Outputs& out) {
  CellRange changed;
  if (is_to_show()) {
    changed = table_.take_changed();
    show_delivered_ = false;
    shown_received_ = table_.mine(table_.layout().received_seq());
    shown_persisted_ = table_.mine(table_.layout().persisted());
    for (size_t s = 0; s < streams_.size(); s++) shown_[s] = streams_[s].delivered_position();
  }
  const size_t before = out.writes.size();
  if (end_.running() && large_.has_lost()) large_.repeat(held(), out);
  const RegionId row{RegionKind::kShardRow, static_cast<uint16_t>(me_), config_.shard,
                     config_.epoch};
  for (Peer& peer : peers_) {
    peer.behind.add(changed);
    if (peer.held || peer.congested || peer.behind.empty()) continue;
    if (is_sender() && peer.pushed < sender_->ring().tail()) {
      const RegionId ring{RegionKind::kRing, row.owner, row.shard, row.epoch};
      RingPiece pieces[2];
      // A peer that claims delivery of what it was not sent yet is not waited for.
      const int count =
          sender_->ring().pieces(std::max(peer.pushed, sender_->ring().head()), pieces);
      for (int i = 0; i < count; i++)
        out.writes.push_back({peer.node, ring, pieces[i].offset, pieces[i].bytes, true});
      peer.pushed = sender_->ring().tail();
    }
    push_row(peer, row, out);
  }
  return static_cast<int>(out.writes.size() - before);
}

// To whom no blocks go.
RankSet ShardReplica::Impl::held() const {
  RankSet result = 0;
  for (const Peer& peer : peers_) {
    if (peer.held || peer.congested || peer.busy)
      result |= RankSet{1} << rank_of(config_.members, peer.node);
  }
  return result;
}

// A guard goes behind what it guards: `wedged` behind `received`, `sent` behind blocks.
void ShardReplica::Impl::push_row(Peer& peer, const RegionId& row, Outputs& out) {
  const RowLayout& layout = table_.layout();
  const bool lacks = large_.has_lost(rank_of(config_.members, peer.node));
  const size_t last = lacks ? layout.steps_sent(0) : layout.cells();
  for (const size_t end : {layout.wedged(), last}) {
    const CellRange piece{peer.behind.begin, std::min(end, peer.behind.end)};
    if (piece.empty()) continue;
    out.writes.push_back(
        {peer.node, row, piece.begin * sizeof(uint64_t), table_.bytes_of(piece), false});
    peer.behind.begin = piece.end;
  }
  if (peer.behind.empty()) peer.behind = {};
}

void ShardReplica::Impl::set_congested(NodeId peer, bool congested) {
  for (Peer& item : peers_) {
    if (item.node == peer) item.congested = congested;
  }
}

void ShardReplica::Impl::set_busy(NodeId peer, bool busy) {
  for (Peer& item : peers_) {
    if (item.node == peer) item.busy = busy;
  }
}

// Writes to it may be lost: it gets all that it may lack again.
void ShardReplica::Impl::on_up(NodeId node) {
  for (Peer& peer : peers_) {
    if (peer.node != node) continue;
    peer.behind = {0, table_.layout().cells()};
    peer.pushed = 0;         // from the head of the ring
    peer.congested = false;  // what waited for the connection before is gone
    large_.on_up(rank_of(config_.members, node));
  }
}

void ShardReplica::Impl::hold(NodeId node, bool held) {
  for (Peer& peer : peers_) {
    if (peer.node == node) peer.held = held;
  }
}

}  // namespace freshet
