// What a total restart goes on from, of what the members that meet offer: the view, who takes part,
// whose history (core/README.md, "Total restart").
#include <algorithm>
#include <tuple>

#include "test/native/model/model.h"

namespace freshet::model {

// None: nobody here knows the view, or too few of its members, or of those of its successor.
std::optional<Model::Lineage> Model::lineage(Mask present) const {
  Lineage from;
  const Byte number = newest_number(present);
  from.base = from.newest = view_committed(present, number);
  if (from.base == 0) return std::nullopt;
  if (on(Rule::kRestartAdoptsPrepared)) {
    const Offer adopted = newest_prepared(present, number);
    if (adopted.view != 0) from.newest = adopted.view;
    from.ballot = adopted.ballot;
  }
  const bool is_base_here =
      is_majority(present, view(from.base).members) || !on(Rule::kRestartMajorityOfBase);
  const bool is_adopted_here =
      is_majority(present, view(from.newest).members) || !on(Rule::kRestartMajorityOfAdopted);
  if (!is_base_here || !is_adopted_here) return std::nullopt;
  return from;
}

// A prepared record proves that the view before it was committed; it names that by its number.
Byte Model::newest_number(Mask present) const {
  Byte newest = 0;
  for (int node = 0; node < kNodes; node++) {
    if (!has(present, node)) continue;
    const Disk& disk = member(node).disk;
    const Byte prior = view(view(disk.prepared).parent).number;
    newest = std::max({newest, prior, view(disk.committed).number});
    if (newest != 0 && !on(Rule::kRestartFromNewestCommitted)) return newest;
  }
  return newest;
}

// 0 when nobody here was in it.
Byte Model::view_committed(Mask present, Byte number) const {
  Offer committed;
  Offer prepared;
  for (int node = 0; node < kNodes; node++) {
    if (!has(present, node)) continue;
    const Offer offer = prepared_offer(node);
    const Byte theirs = member(node).disk.committed;
    if (view(theirs).number == number && theirs != 0) committed.view = theirs;
    if (view(offer.view).number == number && is_later(offer, prepared)) prepared = offer;
  }
  const bool is_outdone =
      !on(Rule::kRestartCommittedBeforePrepared) && prepared.ballot > committed.ballot;
  return committed.view != 0 && !is_outdone ? committed.view : prepared.view;
}

// Of those not marked as committed where they are. Two leaders may have given one number.
Model::Offer Model::newest_prepared(Mask present, Byte above) const {
  Offer newest;
  for (int node = 0; node < kNodes; node++) {
    const Offer offer = prepared_offer(node);
    if (!has(present, node) || view(offer.view).number <= above) continue;
    if (is_later(offer, newest)) newest = offer;
  }
  return newest;
}

// No view: it has seen installed what it prepared last.
Model::Offer Model::prepared_offer(int node) const {
  const Disk& disk = member(node).disk;
  if (disk.prepared == disk.committed) return {};
  const Byte at =
      on(Rule::kRestartAdoptedIsRestamped) ? disk.prepared_at : view(disk.prepared).number;
  return {disk.prepared, at, disk.prepared_ballot};
}

// Of two with one stamp the later ballot counts.
bool Model::is_later(const Offer& offer, const Offer& than) const {
  if (offer.at != than.at) return offer.at > than.at;
  return offer.ballot > than.ballot && on(Rule::kRestartNewestByBallot);
}

// Whoever is here of either view, as a majority of each has to know of the restart; and of a shard
// that nobody held any more whom the layout gives it.
Mask Model::participants(Mask present, const Lineage& from) const {
  Mask wanted = view(from.newest).members;
  if (on(Rule::kRestartBaseTakesPart)) wanted = either(wanted, view(from.base).members);
  const bool is_closed = view(from.newest).shard == 0 || view(from.base).shard == 0;
  if (is_closed) wanted = either(wanted, state_.layout);
  return both(present, wanted);
}

// Whose histories count; none: more of the members have to be here.
Mask Model::holders(Mask here, const Lineage& from) const {
  const Mask complete = holders_of(here, view(from.newest));
  if (complete != 0 || from.newest == from.base) return complete;
  // With all of them here and none that prepared it, or too few that can have prepared its view, it
  // never began: the epoch before counts.
  const bool are_all_here = minus(view(from.newest).shard, here) == 0;
  const bool may_have_begun = !are_all_here && may_be_committed(here, from);
  if (may_have_begun && on(Rule::kRestartUnpreparedNeedsAll)) return 0;
  return holders_of(here, view(from.base));
}

// Can a majority of the base and one of the view have prepared what follows the base?
bool Model::may_be_committed(Mask here, const Lineage& from) const {
  const View& base = view(from.base);
  const View& newest = view(from.newest);
  Mask may = 0;
  if (on(Rule::kRestartAbsentMayHavePrepared))
    may = minus(either(base.members, newest.members), here);
  for (int node = 0; node < kNodes; node++) {
    if (has(here, node) && view(member(node).disk.prepared).number > base.number)
      may = either(may, bit(node));
  }
  return is_majority(may, base.members) && is_majority(may, newest.members);
}

// Of those that were in the view's epoch; when it was closed any of the layout may have been last.
Mask Model::holders_of(Mask here, const View& last) const {
  const Mask complete = minus(here, incomplete());
  if (last.shard == 0) {
    const bool are_all_here = minus(state_.layout, here) == 0;
    return are_all_here || !on(Rule::kRestartClosedNeedsAll) ? both(complete, state_.layout) : 0;
  }
  const Mask members = both(complete, last.shard);
  if (!on(Rule::kRestartHoldersHavePrepared)) return members;
  return prepared_in(members, last.epoch_number);
}

Mask Model::incomplete() const {
  Mask all = 0;
  for (int node = 0; node < kNodes; node++) {
    const bool lacks = member(node).disk.incomplete != 0;
    if (lacks && on(Rule::kIncompleteJoinerDoesNotCount)) all = either(all, bit(node));
  }
  return all;
}

Mask Model::prepared_in(Mask nodes, Byte epoch_number) const {
  Mask all = 0;
  for (int node = 0; node < kNodes; node++) {
    if (has(nodes, node) && prepared_epoch(node) == epoch_number) all = either(all, bit(node));
  }
  return all;
}

// The highest epoch of the shard that the node's own records have it in; 0: none.
Byte Model::prepared_epoch(int node) const {
  const Disk& disk = member(node).disk;
  Byte highest = 0;
  for (const Byte index : {disk.committed, disk.prepared}) {
    if (has(view(index).shard, node)) highest = std::max(highest, view(index).epoch_number);
  }
  return highest;
}

// By the epoch of the last record, then by length.
int Model::longest(Mask holders) const {
  const auto rank = [this](int node) {
    const Member& m = member(node);
    const int last = m.length == 0 ? 0 : m.log[m.length - 1u] / 8;
    return std::tuple(view(last).epoch_number, m.length);
  };
  int longest = lowest(holders);
  for (int node = longest; node < kNodes; node++) {
    if (has(holders, node) && rank(node) > rank(longest)) longest = node;
  }
  return longest;
}

// Above every view, seen or not, and above what was offered to a restart before.
Byte Model::next_number(Mask present, Byte newest) const {
  Byte number = byte(view(newest).number + (on(Rule::kRestartNumberPlusTwo) ? 2 : 1));
  for (int node = 0; node < kNodes; node++) {
    if (has(present, node) && on(Rule::kRestartPromise))
      number = std::max(number, byte(member(node).disk.promised + 1));
  }
  return number;
}

Byte Model::next_epoch_number(Mask present, Byte newest) const {
  Byte highest = view(newest).epoch_number;
  for (int node = 0; node < kNodes; node++) {
    const Disk& disk = member(node).disk;
    if (!has(present, node)) continue;
    highest =
        std::max({highest, view(disk.committed).epoch_number, view(disk.prepared).epoch_number});
  }
  return byte(highest + 1);
}

}  // namespace freshet::model
