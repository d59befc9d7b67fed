// Clocks, rows and how they travel, suspicion, attempts and leases (core/README.md: "Two tables",
// "Leases", step 1, "Stopped is not dead").
#include <algorithm>

#include "test/native/model/model.h"

namespace freshet::model {

bool Model::tick(int lagging) {
  for (int node = 0; node < kNodes; node++) {
    if (member(node).clock >= kClockMax) return false;
  }
  if (lagging < kNodes && member(lagging).drift_wait > 0) return false;
  for (int node = 0; node < kNodes; node++) {
    Member& m = member(node);
    if (m.drift_wait > 0) m.drift_wait--;
    if (node == lagging) {
      m.drift_wait = kDriftEvery - 1;
    } else {
      m.clock++;
    }
  }
  return true;
}

// Pushes the whole row to everyone. A snapshot that finds the way full replaces the newest on it.
void Model::publish(int node) {
  const auto from = static_cast<size_t>(node);
  for (size_t to = 0; to < kNodes; to++) {
    if (to == from) continue;
    Byte& under_way = state_.in_flight[from][to];
    if (under_way < kFlight) under_way++;
    state_.flight[from][to][under_way - 1u] = own(node);
  }
}

bool Model::arrive(int from, int to) {
  const auto f = static_cast<size_t>(from);
  const auto t = static_cast<size_t>(to);
  Byte& under_way = state_.in_flight[f][t];
  if (under_way == 0) return false;
  std::array<Row, kFlight>& way = state_.flight[f][t];
  const Row row = way[0];
  std::shift_left(way.begin(), way.end(), 1);
  way[--under_way] = Row{};
  Row& cell = seen(to, from);
  const bool is_blank = own(to).installed == 0;
  if (row.life < cell.life || (row.life > cell.life && !is_blank)) return true;
  if (has(own(to).suspected, from) && !on(Rule::kSuspicionIsSticky)) {
    own(to).suspected = minus(own(to).suspected, bit(from));
    publish(to);
  }
  if (has(own(to).suspected, from) && on(Rule::kNothingFromSuspected)) {
    // Only what heals: its attempt, and that it waives promises made to it.
    Byte& heard = member(to).heard_attempt[f];
    heard = std::max(heard, row.attempt);
    cell.lease_dropped = row.lease_dropped;
    if (!on(Rule::kEchoFrozenOnSuspicion)) cell.stamp = row.stamp;
    return true;
  }
  cell = row;
  member(to).heard_attempt[f] = row.attempt;
  note_gate(to);
  return true;
}

bool Model::heartbeat(int node) {
  Member& m = member(node);
  Row& row = own(node);
  row.stamp = m.clock;
  const Mask promised = view(row.acked).members;
  for (int other = 0; other < kNodes; other++) {
    const auto o = static_cast<size_t>(other);
    const bool is_frozen = has(row.suspected, other) && on(Rule::kEchoFrozenOnSuspicion);
    if (is_frozen || row.echo[o] == seen(node, other).stamp) continue;
    row.echo[o] = seen(node, other).stamp;
    // To those whom the acknowledged proposal removes an echo is no promise: their acked differs.
    if (has(promised, other)) m.echoed_at[o] = m.clock;
  }
  publish(node);
  return true;
}

// Members of the view, and joiners of what is proposed.
Mask Model::known_to(int node) const {
  return either(view_of(node).members, view(own(node).proposed).members);
}

// Step 1 has a member copy what it holds of x's proposal and trim first. The model does not: what
// was acknowledged stands in the rows of those who did, and a trim is used only when a majority
// shows it, so that the copy is needed for no invariant.
bool Model::suspect(int node, Mask whom) {
  Row& row = own(node);
  const Mask fresh = minus(whom, row.suspected);
  if (fresh == 0 || row.installed == 0 || whom == bit(node)) return false;
  row.suspected = either(row.suspected, fresh);
  publish(node);
  return true;
}

bool Model::share_suspicion(int node) {
  if (!on(Rule::kSuspicionIsShared)) return false;
  Mask all = 0;
  for (int other = 0; other < kNodes; other++) {
    const Row& row = seen(node, other);
    const bool is_heard = has(minus(view_of(node).members, own(node).suspected), other);
    if (is_heard && row.attempt == own(node).attempt) all = either(all, row.suspected);
  }
  return suspect(node, all);
}

bool Model::is_suspected_by_others(int node) const {
  const Row& mine = own(node);
  for (int other = 0; other < kNodes; other++) {
    const Row& row = seen(node, other);
    const bool is_heard = has(minus(view_of(node).members, mine.suspected), other);
    if (is_heard && row.attempt == mine.attempt && has(row.suspected, node)) return true;
  }
  return false;
}

// The cell names the attempt: it waives promises of that attempt alone.
bool Model::drop_lease(int node) {
  Row& row = own(node);
  if (row.lease_dropped == row.attempt || !is_suspected_by_others(node)) return false;
  row.lease_dropped = row.attempt;
  publish(node);
  return true;
}

// Too few are left for a strict majority of the view, or for those who must prepare what is
// pending.
bool Model::is_stuck(int node) const {
  const Row& row = own(node);
  const Mask members = view_of(node).members;
  Mask live = minus(members, row.suspected);
  if (is_pending(node, row.proposed)) {
    live = both(live, view(row.proposed).members);
    if (!is_majority(minus(view(row.proposed).members, row.suspected), view(row.proposed).members))
      return true;
  }
  return !is_majority(live, members) || is_suspected_by_others(node);
}

bool Model::new_attempt(int node) {
  if (own(node).installed == 0 || !is_stuck(node) || own(node).attempt >= 30) return false;
  enter_attempt(node, byte(own(node).attempt + 1));
  return true;
}

// A member goes along when it cannot go on itself: stuck, most have gone, or one has that it would
// have to agree with.
bool Model::join_attempt(int node) {
  Byte highest = 0;
  Mask higher = 0;
  const Mask members = view_of(node).members;
  for (int other = 0; other < kNodes; other++) {
    const Byte heard = member(node).heard_attempt[static_cast<size_t>(other)];
    if (!has(members, other) || heard <= own(node).attempt) continue;
    highest = std::max(highest, heard);
    higher = either(higher, bit(other));
  }
  const bool is_missed = minus(higher, own(node).suspected) != 0;
  if (highest == 0 || !(is_missed || is_stuck(node) || is_majority(higher, members))) return false;
  enter_attempt(node, highest);
  return true;
}

void Model::enter_attempt(int node, Byte attempt) {
  Row& row = own(node);
  row.attempt = attempt;
  if (on(Rule::kAttemptClearsSuspicion)) row.suspected = 0;
  if (on(Rule::kReleasedAnewInAttempt)) row.released = 0;
  if (on(Rule::kLeaseAfterDropNeedsNewStamps)) member(node).lease_from = member(node).clock;
  publish(node);
}

bool Model::is_echoed_by_majority(int node, Mask of) const {
  const Row& mine = own(node);
  const Member& m = member(node);
  Mask fresh = 0;
  for (int other = 0; other < kNodes; other++) {
    const Row& row = seen(node, other);
    const bool counts = row.acked == mine.acked || !on(Rule::kLeaseNeedsAckedEqual);
    const Byte stamp = other == node ? mine.stamp : row.echo[static_cast<size_t>(node)];
    if (counts && stamp > m.lease_from && m.clock < stamp + kLease)
      fresh = either(fresh, bit(other));
  }
  return on(Rule::kLeaseOfMajority) ? is_majority(fresh, of) : has(fresh, node);
}

bool Model::holds_lease(int node) const {
  const Row& row = own(node);
  if (row.lease_dropped == row.attempt && on(Rule::kSuspectedDropsLease)) return false;
  if (!is_echoed_by_majority(node, view_of(node).members)) return false;
  return !on(Rule::kLeaseTwoMajorities) || is_echoed_by_majority(node, view(row.acked).members);
}

}  // namespace freshet::model
