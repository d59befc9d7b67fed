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

// All present offer their records; those who take part note the number of the view to come.
bool Model::meet(Mask present) {
  for (int node = 0; node < kNodes; node++) {
    if (has(present, node) && (member(node).phase != Phase::kBooted || member(node).round != 0))
      return false;
  }
  const std::optional<Lineage> from = lineage(present);
  if (!from || state_.view_count == kViews) return false;
  const Mask here = participants(present, *from);
  const Mask complete = holders(here, *from);
  if (complete == 0) return false;
  const Byte index = state_.view_count++;
  view(index) = {.number = next_number(present, from->newest),
                 .parent = from->newest,
                 .members = here,
                 .shard = both(state_.layout, here),
                 .epoch = index,
                 .epoch_number = next_epoch_number(present, from->newest),
                 .is_restart = 1,
                 .base = from->base,
                 .adopted_ballot = from->ballot,
                 .donor = byte(longest(complete)),
                 .filled_by = 0,
                 .adopted_by = 0,
                 .acked_by = here,
                 .prepared_by = 0,
                 .committed = 0,
                 .begun = 0,
                 .base_length = 0};
  view(from->newest).acked_by = either(view(from->newest).acked_by, here);
  for (int node = 0; node < kNodes; node++) {
    if (!has(here, node)) continue;
    Member& m = member(node);
    m.round = index;
    m.disk.promised = std::max(m.disk.promised, view(index).number);
    m.start_at = on(Rule::kRestartWaitsLease) ? byte(m.clock + lapse()) : Byte{0};
  }
  return true;
}

bool Model::takes_part(int node) const {
  return member(node).phase == Phase::kBooted && member(node).round != 0;
}

// Cut back to the common point, filled, synced.
bool Model::restart_fill(int node) {
  Member& m = member(node);
  View& next = view(m.round);
  if (!takes_part(node) || has(next.filled_by, node)) return false;
  const Member& donor = member(next.donor);
  if (!takes_part(next.donor) || donor.round != m.round) return false;
  if (has(next.shard, node)) {
    const bool is_longer = m.length > donor.length;
    if (!is_longer || on(Rule::kRestartOthersAreCut)) {
      m.log = donor.log;
      m.length = m.disk.synced = donor.length;
    }
    m.disk.incomplete = 0;
  }
  next.filled_by = either(next.filled_by, bit(node));
  return true;
}

// A view that was prepared alone is made known to all before anyone goes past it, whose record says
// that it was committed. Its record says, too, that this member has the histories of its epochs.
bool Model::restart_adopt(int node) {
  Member& m = member(node);
  View& next = view(m.round);
  if (!takes_part(node) || has(next.adopted_by, node) || next.base == next.parent) return false;
  const bool is_filled = minus(next.members, next.filled_by) == 0;
  if (!is_filled && on(Rule::kRestartFilledBeforePrepared)) return false;
  if (!on(Rule::kRestartAdoptedIsNoted)) return false;
  m.disk.committed = next.base;
  m.disk.prepared = next.parent;
  m.disk.prepared_at = next.number;
  m.disk.prepared_ballot = next.adopted_ballot;
  next.adopted_by = either(next.adopted_by, bit(node));
  return true;
}

bool Model::restart_prepare(int node) {
  Member& m = member(node);
  View& next = view(m.round);
  if (!takes_part(node) || has(next.prepared_by, node)) return false;
  const bool adopts = next.base != next.parent && on(Rule::kRestartAdoptedIsNoted);
  const bool is_filled = minus(next.members, next.filled_by) == 0;
  if (!is_filled && on(Rule::kRestartFilledBeforePrepared)) return false;
  if (adopts && minus(next.members, next.adopted_by) != 0) return false;
  m.disk.committed = next.parent;
  m.disk.prepared = m.round;
  m.disk.prepared_at = next.number;
  m.disk.prepared_ballot = 0;
  next.prepared_by = either(next.prepared_by, bit(node));
  return true;
}

bool Model::restart_commit(int node) {
  Member& m = member(node);
  if (!takes_part(node) || m.disk.prepared != m.round) return false;
  const View& next = view(m.round);
  const bool is_enough = is_majority(next.prepared_by, next.members);
  const bool is_by_all = minus(next.members, next.prepared_by) == 0;
  if (!is_by_all && (on(Rule::kRestartPreparedByAll) || !is_enough)) return false;
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
  check_begins_alike(node);
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
  state_.last_beginning = index;
}

// Someone of the round is away or has begun another one.
bool Model::abandon_restart(int node) {
  Member& m = member(node);
  if (!takes_part(node)) return false;
  bool is_broken = false;
  for (int other = 0; other < kNodes; other++) {
    if (!has(view(m.round).members, other)) continue;
    const bool is_with_me = takes_part(other) && member(other).round == m.round;
    const bool is_through = is_up(other) && own(other).installed == m.round;
    is_broken = is_broken || (!is_with_me && !is_through);
  }
  if (is_broken) m.round = 0;
  return is_broken;
}

}  // namespace freshet::model
