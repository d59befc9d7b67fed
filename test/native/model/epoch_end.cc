// How an epoch ends: the trim and the gate (core/README.md, step 4 and "Leases, the gate, and
// reads").
#include <algorithm>

#include "test/native/model/model.h"

namespace freshet::model {

// Survivors of the shard's epoch that this member does not suspect. An incomplete one has installed
// the epoch closed and has nothing to end.
Mask Model::survivors(int node) const {
  Mask all = minus(both(view_of(node).shard, view(own(node).acked).members), own(node).suspected);
  for (int other = 0; other < kNodes; other++) {
    const Row& row = seen(node, other);
    if (row.installed == own(node).installed && row.epoch == 0) all = minus(all, bit(other));
  }
  return all;
}

// Does an acknowledged proposal end the epoch in which this member is?
bool Model::ending(int node) const {
  const Row& row = own(node);
  return is_pending(node, row.acked) && ends_epoch(row.acked) && row.epoch != 0 &&
         row.wedged == row.epoch && row.epoch == view_of(node).epoch;
}

// Those whose leases the gate waits for.
Mask Model::gone(int node) const {
  const Mask members = view_of(node).members;
  Mask kept = view(own(node).acked).members;
  if (on(Rule::kGateCoversSuspected)) kept = minus(kept, own(node).suspected);
  return minus(members, kept);
}

void Model::note_gate(int node) {
  Member& m = member(node);
  const Byte acked = own(node).acked;
  if (m.gate_from != kNever || !is_pending(node, acked)) return;
  Mask shown = 0;
  for (int other = 0; other < kNodes; other++) {
    const Byte theirs = seen(node, other).acked;
    if (theirs == acked || view(theirs).number > view(acked).number)
      shown = either(shown, bit(other));
  }
  const bool is_enough = is_majority(shown, view_of(node).members);
  if (is_enough || !on(Rule::kGateFromMajorityAcked)) m.gate_from = m.clock;
}

bool Model::release(int node, int whom) {
  Row& row = own(node);
  const Member& m = member(node);
  const bool is_removed = is_pending(node, row.acked) &&
                          has(minus(view_of(node).members, view(row.acked).members), whom);
  if (!(has(row.suspected, whom) || is_removed) || has(row.released, whom)) return false;
  const bool has_lapsed = m.clock >= m.echoed_at[static_cast<size_t>(whom)] + lapse();
  const Byte dropped = seen(node, whom).lease_dropped;
  const bool is_waived = dropped == row.attempt || (dropped != 0 && !on(Rule::kWaiverOfItsAttempt));
  if (!has_lapsed && !is_waived && on(Rule::kGateByReleased)) return false;
  row.released = either(row.released, bit(whom));
  publish(node);
  return true;
}

bool Model::is_gate_open(int node) const {
  const Mask waited_for = gone(node);
  const Member& m = member(node);
  if (waited_for == 0 || !on(Rule::kGate)) return true;
  if (m.gate_from != kNever && m.clock >= m.gate_from + lapse()) return true;
  const Byte acked = own(node).acked;
  const Mask members = view_of(node).members;
  const Mask kept = minus(both(members, view(acked).members), own(node).suspected);
  for (int other = 0; other < kNodes; other++) {
    const Row& row = seen(node, other);
    const bool counts = has(kept, other) && (other == node || on(Rule::kGateReleasedByAll));
    if (!counts) continue;
    if (row.acked != acked || minus(waited_for, row.released) != 0) return false;
  }
  return is_majority(kept, members);
}

bool Model::write_trim(int node) {
  const Mask all = survivors(node);
  if (!ending(node) || lowest(all) != node) return false;
  if (on(Rule::kAgreedBeforeTrim) && !is_agreed(node)) return false;
  Row& row = own(node);
  // In a new attempt a trim waits until the proposal has been put forward in it.
  if (row.ballot / 8 != row.attempt && on(Rule::kTakenProposalIsRestamped)) return false;
  const Byte ballot = byte(row.attempt * 8 + node);
  const Row* standing = row.trim_epoch == row.epoch ? &row : nullptr;
  std::array<Byte, kSenders> least;
  least.fill(kSentMax);
  for (int other = 0; other < kNodes; other++) {
    const Row& theirs = seen(node, other);
    const bool stands = theirs.trim_epoch == row.epoch && !has(row.suspected, other);
    if (stands && (standing == nullptr || theirs.trim_ballot > standing->trim_ballot))
      standing = &theirs;
    if (!has(all, other)) continue;
    const bool is_final = theirs.wedged == row.epoch || !on(Rule::kFinalReceivedOnlyWhenAllWedged);
    if (!is_final || theirs.epoch != row.epoch) return false;
    for (size_t s = 0; s < kSenders; s++) least[s] = std::min(least[s], theirs.received[s]);
  }
  if (standing != nullptr && standing->trim_ballot >= ballot) return false;
  row.trim = standing != nullptr && on(Rule::kReuseStandingTrim) ? standing->trim : least;
  row.trim_epoch = row.epoch;
  row.trim_ballot = ballot;
  publish(node);
  return true;
}

// Every member of the view does it, also one outside the shard.
bool Model::copy_trim(int node) {
  for (int other = 0; other < kNodes; other++) {
    const bool counts =
        other != node && has(view_of(node).members, other) && !has(own(node).suspected, other);
    if (!counts || !take_trim(node, other)) continue;
    publish(node);
    return true;
  }
  return false;
}

// Copies a trim put forward later than mine for the same epoch.
bool Model::take_trim(int node, int from) {
  Row& row = own(node);
  const Row& theirs = seen(node, from);
  const Byte epoch = view_of(node).epoch;
  if (epoch == 0 || theirs.trim_epoch != epoch) return false;
  if (row.trim_epoch == epoch && row.trim_ballot >= theirs.trim_ballot) return false;
  if (theirs.trim_ballot / 8 != row.attempt && on(Rule::kAttemptFencesEarlier)) return false;
  row.trim_epoch = epoch;
  row.trim_ballot = theirs.trim_ballot;
  row.trim = theirs.trim;
  return true;
}

// Do those who have to show my trim show it?
bool Model::is_trim_ready(int node) const {
  const Row& row = own(node);
  Mask shown = 0;
  for (int other = 0; other < kNodes; other++) {
    const Row& theirs = seen(node, other);
    if (theirs.trim_epoch == row.trim_epoch && theirs.trim_ballot == row.trim_ballot)
      shown = either(shown, bit(other));
  }
  if (!on(Rule::kTrimCopiedBeforeUse)) return true;
  if (minus(survivors(node), shown) != 0) return false;
  return is_majority(shown, view_of(node).members) || !on(Rule::kTrimAtMajority);
}

// One healed into the survivors after the trim was computed may lack messages: they are fetched.
bool Model::has_all_of_trim(int node) const {
  const Row& row = own(node);
  for (size_t s = 0; s < kSenders; s++) {
    bool is_found = row.received[s] >= row.trim[s];
    for (int other = 0; other < kNodes && !is_found; other++) {
      const Row& theirs = own(other);
      is_found = is_up(other) && theirs.epoch == row.epoch && theirs.received[s] >= row.trim[s];
    }
    if (!is_found) return false;
  }
  return true;
}

bool Model::deliver_trim(int node) {
  Member& m = member(node);
  const Row& row = own(node);
  if (!ending(node) || row.trim_epoch != row.epoch || m.trim_delivered == row.epoch) return false;
  if (!is_gate_open(node) || m.clock < m.start_at || !has_all_of_trim(node)) return false;
  if (!is_trim_ready(node)) return false;
  const int senders_here = senders(row.epoch);
  for (int sequence = 0; sequence < kSentMax * senders_here; sequence++) {
    const int sender = sequence % senders_here;
    const int index = sequence / senders_here;
    const bool is_within = index < row.trim[static_cast<size_t>(sender)];
    if (sequence < m.delivered) {
      if (!is_within) violate("delivered beyond the trim at " + std::to_string(node));
    } else if (is_within) {
      append(node, sender, index);
    }
  }
  m.trim_delivered = row.epoch;
  return true;
}

}  // namespace freshet::model
