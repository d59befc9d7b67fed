// Leases, the gate, and the end of epochs; see membership.h.
#include <algorithm>
#include <bit>

#include "native/core/canary.h"
#include "native/core/check.h"
#include "native/core/view/membership.h"

namespace freshet {

// Members of the epoch that the next view keeps and nobody suspects.
SeatSet Membership::survivors(size_t shard) const {
  return view_.shards[shard].seats() & pending_->view.seats() & ~suspects();
}

// Those whose leases the gate waits for: removed, or suspected before they acknowledged.
SeatSet Membership::gone() const { return view_.seats() & ~(pending_->view.seats() & ~suspects()); }

void Membership::note_gate(Nanos now) {
  if (!pending_ || !pending_->acked || pending_->gate_from != 0 || is_blank()) return;
  SeatSet acked = 0;
  for (const ViewMember& member : view_.members) {
    // The number first: it is monotone, and raised with what it numbers.
    const bool later = shown(member.seat, ViewRow::kAckedNumber) > pending_->view.number;
    if (later || shown(member.seat, ViewRow::kAcked) == pending_->identity)
      acked |= seat_bit(member.seat);
  }
  if (is_strict_majority(acked, view_.seats())) pending_->gate_from = now;
}

// My promises to whom I suspect or leave behind have lapsed, or it waived them.
void Membership::release(Nanos now) {
  SeatSet lost = suspects();
  if (pending_ && pending_->acked) lost |= view_.seats() & ~pending_->view.seats();
  const SeatSet before = static_cast<SeatSet>(table_.mine(ViewRow::kReleased));
  SeatSet released = before;
  for (SeatSet left = lost & ~before; left != 0; left &= left - 1) {
    const auto seat = static_cast<Seat>(std::countr_zero(left));
    if (leases_.has_lapsed(seat, now) || shown(seat, ViewRow::kLeaseDropped) == attempt())
      released |= seat_bit(seat);
  }
  table_.set(ViewRow::kReleased, released);
}

bool Membership::is_gate_open(Nanos now) const {
  const SeatSet waited_for = gone();
  if (waited_for == 0 || breaks(CoreCanary::kNoGate)) return true;
  if (pending_->gate_from != 0 && now >= pending_->gate_from + leases_.lapse()) return true;
  const SeatSet kept = view_.seats() & ~waited_for;
  for (const ViewMember& member : view_.members) {
    if (!has_seat(kept, member.seat)) continue;
    // `acked` first: what is released is of the proposal that it names.
    if (shown(member.seat, ViewRow::kAcked) != pending_->identity) return false;
    if ((waited_for & ~shown(member.seat, ViewRow::kReleased)) != 0) return false;
  }
  return is_strict_majority(kept, view_.seats()) || breaks(CoreCanary::kMinority);
}

bool Membership::ends(size_t shard) const {
  const ViewShard& now = view_.shards[shard];
  return !now.closed && pending_->view.shards[shard].epoch != now.epoch;
}

void Membership::end_epochs(Nanos now, Outputs& out) {
  if (!pending_ || !pending_->acked || is_blank()) return;
  for (size_t shard = 0; shard < view_.shards.size(); shard++) {
    if (!ends(shard)) continue;
    copy_trim(shard);
    choose_trim(shard);
    const auto found = replicas_.find(view_.shards[shard].shard);
    const bool mine = found != replicas_.end() && has_seat(view_.shards[shard].seats(), seat_);
    if (!mine || found->second->end_phase() != EndPhase::kWedged) continue;
    if (is_trim_ready(shard) && is_gate_open(now)) {
      found->second->take_trim(table_.my_trim(shard).counts, out);
    } else if (pending_->committed) {
      found->second->miss_end();  // it came about without me
    }
    if (found->second->end_phase() == EndPhase::kBehind)
      events_.push_back(MembershipEvent::kBehind);
  }
}

// The lowest survivor in rank order does, once agreed; what stands in a row that it trusts, it puts
// forward again.
void Membership::choose_trim(size_t shard) {
  const ViewShard& ending = view_.shards[shard];
  const SeatSet all = survivors(shard);
  const auto first = std::find_if(ending.members.begin(), ending.members.end(),
                                  [&](Seat seat) { return has_seat(all, seat); });
  if (first == ending.members.end() || *first != seat_ || !is_agreed()) return;
  // In a new attempt a trim waits until the proposal was put forward in it.
  if (attempt_of(pending_->ballot) != attempt()) return;
  const Ballot ballot = make_ballot(attempt(), static_cast<Rank>(first - ending.members.begin()));
  Trim standing;
  for (const ViewMember& member : view_.members) {
    if (has_seat(suspects(), member.seat)) continue;
    Trim theirs;
    if (member.seat == seat_) {
      theirs = table_.my_trim(shard);
    } else if (!table_.seen_trim(member.id.node, shard, theirs)) {
      continue;
    }
    if (theirs.epoch == ending.epoch && theirs.ballot > standing.ballot) standing = theirs;
  }
  if (standing.ballot >= ballot) return;
  Trim trim{ballot, ending.epoch, {}};
  std::vector<NodeId> nodes;
  for (const Seat seat : ending.members)
    if (has_seat(all, seat)) nodes.push_back(view_.at(seat)->id.node);
  const auto found = replicas_.find(ending.shard);
  if (found == replicas_.end() || !found->second->least_received(nodes, trim.counts)) return;
  if (standing.ballot != 0) trim.counts = standing.counts;
  table_.set_trim(shard, trim);
}

// Every member of the view does, also one outside the shard: so that a majority has it.
void Membership::copy_trim(size_t shard) {
  const Epoch epoch = view_.shards[shard].epoch;
  for (const ViewMember& member : view_.members) {
    if (member.seat == seat_ || has_seat(suspects(), member.seat)) continue;
    const Peer* peer = peer_at(member.seat);
    Trim theirs;
    if (peer == nullptr || !table_.seen_trim(peer->id.node, shard, theirs)) continue;
    if (theirs.epoch != epoch || attempt_of(theirs.ballot) != attempt()) continue;
    const Trim mine = table_.my_trim(shard);
    if (mine.epoch == epoch && mine.ballot >= theirs.ballot) continue;
    table_.set_trim(shard, theirs);
  }
}

bool Membership::is_trim_ready(size_t shard) const {
  const Trim mine = table_.my_trim(shard);
  if (mine.epoch != view_.shards[shard].epoch) return false;
  const uint64_t vote = table_.mine(ViewRow::kTrim + shard);
  SeatSet shows = 0;
  for (const ViewMember& member : view_.members)
    if (shown(member.seat, ViewRow::kTrim + shard) == vote) shows |= seat_bit(member.seat);
  const bool enough = is_strict_majority(shows, view_.seats()) || breaks(CoreCanary::kMinority);
  return (survivors(shard) & ~shows) == 0 && enough;
}

// Rows count whose acknowledged view is mine; between acknowledging and installing I need both.
void Membership::update_lease() {
  lease_until_ = breaks(CoreCanary::kNoLease) ? INT64_MAX : INT64_MIN;
  if (breaks(CoreCanary::kNoLease)) return;
  const bool dropped = table_.mine(ViewRow::kLeaseDropped) == attempt();
  const bool removed = pending_ && pending_->acked && pending_->view.seat_of(me_) == kNoSeat;
  if (is_blank() || dropped || removed || has_seat(suspects(), seat_)) return;
  const bool changes = pending_ && pending_->acked;
  const SeatSet asked = view_.seats() | (changes ? pending_->view.seats() : 0);
  std::array<uint64_t, kMembersMax> echoes{};
  for (SeatSet left = asked; left != 0; left &= left - 1) {
    const auto seat = static_cast<Seat>(std::countr_zero(left));
    if (seat == seat_) {
      echoes[seat] = table_.mine(ViewRow::kStamp);
    } else if (shown(seat, ViewRow::kAcked) == table_.mine(ViewRow::kAcked)) {
      echoes[seat] = shown(seat, ViewRow::kEcho + seat_);
    }
  }
  lease_until_ = leases_.held_until(echoes, view_.seats());
  if (changes)
    lease_until_ = std::min(lease_until_, leases_.held_until(echoes, pending_->view.seats()));
}

Nanos Membership::lease_until() const { return lease_until_; }

}  // namespace freshet
