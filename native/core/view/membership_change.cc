// From one view to the next; see membership.h.
#include <algorithm>
#include <bit>
#include <tuple>

#include "native/core/canary.h"
#include "native/core/check.h"
#include "native/core/view/membership.h"

namespace freshet {

uint64_t Membership::vote() const {
  return pending_ ? ViewTable::vote_for(pending_->ballot, pending_->identity) : 0;
}

// What stands in a row, decoded when it is new. Null: nothing, or not whole yet.
const Membership::Standing* Membership::standing_of(Seat seat) {
  Peer* peer = peer_at(seat);
  return peer == nullptr ? nullptr : standing_of(*peer);
}

const Membership::Standing* Membership::standing_of(Peer& peer) {
  const uint64_t vote = table_.seen(peer.id.node, ViewRow::kProposed);
  Standing& standing = peer.standing;
  if (vote == 0) return nullptr;
  if (standing.vote == vote) return standing.identity != 0 ? &standing : nullptr;
  Standing fresh;
  if (!table_.seen_proposal(peer.id.node, fresh.ballot, fresh.bytes)) return nullptr;
  fresh.vote = vote;
  fresh.identity = decode_view(fresh.bytes, fresh.view) ? ViewTable::identity_of(fresh.bytes) : 0;
  standing = std::move(fresh);
  return standing.identity != 0 ? &standing : nullptr;
}

// Is it a successor of what is installed here? A blank member waits for one that lets it in.
bool Membership::is_pending(const View& next) const {
  if (next.number <= view_.number) return false;
  return is_blank() ? next.seat_of(me_) != kNoSeat : next.parent == view_.number;
}

bool Membership::is_newer(const Standing& a, const Pending& b) const {
  return std::tuple(a.view.number, a.ballot, a.identity) >
         std::tuple(b.view.number, b.ballot, b.identity);
}

// Takes the newest proposal that stands in a row that I trust. Only one put forward in my attempt:
// who goes on in a later one must not be surprised by what an earlier one brings.
void Membership::acknowledge() {
  const Standing* newest = nullptr;
  for (auto& [node, peer] : peers_) {
    const Seat seat = view_.seat_of(peer.id);
    if (!is_blank() && (seat == kNoSeat || has_seat(suspects(), seat))) continue;
    const Standing* theirs = standing_of(peer);
    if (theirs == nullptr || !is_pending(theirs->view)) continue;
    if (theirs->view.seat_of(me_) == kNoSeat) continue;
    if (!is_blank() && attempt_of(theirs->ballot) != attempt()) continue;
    const bool better =
        newest == nullptr || std::tuple(theirs->view.number, theirs->ballot, theirs->identity) >
                                 std::tuple(newest->view.number, newest->ballot, newest->identity);
    if (better) newest = theirs;
  }
  if (newest == nullptr || (pending_ && !is_newer(*newest, *pending_))) return;
  put_forward(newest->view, newest->bytes, newest->ballot);
}

// What somebody has installed was committed: it is taken in any attempt and from any row. Who is
// not in it, or missed the one before it, stays behind.
void Membership::follow_installed() {
  for (const auto& [node, peer] : peers_) {
    if (outdated_ || !peer.up) continue;
    const uint64_t number = table_.hint(node, ViewRow::kInstalled);
    const uint64_t mine = is_blank() && pending_ ? pending_->view.number - 1 : view_.number;
    if (number <= mine) continue;
    const bool pending = pending_ && table_.hint(node, ViewRow::kInstalledAs) == pending_->identity;
    if (pending && pending_->view.seat_of(me_) != kNoSeat) {
      pending_->committed = true;
      continue;
    }
    std::vector<std::byte> bytes;
    View next;
    const bool whole = table_.installed_proposal(node, bytes) && decode_view(bytes, next);
    // What is proposed there after a view that I never saw removes me.
    const bool removed =
        !whole && decode_view(bytes, next) && next.parent == number && next.seat_of(me_) == kNoSeat;
    if (whole && next.seat_of(me_) != kNoSeat && is_pending(next)) {
      put_forward(next, std::move(bytes), table_.hint(node, ViewRow::kBallot));
      pending_->committed = true;
    } else if ((pending || whole || removed || number > mine + 1) && !(is_blank() && !pending_)) {
      outdated_ = true;
      events_.push_back(MembershipEvent::kOutdated);
    }
  }
}

Ballot Membership::my_ballot() const {
  const auto me = std::ranges::find(view_.members, seat_, &ViewMember::seat);
  return make_ballot(attempt(), static_cast<Rank>(me - view_.members.begin()));
}

bool Membership::leads() const {
  if (is_blank()) return false;
  const auto first = std::find_if(view_.members.begin(), view_.members.end(),
                                  [&](const auto& m) { return !has_seat(suspects(), m.seat); });
  return first != view_.members.end() && first->seat == seat_ && is_agreed();
}

// Before anything of its own a leader puts forward what stands in a row that it trusts, even if
// that removes it: it may have been acknowledged, or even committed. What was put forward in an
// earlier attempt, cannot be finished, and is dead, it drops.
void Membership::lead() {
  if (!leads()) return;
  const Ballot ballot = my_ballot();
  if (pending_ && pending_->ballot == ballot) return;
  const Standing* newest = nullptr;
  for (const ViewMember& member : view_.members) {
    if (member.seat == seat_ || has_seat(suspects(), member.seat)) continue;
    const Standing* theirs = standing_of(member.seat);
    if (theirs == nullptr || !is_pending(theirs->view)) continue;
    if (pending_ && !is_newer(*theirs, *pending_)) continue;
    const bool better =
        newest == nullptr || std::tuple(theirs->view.number, theirs->ballot, theirs->identity) >
                                 std::tuple(newest->view.number, newest->ballot, newest->identity);
    if (better) newest = theirs;
  }
  const View* standing = newest != nullptr ? &newest->view : pending_ ? &pending_->view : nullptr;
  const Ballot last = newest != nullptr ? newest->ballot : pending_ ? pending_->ballot : 0;
  const bool earlier = attempt_of(last) < attempt();
  const bool drops = standing != nullptr && earlier && !can_finish(*standing, 0) && is_dead();
  if (newest != nullptr && !drops) return put_forward(newest->view, newest->bytes, ballot);
  if (pending_ && !drops) {
    const Pending mine = *pending_;
    return put_forward(mine.view, mine.bytes, ballot);
  }
  View next;
  if (!compose(next, drops)) return;
  std::vector<std::byte> bytes(encoded_size(next));
  encode_view(next, bytes);
  put_forward(next, std::move(bytes), ballot);
}

// Can those whom I do not suspect, and those who are ready, bring it about?
bool Membership::can_finish(const View& next, SeatSet ready) const {
  const SeatSet able = next.seats() & (~suspects() | ready);
  if (!is_strict_majority(able, next.seats()) || !is_strict_majority(able, view_.seats()))
    return false;
  for (size_t i = 0; i < view_.shards.size(); i++) {
    const ViewShard& before = view_.shards[i];
    const ViewShard& after = next.shards[i];
    if (before.closed || after.closed || after.epoch == before.epoch) continue;
    const SeatSet kept = before.seats() & next.seats();
    if (kept != 0 && (kept & able) == 0) return false;
  }
  return true;
}

// Nothing that was put forward in an earlier attempt was committed, or will be. Its leaders alone
// could: those who are with me in this attempt have not, and will not any more; the others would
// have needed a majority to prepare for them.
bool Membership::is_dead() const {
  const SeatSet live = alive();
  const SeatSet away = view_.seats() & ~live;
  for (const ViewMember& leader : view_.members) {
    SeatSet prepared = away;
    for (const ViewMember& member : view_.members) {
      const uint64_t asked = shown(member.seat, ViewRow::kAskedBy);
      if (!has_seat(live, member.seat)) continue;
      if (asked >> 32 != view_.number) return false;
      if (has_seat(static_cast<SeatSet>(asked), leader.seat)) prepared |= seat_bit(member.seat);
    }
    const bool counts = has_seat(away, leader.seat) && !breaks(CoreCanary::kDropAlive);
    if (counts && is_strict_majority(prepared, view_.seats())) return false;
  }
  return true;
}

// Removes whom I suspect, and ends every epoch that somebody left for a proposal that is lost. One
// that drops a proposal gives epochs numbers that none before it gave: what was acknowledged of
// that one, and is still seen, is not for this one.
// False: there is nothing to change.
bool Membership::compose(View& next, bool drops) const {
  bool changed = suspects() != 0;
  next = view_;
  next.number = view_.number + 1;
  next.parent = view_.number;
  std::erase_if(next.members, [&](const auto& m) { return has_seat(suspects(), m.seat); });
  for (size_t i = 0; i < next.shards.size(); i++) {
    ViewShard& shard = next.shards[i];
    bool ending = (shard.seats() & suspects()) != 0;
    for (const ViewMember& member : next.members)
      ending = ending || (!shard.closed && shown(member.seat, ViewRow::kWedged + i) == shard.epoch);
    if (!ending) continue;
    changed = true;
    shard.epoch += drops ? static_cast<Epoch>(attempt()) : 1;
    const ViewShard& before = view_.shards[i];
    shard.members.clear();
    shard.senders.clear();
    for (Rank rank = 0; rank < before.members.size(); rank++) {
      if (has_seat(suspects(), before.members[rank])) continue;
      const bool sends = std::binary_search(before.senders.begin(), before.senders.end(), rank);
      if (sends) shard.senders.push_back(static_cast<Rank>(shard.members.size()));
      shard.members.push_back(before.members[rank]);
    }
    shard.closed = shard.members.empty();
    // All its senders are gone: whoever is left sends.
    for (Rank rank = 0; shard.senders.empty() && rank < shard.members.size(); rank++)
      shard.senders.push_back(rank);
  }
  return changed;
}

Status Membership::propose(View next) {
  if (!leads() || pending_ || suspects() != 0) return Status::kNotCurrent;
  for (const ViewMember& member : view_.members) {
    const Standing* theirs = member.seat == seat_ ? nullptr : standing_of(member.seat);
    if (theirs != nullptr && is_pending(theirs->view)) return Status::kNotCurrent;
  }
  const bool follows = next.number == view_.number + 1 && next.parent == view_.number &&
                       next.shards.size() >= view_.shards.size() && *next.fault() == '\0' &&
                       next.seat_of(me_) == seat_;
  if (!follows || !is_strict_majority(next.seats(), view_.seats())) return Status::kInvalidArgument;
  size_t joining = 0;
  for (const ViewMember& member : next.members) {
    const ViewMember* before = view_.at(member.seat);
    if (before == nullptr) {
      joining++;
      if (!is_here(member.id)) return Status::kNotCurrent;  // it would be suspected at once
    } else if (before->id != member.id) {
      return Status::kInvalidArgument;  // a seat is given away only in a later view
    }
  }
  const size_t staying = next.members.size() - joining;
  if (joining >= staying && !(joining == 1 && staying == 1)) return Status::kInvalidArgument;
  // Shards that are new stand behind the others: cells of rows go by the place in this list. An
  // epoch goes on under another minimum.
  for (size_t i = 0; i < view_.shards.size(); i++) {
    const ViewShard& after = next.shards[i];
    ViewShard before = view_.shards[i];
    before.members_min = after.members_min;
    const bool same = before == after;
    if (before.shard != after.shard || (!same && after.epoch <= before.epoch))
      return Status::kInvalidArgument;
  }
  std::vector<std::byte> bytes(encoded_size(next));
  encode_view(next, bytes);
  put_forward(next, std::move(bytes), my_ballot());
  return Status::kOk;
}

// Takes it over into my row: copied, wedged and acknowledged in one.
void Membership::put_forward(const View& view, std::vector<std::byte> bytes, Ballot ballot) {
  const uint64_t identity = ViewTable::identity_of(bytes);
  const bool same = pending_ && pending_->identity == identity;
  const SeatSet promised = pending_ ? pending_->view.seats() : view_.seats();
  Pending next;
  next.view = view;
  next.identity = identity;
  next.ballot = ballot;
  next.acked = true;
  if (same) {
    next.gate_from = pending_->gate_from;
    next.promised = pending_->promised;
    next.committed = pending_->committed;
  }
  table_.set_proposal(ballot, bytes);
  next.bytes = std::move(bytes);
  pending_ = std::move(next);
  if (is_blank()) seat_ = view.seat_of(me_);
  sit(view);
  // Whom the last proposal would have removed I echoed without a promise; the echo counts now.
  const SeatSet fresh = breaks(CoreCanary::kUnpromised) ? 0 : view.seats() & ~promised;
  for (SeatSet left = fresh; left != 0; left &= left - 1)
    leases_.promise(static_cast<Seat>(std::countr_zero(left)), now_);
  if (is_blank() && attempt_of(ballot) > attempt())
    table_.set(ViewRow::kSuspicion, make_suspicion(attempt_of(ballot), 0));
  if (!same) table_.set(ViewRow::kReleased, table_.mine(ViewRow::kReleased) & suspects());
  table_.set(ViewRow::kAcked, identity);
  table_.set(ViewRow::kAckedNumber, view.number);
  wedge_ending();
}

void Membership::wedge_ending() {
  if (!pending_ || !pending_->acked || is_blank()) return;
  for (size_t shard = 0; shard < view_.shards.size(); shard++) {
    const ViewShard& now = view_.shards[shard];
    const auto found = replicas_.find(now.shard);
    const bool concerned = ends(shard) || breaks(CoreCanary::kWedgeAll);
    if (!concerned || found == replicas_.end()) continue;
    if (found->second->config().epoch != now.epoch) continue;
    found->second->wedge();
    table_.set(ViewRow::kWedged + shard, now.epoch);
  }
}

// A view of one lets in a member that is lost, or suspected, before either is prepared: nobody can
// have committed that, so it thinks better of it. In a new attempt, so that what it puts forward
// next is later.
bool Membership::can_withdraw() const {
  if (!pending_ || view_.members.size() != 1 || pending_->promised) return false;
  for (const ViewMember& member : pending_->view.members) {
    const Peer* peer = member.seat == seat_ ? nullptr : peer_at(member.seat);
    const bool lost = peer == nullptr || !peer->up || has_seat(suspects(), member.seat);
    if (member.seat != seat_ && lost) return true;
  }
  return false;
}

void Membership::withdraw(Nanos now) {
  pending_.reset();
  table_.set(ViewRow::kProposed, 0);
  table_.set(ViewRow::kAcked, table_.mine(ViewRow::kInstalledAs));
  table_.set(ViewRow::kAckedNumber, view_.number);
  enter_attempt(attempt() + 1, now);
}

// Once the epochs that it ends are delivered and on this disk. A view of one prepares after its
// joiner: until then it may think better of it.
void Membership::ask_to_prepare() {
  if (!pending_ || !pending_->acked || pending_->asked == pending_->ballot) return;
  if (pending_->view.seat_of(me_) == kNoSeat) return;
  // In a later attempt it may have been dropped, unless it is committed.
  const bool fenced =
      !is_blank() && !pending_->committed && attempt_of(pending_->ballot) != attempt();
  if (fenced) return;
  // Epochs that ended for a proposal that was dropped wait for its gate, not for this one's.
  const bool gated = !is_blank() && !pending_->committed && !breaks(CoreCanary::kUngated);
  if (gated && !is_gate_open(now_)) return;
  if (!is_blank()) {
    for (size_t shard = 0; shard < view_.shards.size(); shard++) {
      if (!ends(shard) || !has_seat(view_.shards[shard].seats(), seat_)) continue;
      const auto found = replicas_.find(view_.shards[shard].shard);
      if (breaks(CoreCanary::kPrepareEarly)) continue;
      if (found == replicas_.end() || !found->second->is_prepared()) return;
    }
    if (view_.members.size() == 1) {
      for (const ViewMember& member : pending_->view.members)
        if (member.seat != seat_ && shown(member.seat, ViewRow::kPrepared) != vote()) return;
    }
  }
  pending_->asked = pending_->ballot;
  pending_->promised = true;
  if (!is_blank()) {
    const Rank leader = leader_of(pending_->ballot);
    const bool known = leader < view_.members.size();
    const SeatSet leaders = known ? seat_bit(view_.members[leader].seat) : view_.seats();
    table_.set(ViewRow::kAskedBy, table_.mine(ViewRow::kAskedBy) | leaders);
  }
  events_.push_back(MembershipEvent::kPrepare);
}

void Membership::prepared(uint64_t vote_) {
  if (vote_ != 0 && vote_ == vote()) table_.set(ViewRow::kPrepared, vote_);
}

// Those whose PREPARE counts: given for the proposal as I put it forward.
SeatSet Membership::prepared_seats() const {
  SeatSet result = 0;
  const uint64_t mine = vote();
  for (Seat seat = 0; seat < kMembersMax; seat++) {
    const bool known = has_seat(view_.seats() | pending_->view.seats(), seat);
    if (known && shown(seat, ViewRow::kPrepared) == mine) result |= seat_bit(seat);
  }
  return result;
}

// One that leaves a shard, has not prepared and is suspected may still answer reads there: until
// the promises to it have lapsed.
bool Membership::are_leavers_released() const {
  const SeatSet ready = prepared_seats();
  SeatSet leavers = 0;
  for (size_t shard = 0; shard < view_.shards.size(); shard++)
    leavers |= view_.shards[shard].seats() & ~pending_->view.shards[shard].seats();
  leavers &= pending_->view.seats() & suspects() & ~ready;
  const SeatSet kept = view_.seats() & pending_->view.seats() & ~suspects();
  for (const ViewMember& member : view_.members) {
    if (!has_seat(kept, member.seat)) continue;
    if ((leavers & ~shown(member.seat, ViewRow::kReleased)) != 0) return false;
  }
  return true;
}

void Membership::commit() {
  if (!pending_ || !pending_->acked || is_blank()) return;
  if (!leads() || pending_->ballot != my_ballot()) return;
  const SeatSet next = pending_->view.seats();
  const SeatSet ready = prepared_seats();
  if ((alive() & next & ~ready) != 0 && !breaks(CoreCanary::kCommitEarly)) return;
  const bool enough = is_strict_majority(ready, view_.seats()) && is_strict_majority(ready, next);
  if (!enough && !breaks(CoreCanary::kMinority)) return;
  if (has_histories(ready) && are_leavers_released()) become_installed();
}

// An epoch goes on from the history of somebody who has ended the one before it, if anyone is kept
// that may have it.
bool Membership::has_histories(SeatSet ready) const {
  for (size_t shard = 0; shard < view_.shards.size(); shard++) {
    if (!ends(shard) || pending_->view.shards[shard].closed) continue;
    const SeatSet kept = view_.shards[shard].seats() & pending_->view.seats();
    if (kept != 0 && (kept & ready) == 0) return false;
  }
  return true;
}

// Seeing it installed in any row is a COMMIT.
void Membership::install() {
  if (pending_ && pending_->committed && table_.mine(ViewRow::kPrepared) == vote())
    become_installed();
}

void Membership::become_installed() {
  late_ = pending_->view.seats() & (late_ | ~prepared_seats()) & ~seat_bit(seat_);
  for (size_t shard = 0; shard < view_.shards.size(); shard++)
    if (ends(shard)) replicas_.erase(view_.shards[shard].shard);
  const Pending done = std::move(*pending_);
  pending_.reset();
  table_.set(ViewRow::kInstalled, done.view.number);
  table_.set(ViewRow::kInstalledAs, done.identity);
  table_.set(ViewRow::kAskedBy, make_asked_by(done.view.number, 0));
  if (done.view.seat_of(me_) == kNoSeat) {
    // It led to a view without it: the others see it here.
    outdated_ = true;
    events_.push_back(MembershipEvent::kOutdated);
    return;
  }
  view_ = done.view;
  table_.set(ViewRow::kReleased, 0);
  table_.set(ViewRow::kSuspicion, make_suspicion(attempt(), suspects() & view_.seats()));
  // Of whom nothing is held against any more, a joiner of a proposal that was lost, say, is read.
  for (const auto& [node, peer] : peers_) {
    const Seat seat = view_.seat_of(peer.id);
    table_.freeze(node, seat != kNoSeat && has_seat(suspects(), seat));
  }
  for (const ViewMember& member : view_.members) {
    if (member.seat != seat_ && !has_seat(suspects(), member.seat))
      detector_.add_if_new(member.id.node, now_);
  }
  events_.push_back(MembershipEvent::kInstalled);
}

// Who is late may have no memory yet for what is written to it in the new epochs: until it is here,
// nothing is.
void Membership::greet_late() {
  for (SeatSet left = late_; left != 0; left &= left - 1) {
    const auto seat = static_cast<Seat>(std::countr_zero(left));
    if (shown(seat, ViewRow::kInstalled) < view_.number) continue;
    late_ &= ~seat_bit(seat);
    const NodeId node = seated_[seat].node;
    for (ShardReplica* replica : replicas_of(node)) replica->release(node);
  }
}

}  // namespace freshet
