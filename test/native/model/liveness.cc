#include "test/native/model/liveness.h"

#include <algorithm>

namespace freshet::model {
namespace {

constexpr int kRounds = 150;
constexpr int kRoundsPerAttempt = 12;

// In the order in which a member would do them.
constexpr Kind kOrderly[] = {
    Kind::kArrive,        Kind::kArrive,         Kind::kJoinAttempt,  Kind::kShareSuspicion,
    Kind::kDropLease,     Kind::kAcknowledge,    Kind::kCopyTrim,     Kind::kReceive,
    Kind::kDeliver,       Kind::kRelease,        Kind::kTrim,         Kind::kDeliverTrim,
    Kind::kPrepare,       Kind::kCommit,         Kind::kInstall,      Kind::kPersist,
    Kind::kFinishRead,    Kind::kRestartFill,    Kind::kRestartAdopt, Kind::kRestartPrepare,
    Kind::kRestartCommit, Kind::kAbandonRestart, Kind::kHeartbeat,
};

const Member& member(const State& state, int node) {
  return state.members[static_cast<size_t>(node)];
}
const Row& row(const State& state, int node) {
  return member(state, node).table[static_cast<size_t>(node)];
}

Mask in_phase(const State& state, Phase phase) {
  Mask all = 0;
  for (int node = 0; node < kNodes; node++) {
    if (member(state, node).phase == phase) all = either(all, bit(node));
  }
  return all;
}

// Is `other`, as `node` knows it, the incarnation that runs, and of the same restart?
bool is_same_life(const State& state, int node, int other) {
  return member(state, node).table[static_cast<size_t>(other)].life == row(state, other).life &&
         member(state, other).phase == Phase::kUp;
}

class Settling {
 public:
  Settling(const Model& model, const Act& act) : state_(model.state()), act_(act) {}

  void run() {
    for (int node = 0; node < kNodes; node++) act_({Kind::kBoot, byte(node)});
    for (int round = 1; round <= kRounds; round++) {
      take_turns();
      if (round % kRoundsPerAttempt == 0) begin_attempt(round / kRoundsPerAttempt);
    }
  }

  // Is a majority of the newest view up, and are enough for what is proposed? Else nothing is owed.
  bool may_ask() {
    for (Byte index = 1; index < state_.view_count; index++) {
      const View& view = state_.views[index];
      if (view.committed != 0 && view.number > state_.views[newest_].number) newest_ = index;
    }
    const View& view = state_.views[newest_];
    const Mask up = both(in_phase(state_, Phase::kUp), view.members);
    if (is_orphaned(view) || is_trim_lost(view)) return false;
    if (!is_majority(up, view.members) || state_.view_count > kViews - 4) return false;
    for (int node = 0; node < kNodes; node++) {
      const Row& mine = row(state_, node);
      if (member(state_, node).clock >= kClockMax) return false;
      if (!has(up, node)) continue;
      if (mine.attempt > 28) return false;
      // A joiner that a restart found half joined stays with what was.
      if (!descends_from_beginning(mine.installed)) return false;
      // It cannot know that the one who is away has committed the next view.
      if (!is_majority(up, state_.views[mine.installed].members)) return false;
      if (!is_finishable(view, state_.views[mine.proposed], up) && is_undecided(view, up))
        return false;
      if (is_starved(view, state_.views[mine.proposed])) return false;
    }
    return true;
  }

  // Empty when all is as it should be.
  std::string complaint() const {
    const View& view = state_.views[newest_];
    for (int node = 0; node < kNodes; node++) {
      if (!has(view.members, node)) continue;
      const std::string name = "member " + std::to_string(node);
      if (row(state_, node).installed != newest_ || member(state_, node).phase != Phase::kUp)
        return "without faults " + name + " does not come to the newest view";
      if (row(state_, node).epoch == 0) continue;
      if (row(state_, node).wedged == row(state_, node).epoch)
        return "without faults " + name + " stays wedged";
    }
    return deliveries_complaint(view);
  }

 private:
  void take_turns() {
    for (const Kind kind : kOrderly) {
      const bool is_pair =
          kind == Kind::kArrive || kind == Kind::kReceive || kind == Kind::kRelease;
      for (int a = 0; a < kNodes; a++) {
        for (int b = 0; b < (is_pair ? kNodes : 1); b++) {
          if (!is_pair || a != b) act_({kind, byte(a), byte(b)});
        }
      }
    }
    for (int node = 0; node < kNodes; node++) {
      for (int other = 0; other < kNodes; other++) {
        if (!is_same_life(state_, node, other)) act_({Kind::kSuspect, byte(node), byte(other)});
      }
      act_({Kind::kPropose, byte(node)});
      if (is_behind(node)) act_({Kind::kSend, byte(node)});
      act_({Kind::kStartRead, byte(node)});
    }
    meet();
    act_({Kind::kTick, kNodes});
  }

