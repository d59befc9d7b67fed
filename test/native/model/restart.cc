// Crashes and the total restart (core/README.md, "Total restart"). The members of a meeting read
// each other's offers in one step; what a crash may come between is what each then writes to its
// disk.
#include <algorithm>

#include "test/native/model/model.h"

namespace freshet::model {

// Loses what was not synced and all memory. On a volatile pool the node stays away for good.
bool Model::crash(int node) {
  Member& m = member(node);
  if (m.phase == Phase::kDown) return false;
  m.phase = Phase::kDown;
  m.round = 0;
  m.reading = 0;
  m.length = state_.persistent != 0 ? m.disk.synced : Byte{0};
  std::fill(m.log.begin() + m.length, m.log.end(), Byte{0});
  return true;
}

bool Model::boot(int node) {
  Member& m = member(node);
  if (m.phase != Phase::kDown || state_.persistent == 0) return false;
  const Byte life = byte(own(node).life + 1);
  own(node) = Row{};
  own(node).life = life;
  m.phase = Phase::kBooted;
  return true;
}

// A prepared record shows that the view before it was committed.
Byte Model::newest_committed(Mask present) const {
  Byte newest = 0;
  for (int node = 0; node < kNodes; node++) {
    if (!has(present, node)) continue;
    const Disk& disk = member(node).disk;
    const Byte prior = view(disk.prepared).parent;
    const Byte theirs = view(prior).number > view(disk.committed).number ? prior : disk.committed;
    if (newest == 0 || view(theirs).number > view(newest).number) newest = theirs;
    if (!on(Rule::kRestartFromNewestCommitted)) return newest;
  }
  return newest;
}

// Not yet marked committed, and above what is. Two leaders may have given one number.
Byte Model::newest_prepared(Mask present, Byte above) const {
  Byte newest = 0;
  Byte newest_ballot = 0;
  for (int node = 0; node < kNodes; node++) {
    const Disk& disk = member(node).disk;
    if (!has(present, node) || disk.prepared == disk.committed) continue;
    const Byte number = view(disk.prepared).number;
    const bool is_later = on(Rule::kRestartNewestByBallot) && number == view(newest).number &&
                          disk.prepared_ballot > newest_ballot;
    if (number <= view(above).number || (number <= view(newest).number && !is_later)) continue;
    newest = disk.prepared;
    newest_ballot = disk.prepared_ballot;
  }
  return newest;
}

// Of the complete members of the newest epoch; kNodes when there is none.
int Model::longest_holder(Mask present, const View& newest) const {
  int longest = kNodes;
  for (int node = 0; node < kNodes; node++) {
    if (!has(both(present, newest.shard), node)) continue;
    const Disk& disk = member(node).disk;
    const bool is_incomplete = disk.incomplete == newest.epoch;
    if (is_incomplete ? on(Rule::kIncompleteJoinerDoesNotCount) : disk.holds != newest.epoch)
      continue;
    if (longest == kNodes || member(node).length > member(longest).length) longest = node;
  }
  return longest;
}

bool Model::meet(Mask present) {
  Byte promised = 0;
  for (int node = 0; node < kNodes; node++) {
    if (!has(present, node)) continue;
    if (member(node).phase != Phase::kBooted || member(node).round != 0) return false;
    promised = std::max(promised, member(node).disk.promised);
  }
  const Byte base = newest_committed(present);
  const Byte adopted = on(Rule::kRestartAdoptsPrepared) ? newest_prepared(present, base) : Byte{0};
  const Byte newest = adopted != 0 ? adopted : base;
  if (newest == 0 || state_.view_count == kViews) return false;
  const bool is_enough =
      is_majority(present, view(base).members) && is_majority(present, view(newest).members);
  if (!is_enough || minus(present, view(newest).members) != 0) return false;
  const int donor = longest_holder(present, view(newest));
  if (donor == kNodes) return false;
  const Byte step = on(Rule::kRestartNumberPlusTwo) ? 2 : 1;
  Byte number = byte(view(newest).number + step);
  if (on(Rule::kRestartPromise)) number = std::max(number, byte(promised + 1));
  const Byte index = state_.view_count++;
  view(newest).acked_by = either(view(newest).acked_by, present);
  view(index) = {.number = number,
                 .parent = newest,
                 .members = present,
                 .shard = both(view(newest).shard, present),
                 .epoch = index,
                 .donor = byte(donor),
                 .is_restart = 1,
                 .acked_by = present,
                 .prepared_by = 0,
                 .committed = 0};
  for (int node = 0; node < kNodes; node++) {
    if (!has(present, node)) continue;
    Member& m = member(node);
    m.round = index;
    m.disk.promised = number;
    m.start_at = on(Rule::kRestartWaitsLease) ? byte(m.clock + kLapse) : Byte{0};
  }
  return true;
}

// Cut back to the common point, filled, synced; then the record.
bool Model::restart_prepare(int node) {
  Member& m = member(node);
  if (m.phase != Phase::kBooted || m.round == 0 || m.disk.prepared == m.round) return false;
  View& next = view(m.round);
  const Member& donor = member(next.donor);
  if (donor.phase != Phase::kBooted || donor.round != m.round) return false;
  if (has(next.shard, node)) {
    m.log = donor.log;
    m.length = m.disk.synced = donor.length;
    m.disk.holds = m.round;
    m.disk.incomplete = 0;
  }
  m.disk.prepared = m.round;
  m.disk.prepared_ballot = 0;
  next.prepared_by = either(next.prepared_by, bit(node));
  return true;
}

bool Model::restart_commit(int node) {
  Member& m = member(node);
  if (m.phase != Phase::kBooted || m.round == 0 || m.disk.prepared != m.round) return false;
  if (minus(view(m.round).members, view(m.round).prepared_by) != 0) return false;
  const bool is_first = view(m.round).committed == 0;
  on_commit(m.round);
  if (is_first) check_nothing_lost(m.round);
  m.disk.committed = m.round;
  start_from_disk(node);
  return true;
}

void Model::start_from_disk(int node) {
  Member& m = member(node);
  const Byte index = m.round;
  const View& next = view(index);
  for (int other = 0; other < kNodes; other++) {
    Row& row = seen(node, other);
    const Byte life = own(other).life;
    row = Row{};
    row.life = life;
    row.attempt = 1;
    m.echoed_at[static_cast<size_t>(other)] = m.clock;
    m.heard_attempt[static_cast<size_t>(other)] = 0;
    if (!has(next.members, other)) continue;
    row.installed = row.proposed = row.acked = row.prepared = index;
    row.epoch = has(next.shard, other) ? index : Byte{0};
  }
  own(node).persisted = m.disk.synced;
  m.phase = Phase::kUp;
  m.round = 0;
  m.lease_from = m.clock;
  m.gate_from = kNever;
  m.delivered = 0;
  m.trim_delivered = 0;
  m.base = m.length;
  publish(node);
}

// Invariants 3 and 5: what was shown is in the history that goes on. The rest may be cut off, and
// its versions given anew.
void Model::check_nothing_lost(Byte index) {
  const Member& donor = member(view(index).donor);
  const auto begin = donor.log.begin();
  if (donor.length < state_.shown ||
      !std::equal(begin, begin + state_.shown, state_.history.begin()))
    violate("a restart with " + std::to_string(donor.length) + " records loses some of the " +
            std::to_string(state_.shown) + " that were shown");
  state_.history = donor.log;
  state_.history_length = donor.length;
  state_.last_restart = index;
}

// Someone of the round is away or has begun another one.
bool Model::abandon_restart(int node) {
  Member& m = member(node);
  if (m.phase != Phase::kBooted || m.round == 0) return false;
  bool is_broken = false;
  for (int other = 0; other < kNodes; other++) {
    if (!has(view(m.round).members, other)) continue;
    const bool takes_part = member(other).phase == Phase::kBooted && member(other).round == m.round;
    const bool is_through = is_up(other) && own(other).installed == m.round;
    is_broken = is_broken || (!takes_part && !is_through);
  }
  if (is_broken) m.round = 0;
  return is_broken;
}

}  // namespace freshet::model
