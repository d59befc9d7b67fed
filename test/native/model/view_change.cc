// From one view to the next (core/README.md, steps 2, 3, 5 and 6).
#include <algorithm>
#include <tuple>

#include "test/native/model/model.h"

namespace freshet::model {

bool Model::is_agreed(int node) const {
  const Row& mine = own(node);
  const Mask members = view_of(node).members;
  const Mask live = minus(members, mine.suspected);
  if (on(Rule::kMajority) && !is_majority(live, members)) return false;
  for (int other = 0; other < kNodes; other++) {
    if (!has(live, other)) continue;
    const Row& row = seen(node, other);
    const bool same_view =
        row.installed == mine.installed || !on(Rule::kNoNewProposalBeforeInstalled);
    if (!same_view || row.attempt != mine.attempt || row.suspected != mine.suspected) return false;
  }
  return has(live, node);
}

// Of those whom it does not suspect.
bool Model::is_first(int node) const {
  const Mask live = minus(view_of(node).members, own(node).suspected);
  return lowest(live) == node || (has(live, node) && !on(Rule::kLowestRankLeads));
}

bool Model::is_leader(int node) const {
  const Row& row = own(node);
  return row.installed != 0 && is_first(node) && (is_agreed(node) || !on(Rule::kLeaderIsAgreed));
}

// By number, then by who put it forward last: within a view the numbers are alike.
bool Model::is_newer(const Row& row, const Row& than) const {
  const auto rank = [this](const Row& of) {
    return std::tuple(view(of.proposed).number, of.ballot, of.proposed);
  };
  return rank(row) > rank(than);
}

// Is it a successor of what this member has installed? A joiner has installed nothing.
bool Model::is_pending(int node, Byte proposal) const {
  const Byte installed = own(node).installed;
  if (proposal == 0 || proposal == installed) return false;
  const View& next = view(proposal);
  if (installed != 0) return next.parent == installed;
  return has(minus(next.members, view(next.parent).members), node);
}

// A proposal or trim that stands in this row, has it been put forward in my attempt?
bool Model::may_take(int node, int from) const {
  const Row& row = seen(node, from);
  if (own(node).installed == 0 || !on(Rule::kAttemptFencesEarlier)) return true;
  if (on(Rule::kTakenProposalIsRestamped)) return row.ballot / 8 == own(node).attempt;
  const bool leads = lowest(minus(view_of(node).members, own(node).suspected)) == from;
  return leads && row.attempt == own(node).attempt;
}

bool Model::propose(int node, Change change, int which) {
  if (!is_leader(node)) return false;
  const Row& mine = own(node);
  const Row* newest = nullptr;
  for (int other = 0; other < kNodes; other++) {
    const Row& row = seen(node, other);
    if (has(mine.suspected, other) || !has(view_of(node).members, other)) continue;
    if (!is_pending(node, row.proposed)) continue;
    if (row.ballot % 8 != other && !on(Rule::kAcknowledgedIsCopied)) continue;
    if (newest == nullptr || is_newer(row, *newest)) newest = &row;
  }
  const Byte ballot = byte(mine.attempt * 8 + node);
  const bool is_mine = is_pending(node, mine.proposed) && mine.ballot == ballot;
  if (is_mine && on(Rule::kNoNewProposalBeforeInstalled)) return false;
  const bool drops = newest != nullptr && may_drop(node, *newest) &&
                     (change != Change::kNone || !can_finish(node, newest->proposed));
  if (newest != nullptr && !is_mine && !drops && on(Rule::kTakeNewestProposal)) {
    const Byte stamped = on(Rule::kTakenProposalIsRestamped) ? ballot : newest->ballot;
    if (mine.acked == newest->proposed && mine.ballot == stamped) return false;
    put_forward(node, newest->proposed, stamped);
    return true;
  }
  const Byte proposal = compose(node, change, which, drops);
  if (proposal == 0) return false;
  put_forward(node, proposal, ballot);
  return true;
}

// Can those who are not suspected bring it about?
bool Model::can_finish(int node, Byte proposal) const {
  const View& now = view_of(node);
  const View& next = view(proposal);
  const Mask ready = minus(next.members, own(node).suspected);
  return is_majority(ready, next.members) && is_majority(ready, now.members);
}

// A proposal of an earlier attempt is dead when nobody can have committed it. Its leaders alone
// could: those who take part have not, and will not any more, and the others needed a majority to
// prepare for them.
bool Model::may_drop(int node, const Row& newest) const {
  const Row& mine = own(node);
  const Mask members = view_of(node).members;
  const Mask live = minus(members, mine.suspected);
  if (newest.ballot / 8 == mine.attempt && on(Rule::kDropNeedsEarlierAttempt)) return false;
  for (int leader = 0; leader < kNodes; leader++) {
    if (has(live, leader) || !on(Rule::kDropNeedsLeaders)) continue;
    Mask prepared = minus(members, live);
    for (int other = 0; other < kNodes; other++) {
      if (has(live, other) && has(seen(node, other).prepared_for, leader))
        prepared = either(prepared, bit(other));
    }
    if (is_majority(prepared, members)) return false;
  }
  return true;
}

// One that was let in and removed before it knew has to become another incarnation: left out.
bool Model::is_blank(int node) const {
  if (!is_up(node) || own(node).installed != 0) return false;
  for (int index = 1; index < state_.view_count; index++) {
    if (view(index).committed != 0 && has(view(index).members, node)) return false;
  }
  return true;
}

// 0 when nothing would change or the change cannot be made.
Byte Model::compose(int node, Change change, int which, bool drops) {
  const View& now = view_of(node);
  const Mask live = minus(now.members, own(node).suspected);
  Mask members = live;
  Mask shard = both(now.shard, live);
  if (change == Change::kJoinAll) {
    for (int other = 0; other < kNodes; other++) {
      if (is_blank(other)) members = either(members, bit(other));
    }
    if (count(minus(members, live)) >= count(live)) return 0;
  } else if (change == Change::kJoinView || change == Change::kJoinShard) {
    if (!has(live, which) && !is_blank(which)) return 0;
    members = either(members, bit(which));
    if (change == Change::kJoinShard) shard = either(shard, bit(which));
  } else if (change == Change::kLeaveShard) {
    if (shard != bit(which)) shard = minus(shard, bit(which));
  } else if (change == Change::kLeaveView && which != node) {
    members = minus(members, bit(which));
    shard = minus(shard, bit(which));
  }
  // An epoch in which somebody stopped receiving for a proposal that is lost has to end, too.
  bool ends = shard != now.shard;
  for (int other = 0; other < kNodes; other++)
    ends = ends || (has(live, other) && now.epoch != 0 && seen(node, other).wedged == now.epoch);
  if ((members == now.members && !ends) || state_.view_count == kViews) return 0;
  if (on(Rule::kMajority) && !is_majority(members, now.members)) return 0;
  if (change == Change::kJoinShard) state_.layout = either(state_.layout, bit(which));
  // Two proposals for one view never give an epoch the same number.
  const int further = drops ? own(node).attempt : 1;
  const Byte index = state_.view_count;
  const View next{.number = byte(now.number + 1),
                  .parent = own(node).installed,
                  .members = members,
                  .shard = shard,
                  .epoch = ends ? index : now.epoch,
                  .epoch_number = byte(now.epoch_number + (ends ? further : 0)),
                  .is_restart = 0,
                  .base = 0,
                  .adopted_ballot = 0,
                  .donor = 0,
                  .filled_by = 0,
                  .adopted_by = 0,
                  .acked_by = 0,
                  .prepared_by = 0,
                  .committed = 0,
                  .begun = 0,
                  .base_length = 0};
  if (const Byte same = find_alike(next); same != 0) return same;
  view(index) = next;
  state_.view_count++;
  return index;
}

// Proposals are told by what is in them: one that is composed again is the same one.
Byte Model::find_alike(const View& next) const {
  for (Byte index = 1; index < state_.view_count; index++) {
    const View& other = view(index);
    const bool ends = next.epoch == state_.view_count;
    const bool same_epoch = ends ? other.epoch == index && other.epoch_number == next.epoch_number
                                 : other.epoch == next.epoch;
    if (other.number == next.number && other.parent == next.parent && same_epoch &&
        other.members == next.members && other.shard == next.shard && other.is_restart == 0)
      return index;
  }
  return 0;
}

// Takes it over into my row; copied, wedged and acknowledged in one if I am to be in it.
void Model::put_forward(int node, Byte proposal, Byte ballot) {
  Row& row = own(node);
  row.proposed = proposal;
  row.ballot = ballot;
  if (has(view(proposal).members, node)) {
    row.attempt = std::max(row.attempt, byte(ballot / 8));
    if (row.acked != proposal) {
      if (on(Rule::kPromiseWithAcknowledgement)) promise_to(node, proposal);
      row.released = both(row.released, row.suspected);
      member(node).gate_from = kNever;
    }
    row.acked = proposal;
    view(proposal).acked_by = either(view(proposal).acked_by, bit(node));
    if (ends_epoch(proposal) && row.epoch != 0) row.wedged = row.epoch;
  }
  publish(node);
  note_gate(node);
}

// Whom the last proposal would have removed I echoed without a promise; the echo counts now.
void Model::promise_to(int node, Byte proposal) {
  const Mask fresh = minus(view(proposal).members, view(own(node).acked).members);
  for (int other = 0; other < kNodes; other++)
    if (has(fresh, other)) member(node).echoed_at[static_cast<size_t>(other)] = member(node).clock;
}

// What is installed anywhere is decided and is taken by a straggler whatever the attempt.
bool Model::acknowledge_installed(int node) {
  const Row& mine = own(node);
  for (int other = 0; other < kNodes; other++) {
    const Row& row = seen(node, other);
    if (!is_pending(node, row.installed) || mine.acked == row.installed) continue;
    if (!has(view(row.installed).members, node)) continue;
    put_forward(node, row.installed, row.ballot);
    return true;
  }
  return false;
}

bool Model::acknowledge(int node) {
  if (acknowledge_installed(node)) return true;
  const Row& mine = own(node);
  const Row* newest = nullptr;
  for (int other = 0; other < kNodes; other++) {
    const Row& row = seen(node, other);
    if (other == node || !is_pending(node, row.proposed)) continue;
    if (has(mine.suspected, other) && on(Rule::kNothingFromSuspected)) continue;
    if (!has(view(row.proposed).members, node) || !may_take(node, other)) continue;
    if (newest == nullptr || is_newer(row, *newest)) newest = &row;
  }
  if (newest == nullptr || (is_pending(node, mine.proposed) && is_newer(mine, *newest)))
    return false;
  if (mine.acked == newest->proposed && mine.ballot == newest->ballot) return false;
  put_forward(node, newest->proposed, newest->ballot);
  return true;
}

bool Model::prepare(int node) {
  Row& row = own(node);
  Member& m = member(node);
  const Byte proposal = row.acked;
  if (!is_pending(node, proposal) || row.proposed != proposal) return false;
  if (row.prepared == proposal && row.prepared_ballot == row.ballot) return false;
  // Without those rules a ballot of an earlier attempt is as good as one of this.
  const bool is_fencing = on(Rule::kPrepareInItsAttempt) && on(Rule::kAttemptFencesEarlier) &&
                          on(Rule::kTakenProposalIsRestamped);
  const bool is_earlier = row.installed != 0 && row.ballot / 8 != row.attempt;
  if (is_fencing && is_earlier && !is_installed_somewhere(node, proposal)) return false;
  const bool waits = on(Rule::kPrepareWaitsForGate) && !is_installed_somewhere(node, proposal);
  if (waits && !is_gate_open(node)) return false;
  if (ends_epoch(proposal) && row.prepared != proposal) {
    const bool was_in = row.epoch != 0;
    const bool is_short = was_in ? m.trim_delivered != row.epoch : has(view(proposal).shard, node);
    const bool must_wait = is_short && !fill_from_donor(node, proposal);
    if (must_wait && on(Rule::kPrepareNeedsDelivered)) return false;
  }
  if (state_.persistent != 0) {
    row.persisted = m.length;
    if (on(Rule::kPrepareNeedsSynced)) m.disk.synced = m.length;
  }
  if (on(Rule::kPrepareIsDurable)) {
    m.disk.prepared = proposal;
    m.disk.prepared_at = view(proposal).number;
    m.disk.prepared_ballot = row.ballot;
  }
  row.prepared = proposal;
  row.prepared_ballot = row.ballot;
  row.prepared_for = either(row.prepared_for, bit(row.ballot % 8));
  view(proposal).prepared_by = either(view(proposal).prepared_by, bit(node));
  publish(node);
  return true;
}

// A joiner, or a survivor that was suspected and finds the view installed without it, takes the log
// of one that has delivered the trim. With none left that it does not suspect a joiner is
// incomplete.
bool Model::fill_from_donor(int node, Byte proposal) {
  Member& m = member(node);
  const View& before = view(view(proposal).parent);
  const bool is_joiner = own(node).epoch == 0;
  bool is_any_alive = false;
  for (int other = 0; other < kNodes; other++) {
    const Row& theirs = own(other);
    const Member& donor = member(other);
    const bool is_complete = is_up(other) && donor.disk.incomplete != before.epoch &&
                             !(is_joiner && has(own(node).suspected, other));
    if (other == node || !is_complete) continue;
    const bool has_installed =
        theirs.installed == proposal && theirs.epoch == proposal && donor.disk.incomplete == 0;
    const bool was_in = has(before.shard, other) && theirs.installed == view(proposal).parent;
    const bool has_delivered = was_in && donor.trim_delivered == before.epoch;
    is_any_alive = is_any_alive || was_in || has_installed;
    if (!has_installed && !(has_delivered && is_joiner)) continue;
    m.length = has_installed ? donor.base : donor.length;
    m.log = donor.log;
    std::fill(m.log.begin() + m.length, m.log.end(), Byte{0});
    m.trim_delivered = own(node).epoch;
    m.disk.incomplete = 0;
    return true;
  }
  if (!is_joiner || is_any_alive) return false;
  if (begins_anew(proposal)) {
    m.length = 0;
    m.log.fill(0);
    return true;
  }
  m.disk.incomplete = proposal;
  return true;
}

// A volatile shard that lost all its members, in a view before, is empty again.
bool Model::begins_anew(Byte proposal) const {
  const View& next = view(proposal);
  const bool is_opened = next.shard != 0 && view(next.parent).shard == 0;
  return state_.persistent == 0 && next.parent != 0 && is_opened;
}

// Those whose PREPARE counts: given for the proposal as I put it forward.
Mask Model::prepared(int node) const {
  const Row& mine = own(node);
  Mask all = 0;
  for (int other = 0; other < kNodes; other++) {
    const Row& row = seen(node, other);
    if (row.prepared == mine.proposed && row.prepared_ballot == mine.ballot)
      all = either(all, bit(other));
  }
  return all;
}

bool Model::commit(int node) {
  const Row& row = own(node);
  const Byte proposal = row.proposed;
  if (!is_pending(node, proposal) || row.installed == 0) return false;
  const Mask members = view_of(node).members;
  const Mask live = minus(members, row.suspected);
  if (!is_first(node)) return false;
  if (row.ballot != row.attempt * 8 + node && on(Rule::kTakenProposalIsRestamped)) return false;
  const Mask ready = prepared(node);
  const Mask needed = both(live, view(proposal).members);
  if (minus(needed, ready) != 0 && on(Rule::kCommitNeedsAllUnsuspectedSurvivors)) return false;
  if (ready == 0) return false;
  if (on(Rule::kCommitMajorityOfOld) && !is_majority(ready, members)) return false;
  if (!is_majority(ready, view(proposal).members)) return false;
  if (on(Rule::kCommitWaitsForSuspectedLeaver) && !are_leavers_released(node)) return false;
  become_installed(node, proposal);
  return true;
}

// One that leaves the shard, has not prepared and is suspected may still answer reads there: until
// the promises to it have lapsed.
bool Model::are_leavers_released(int node) const {
  const Row& mine = own(node);
  const View& now = view_of(node);
  const View& next = view(mine.proposed);
  const Mask leavers = minus(both(both(now.shard, next.members), mine.suspected), next.shard);
  const Mask kept = minus(both(now.members, next.members), mine.suspected);
  for (int other = 0; other < kNodes; other++) {
    const Mask waits = minus(leavers, seen(node, other).released);
    if (has(kept, other) && minus(waits, prepared(node)) != 0) return false;
  }
  return true;
}

// Seeing `installed` in any row is a COMMIT.
bool Model::install(int node) {
  const Row& row = own(node);
  if (!is_pending(node, row.prepared) || !is_installed_somewhere(node, row.prepared)) return false;
  become_installed(node, row.prepared);
  return true;
}

bool Model::is_installed_somewhere(int node, Byte proposal) const {
  for (int other = 0; other < kNodes; other++) {
    const bool counts = on(Rule::kInstalledIsCommit) || other == own(node).ballot % 8;
    if (other != node && counts && is_ancestor(proposal, seen(node, other).installed)) return true;
  }
  return false;
}

void Model::become_installed(int node, Byte proposal) {
  Member& m = member(node);
  Row& row = own(node);
  on_commit(proposal);
  m.disk.committed = proposal;
  m.gate_from = kNever;
  row.installed = proposal;
  row.released = 0;
  row.prepared_for = 0;
  row.suspected = both(row.suspected, view(proposal).members);
  if (ends_epoch(proposal)) {
    const bool serves = has(view(proposal).shard, node) && m.disk.incomplete != proposal;
    row.epoch = serves ? proposal : Byte{0};
    row.sent = 0;
    row.received.fill(0);
    m.delivered = 0;
    m.base = m.length;
    m.trim_delivered = 0;
    check_begins_alike(node);
  }
  publish(node);
}

// Invariant 4: one chain, each view acknowledged by a strict majority of the one before.
void Model::on_commit(Byte index) {
  View& committed = view(index);
  if (committed.committed != 0 || index == 0) return;
  on_commit(committed.parent);
  committed.committed = 1;
  const Mask before = view(committed.parent).members;
  for (int other = 1; other < state_.view_count; other++) {
    const View& rival = view(other);
    if (other == index || rival.committed == 0) continue;
    if (rival.parent == committed.parent || rival.number == committed.number)
      violate("views " + std::to_string(other) + " and " + std::to_string(index) +
              " are committed beside each other");
  }
  if (begins_anew(index)) {
    state_.history.fill(0);
    state_.history_length = state_.shown = 0;
    state_.last_beginning = index;
  }
  if (before != 0 && !is_majority(committed.acked_by, before))
    violate("view " + std::to_string(index) + " was acknowledged by a minority");
}

}  // namespace freshet::model