  // A null, in the product: sent when another sender is ahead.
  bool is_behind(int node) const {
    for (const Row& theirs : member(state_, node).table) {
      if (theirs.epoch == row(state_, node).epoch && theirs.sent > row(state_, node).sent)
        return true;
    }
    return false;
  }

  // By one at a time, in turn.
  void begin_attempt(int turn) {
    for (int i = 0; i < kNodes; i++) {
      if (act_({Kind::kNewAttempt, byte((turn + i) % kNodes)})) return;
    }
  }

  // The largest set that may restart.
  void meet() {
    const Mask booted = in_phase(state_, Phase::kBooted);
    for (int size = count(booted); size > 0; size--) {
      for (int set = 1; set < 1 << kNodes; set++) {
        const bool fits = count(byte(set)) == size && minus(byte(set), booted) == 0;
        if (fits && act_({Kind::kMeet, 0, byte(set)})) return;
      }
    }
  }

  static bool is_finishable(const View& view, const View& next, Mask up) {
    return is_majority(up, next.members) && is_majority(both(up, next.members), view.members);
  }

  // One who is away may have led enough members to commit what the others cannot finish.
  bool is_undecided(const View& view, Mask up) const {
    for (int leader = 0; leader < kNodes; leader++) {
      Mask prepared = minus(view.members, up);
      for (int node = 0; node < kNodes; node++) {
        if (has(both(up, view.members), node) && has(row(state_, node).prepared_for, leader))
          prepared = either(prepared, bit(node));
      }
      if (!has(up, leader) && is_majority(prepared, view.members)) return true;
    }
    return false;
  }

  // The view was installed while all that is left of the shard was suspected: closed until an old
  // member is back, and how it comes back is not modelled.
  bool is_orphaned(const View& view) const {
    for (int node = 0; node < kNodes; node++) {
      const Row& mine = row(state_, node);
      const bool is_up = member(state_, node).phase == Phase::kUp;
      if (has(view.shard, node) && is_up && mine.installed == newest_ && mine.epoch == view.epoch)
        return false;
    }
    return view.shard != 0;
  }

  // A proposal whose joiners of the shard have nobody in it to be filled from: they wait.
  bool is_starved(const View& view, const View& next) const {
    const Mask kept = both(view.shard, both(next.members, in_phase(state_, Phase::kUp)));
    return next.epoch != view.epoch && next.shard != 0 && kept == 0;
  }

  bool descends_from_beginning(Byte index) const {
    while (index > state_.last_beginning) index = state_.views[index].parent;
    return index == state_.last_beginning;
  }

  // All who had a message below the trim are away; who is left was suspected when it was cut.
  bool is_trim_lost(const View& view) const {
    for (int node = 0; node < kNodes; node++) {
      const Row& mine = row(state_, node);
      const bool counts = has(view.shard, node) && mine.trim_epoch == view.epoch;
      for (size_t s = 0; counts && s < kSenders; s++) {
        bool is_found = false;
        for (int other = 0; other < kNodes; other++) {
          const Row& theirs = row(state_, other);
          const bool is_in =
              member(state_, other).phase == Phase::kUp && theirs.epoch == mine.epoch;
          is_found = is_found || (is_in && theirs.received[s] >= mine.trim[s]);
        }
        if (!is_found) return true;
      }
    }
    return false;
  }

  // Closed: a member of the shard is incomplete.
  bool is_closed(const View& view) const {
    for (int node = 0; node < kNodes; node++) {
      if (has(view.shard, node) && row(state_, node).epoch != view.epoch) return true;
    }
    return view.shard == 0;
  }

  std::string deliveries_complaint(const View& view) const {
    if (is_closed(view)) return "";
    const int senders = std::min(kSenders, count(view.shard));
    for (int node = 0; node < kNodes; node++) {
      for (int other = 0; other < kNodes; other++) {
        if (!has(view.shard, node) || !has(view.shard, other)) continue;
        if (member(state_, node).delivered < row(state_, other).sent * senders)
          return "without faults member " + std::to_string(node) + " does not deliver everything";
      }
    }
    return "";
  }

  const State& state_;
  const Act& act_;
  Byte newest_ = 1;
};

}  // namespace

bool settle(const Model& model, const Act& act, std::string& violation) {
  Settling settling(model, act);
  settling.run();
  if (!model.violation().empty() || !settling.may_ask()) return false;
  violation = settling.complaint();
  return violation.empty();
}

}  // namespace freshet::model
