// Rows, suspicion and attempts; see membership.h.
#include "native/core/view/membership.h"

#include <algorithm>
#include <bit>

#include "native/core/canary.h"
#include "native/core/check.h"

namespace freshet {
namespace {

// A try to go on is given this many heartbeats before the next.
constexpr Nanos kAttemptBeats = 6;
// In a later try a connection that is down counts after so many heartbeats, and for each place in
// rank order one more: of two that cannot reach each other the junior is suspected first.
constexpr Nanos kLostBeats = 2;

}  // namespace

Membership::Membership(MemberId me, MembershipLimits limits)
    : me_(me),
      limits_(limits),
      table_(me.incarnation),
      detector_(limits.detector),
      leases_(limits.lease) {
  table_.set(ViewRow::kSuspicion, make_suspicion(1, 0));
}

void Membership::close_peer(NodeId node) {
  table_.close(node);
  detector_.remove(node);
  peers_.erase(node);
}

void Membership::on_up(const MemberId& id, Nanos now) {
  Peer& peer = peers_[id.node];
  if (peer.id != id) {
    peer = Peer();
    peer.id = id;
  }
  peer.up = true;
  table_.on_up(id.node, id.incarnation);
  detector_.add(id.node, now);
  const Seat seat = view_.seat_of(id);
  if (seat != kNoSeat && has_seat(suspects(), seat)) table_.freeze(id.node, true);
  for (ShardReplica* replica : replicas_of(id.node)) replica->on_up(id.node);
}

std::vector<ShardReplica*> Membership::replicas_of(NodeId node) {
  std::vector<ShardReplica*> result;
  for (const auto& [shard, replica] : replicas_) {
    const auto& members = replica->config().members;
    if (std::ranges::find(members, node) != members.end()) result.push_back(replica);
  }
  told_ = told_ || !result.empty();
  return result;
}

void Membership::on_down(NodeId node, Nanos) {
  const auto found = peers_.find(node);
  if (found == peers_.end()) return;
  found->second.up = false;
  table_.on_down(node);
}

void Membership::begin(const View& view, Nanos now) {
  FRESHET_CHECK(is_blank() && *view.fault() == '\0');
  seat_ = view.seat_of(me_);
  FRESHET_CHECK_VALUES(seat_ != kNoSeat, me_.node, view.number);
  view_ = view;
  sit(view);
  pending_.reset();
  std::vector<std::byte> bytes(encoded_size(view));
  encode_view(view, bytes);
  const uint64_t identity = ViewTable::identity_of(bytes);
  table_.set(ViewRow::kAcked, identity);
  table_.set(ViewRow::kAckedNumber, view.number);
  table_.set(ViewRow::kInstalled, view.number);
  table_.set(ViewRow::kInstalledAs, identity);
  table_.set(ViewRow::kAskedBy, make_asked_by(view.number, 0));
  leases_.restart(now);
  attempt_since_ = now;
  (void)detector_.pass(now);
  for (const ViewMember& member : view.members) {
    // Who has not connected yet has as long for it as who is silent.
    if (member.id != me_) detector_.add(member.id.node, now);
    leases_.promise(member.seat, now);
  }
}

// What happened since it was made, it is told now: whom I suspect, and that its epoch ends.
void Membership::attach(ShardReplica& replica) {
  const ShardConfig& config = replica.config();
  replicas_[config.shard] = &replica;
  for (const NodeId node : config.members) {
    const auto member =
        std::ranges::find(view_.members, node, [](const auto& m) { return m.id.node; });
    if (node == me_.node || member == view_.members.end()) continue;
    if (has_seat(suspects(), member->seat)) replica.suspect(node);
    const bool held = has_seat(late_, member->seat) && !breaks(CoreCanary::kNoHold);
    if (held) replica.hold(node);
  }
  if (!breaks(CoreCanary::kLateUnwedged)) wedge_ending();
}

void Membership::detach(const ShardReplica& replica) {
  const auto found = replicas_.find(replica.config().shard);
  if (found != replicas_.end() && found->second == &replica) replicas_.erase(found);
}

int Membership::step(Nanos now, uint64_t loop_beat, Outputs& out) {
  if (outdated_) return table_.push(out);
  now_ = now;
  const size_t before = events_.size();
  table_.look();
  observe(loop_beat, now);
  if (!is_blank()) {
    suspect_lost(now);
    share_suspicion();
    if (is_suspected_by_others()) table_.set(ViewRow::kLeaseDropped, attempt());
    consider_attempt(now);
  }
  follow_installed();
  greet_late();
  note_gate(now);
  acknowledge();
  lead();
  note_gate(now);
  release(now);
  end_epochs(now, out);
  ask_to_prepare();
  commit();
  install();
  if (now >= beat_at_) beat(now, loop_beat);
  update_lease();
  return table_.push(out) + static_cast<int>(events_.size() - before);
}

std::vector<MembershipEvent> Membership::take_events() { return std::exchange(events_, {}); }

Membership::Peer* Membership::peer_at(Seat seat) {
  const auto found = peers_.find(seated_[seat].node);
  const bool same = found != peers_.end() && found->second.id == seated_[seat];
  return same ? &found->second : nullptr;
}

const Membership::Peer* Membership::peer_at(Seat seat) const {
  return const_cast<Membership*>(this)->peer_at(seat);
}

// A row belongs to an incarnation: what another one of the node shows is not of this seat.
uint64_t Membership::shown(Seat seat, size_t cell) const {
  if (seat == seat_) return table_.mine(cell);
  const Peer* peer = peer_at(seat);
  return peer == nullptr ? 0 : table_.seen(peer->id.node, cell);
}

uint64_t Membership::attempt_of_seat(Seat seat) const {
  return attempt_in(shown(seat, ViewRow::kSuspicion));
}

void Membership::sit(const View& view) {
  for (const ViewMember& member : view.members) {
    if (seated_[member.seat] == member.id) continue;
    seated_[member.seat] = member.id;
    leases_.clear(member.seat);
    table_.set(ViewRow::kEcho + member.seat, 0);
  }
}

void Membership::observe(uint64_t loop_beat, Nanos now) {
  (void)loop_beat;
  (void)detector_.pass(now);
  for (const auto& [node, peer] : peers_)
    detector_.observe(node, table_.hint(node, ViewRow::kStamp),
                      table_.hint(node, ViewRow::kLoopBeat), now);
}

// Nothing is taken in from them after this.
void Membership::suspect(SeatSet fresh) {
  fresh &= ~suspects();
  if (fresh == 0) return;
  for (SeatSet left = fresh; left != 0; left &= left - 1) {
    const auto seat = static_cast<Seat>(std::countr_zero(left));
    if (seat == seat_) continue;
    const Peer* peer = peer_at(seat);
    if (peer != nullptr) table_.freeze(peer->id.node, true);
    const NodeId node = seated_[seat].node;
    for (ShardReplica* replica : replicas_of(node)) replica->suspect(node);
  }
  table_.set(ViewRow::kSuspicion, make_suspicion(attempt(), suspects() | fresh));
}

// Silence, a lost connection, a loop that stands still. Who hears no majority is alone itself and
// judges nobody by silence.
void Membership::suspect_lost(Nanos now) {
  isolated_ = !hears_majority(now);
  SeatSet known = view_.seats();
  if (pending_ && pending_->acked) known |= pending_->view.seats();
  SeatSet lost = 0;
  size_t loops = 1;
  SeatSet stopped = 0;
  Nanos rank = 0;
  for (SeatSet left = known & ~seat_bit(seat_); left != 0; left &= left - 1) {
    const auto seat = static_cast<Seat>(std::countr_zero(left));
    rank++;
    const NodeId node = seated_[seat].node;
    const Peer* peer = peer_at(seat);
    const bool replaced = peer == nullptr && peers_.contains(node) && peers_[node].up;
    const bool down = peer != nullptr && !peer->up;
    const Nanos patience = attempt() == 1 ? 0 : (kLostBeats + rank) * limits_.heartbeat;
    if (replaced || (down && now - attempt_since_ >= patience)) lost |= seat_bit(seat);
    if (!isolated_ && detector_.is_silent(node, now)) lost |= seat_bit(seat);
    if (detector_.has_loop_stopped(node, now)) {
      stopped |= seat_bit(seat);
    } else {
      loops += has_seat(view_.seats(), seat) ? 1 : 0;
    }
  }
  if (2 * loops > view_.members.size()) lost |= stopped;
  // What is under way may need me, and so may the majority.
  const SeatSet others = alive() & ~lost & ~seat_bit(seat_);
  if (leaving_ && !pending_ && is_strict_majority(others, view_.seats())) lost |= seat_bit(seat_);
  suspect(lost);
}

// One row after the other: of two that suspect each other only one is believed.
void Membership::share_suspicion() {
  const uint64_t installed = table_.mine(ViewRow::kInstalledAs);
  for (const ViewMember& member : view_.members) {
    if (member.seat == seat_ || has_seat(suspects(), member.seat)) continue;
    const uint64_t theirs = shown(member.seat, ViewRow::kSuspicion);
    const bool same_view = shown(member.seat, ViewRow::kInstalledAs) == installed;
    if (same_view && attempt_in(theirs) == attempt()) suspect(seats_in(theirs));
  }
}

bool Membership::is_suspected_by_others() const { return has_seat(suspects(), seat_); }

// Connected, with threads and an event loop that go on.
bool Membership::is_here(const MemberId& id) const {
  const auto found = peers_.find(id.node);
  return found != peers_.end() && found->second.id == id && found->second.up &&
         !detector_.is_silent(id.node, now_) && !detector_.has_loop_stopped(id.node, now_);
}

bool Membership::hears_majority(Nanos now) const {
  SeatSet heard = seat_bit(seat_);
  for (const ViewMember& member : view_.members) {
    const Peer* peer = member.seat == seat_ ? nullptr : peer_at(member.seat);
    if (peer != nullptr && peer->up && detector_.is_heard(member.id.node, now))
      heard |= seat_bit(member.seat);
  }
  return is_strict_majority(heard, view_.seats());
}

bool Membership::is_stuck() const {
  if (is_suspected_by_others()) return true;
  SeatSet live = alive();
  if (pending_ && pending_->acked) {
    const SeatSet next = pending_->view.seats();
    if (!is_strict_majority(next & ~suspects(), next)) return true;
    if (waits_for_history()) return true;
    if (!can_finish(pending_->view, prepared_seats()) && is_dead()) return true;
    live &= next;
  }
  return !is_strict_majority(live, view_.seats());
}

// An epoch ends whose members I suspect, all that the next view keeps, and its joiners need one of
// them, which is heard.
bool Membership::waits_for_history() const {
  for (size_t shard = 0; !is_blank() && shard < view_.shards.size(); shard++) {
    if (!ends(shard) || survivors(shard) != 0 || pending_->view.shards[shard].closed) continue;
    for (SeatSet left = view_.shards[shard].seats() & suspects(); left != 0; left &= left - 1) {
      const Peer* peer = peer_at(static_cast<Seat>(std::countr_zero(left)));
      if (peer != nullptr && peer->up && detector_.is_heard(peer->id.node, now_)) return true;
    }
  }
  return false;
}

// A new attempt clears suspicions. A member begins one when it is stuck although it hears a
// majority, and goes along with one when it cannot go on itself, when most have, or when one has
// that it would have to agree with.
void Membership::consider_attempt(Nanos now) {
  if (can_withdraw()) return withdraw(now);
  uint64_t highest = 0;
  SeatSet higher = 0;
  for (const ViewMember& member : view_.members) {
    if (member.seat == seat_ || attempt_of_seat(member.seat) <= attempt()) continue;
    highest = std::max(highest, attempt_of_seat(member.seat));
    higher |= seat_bit(member.seat);
  }
  // A view of one that was asked to prepare lacks nothing but its own record: a later try would
  // have its joiner prepare again, which may be lost.
  const bool decided = view_.members.size() == 1 && pending_ && pending_->promised;
  // Who leaves has no try of its own.
  const bool stuck = is_stuck() && !leaving_ && !decided;
  if (higher != 0 && ((higher & ~suspects()) != 0 || stuck || leaving_ ||
                      is_strict_majority(higher, view_.seats())))
    return enter_attempt(highest, now);
  if (!stuck || !hears_majority(now)) {
    stuck_since_ = 0;
    return;
  }
  if (stuck_since_ == 0) stuck_since_ = now;
  const Nanos since = std::max(stuck_since_, attempt_since_);
  if (now - since >= kAttemptBeats * limits_.heartbeat) enter_attempt(attempt() + 1, now);
}

void Membership::enter_attempt(uint64_t attempt, Nanos now) {
  for (const auto& [node, peer] : peers_) {
    if (!breaks(CoreCanary::kNoThaw)) table_.freeze(node, false);
    for (ShardReplica* replica : replicas_of(node)) replica->trust(node);
  }
  table_.set(ViewRow::kReleased, 0);
  table_.set(ViewRow::kSuspicion, make_suspicion(attempt, 0));
  leases_.restart(now);
  stuck_since_ = 0;
  attempt_since_ = now;
  table_.look();
}

bool Membership::is_agreed() const {
  const SeatSet live = alive();
  if (!has_seat(live, seat_)) return false;
  if (!is_strict_majority(live, view_.seats()) && !breaks(CoreCanary::kMinority)) return false;
  for (const ViewMember& member : view_.members) {
    if (!has_seat(live, member.seat)) continue;
    const bool same =
        shown(member.seat, ViewRow::kInstalledAs) == table_.mine(ViewRow::kInstalledAs) &&
        shown(member.seat, ViewRow::kSuspicion) == table_.mine(ViewRow::kSuspicion);
    if (!same) return false;
  }
  return true;
}

// My stamp, and the echo of everyone's newest. To those whom the acknowledged proposal removes an
// echo is no promise: they see that what I acknowledged differs.
void Membership::beat(Nanos now, uint64_t loop_beat) {
  beat_at_ = now + limits_.heartbeat;
  table_.set(ViewRow::kStamp, static_cast<uint64_t>(now));
  table_.set(ViewRow::kLoopBeat, loop_beat);
  const View& acked = pending_ && pending_->acked ? pending_->view : view_;
  const SeatSet promised = acked.seats();
  for (Seat seat = 0; seat < kMembersMax; seat++) {
    const bool known = has_seat(view_.seats() | promised, seat) && seat != seat_;
    if (!known || has_seat(suspects(), seat)) continue;
    const uint64_t stamp = shown(seat, ViewRow::kStamp);
    if (stamp == 0 || stamp == table_.mine(ViewRow::kEcho + seat)) continue;
    table_.set(ViewRow::kEcho + seat, stamp);
    if (has_seat(promised, seat)) leases_.promise(seat, now);
  }
}

Status Membership::accuse(NodeId node) {
  const auto member =
      std::ranges::find(view_.members, node, [](const auto& m) { return m.id.node; });
  if (is_blank() || member == view_.members.end() || member->seat == seat_)
    return Status::kInvalidArgument;
  if (pending_ || is_suspected_by_others()) return Status::kNotCurrent;
  const SeatSet slow = seat_bit(member->seat);
  if (!is_strict_majority(alive() & ~slow, view_.seats())) return Status::kInvalidArgument;
  suspect(slow);
  return Status::kOk;
}

void Membership::leave() { leaving_ = true; }

}  // namespace freshet
