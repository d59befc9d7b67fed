#include "test/native/model/model.h"

#include <cstring>

namespace freshet::model {
namespace {

constexpr Byte kFirstTick = 20;

}  // namespace

Model::Model(const RuleSet& rules, const Setup& setup) : rules_(rules) {
  std::memset(&state_, 0, sizeof state_);
  state_.persistent = setup.persistent;
  state_.layout = setup.shard;
  state_.view_count = 2;
  view(1) = {.number = 1,
             .parent = 0,
             .members = setup.members,
             .shard = setup.shard,
             .epoch = 1,
             .epoch_number = 1,
             .is_restart = 0,
             .base = 0,
             .adopted_ballot = 0,
             .donor = 0,
             .filled_by = 0,
             .adopted_by = 0,
             .acked_by = setup.members,
             .prepared_by = setup.members,
             .committed = 1,
             .begun = 0,
             .base_length = 0};
  for (int node = 0; node < kNodes; node++) {
    member(node).clock = kFirstTick;
    member(node).gate_from = kNever;
    for (int other = 0; other < kNodes; other++) {
      Row& row = seen(node, other);
      row.life = 1;
      row.attempt = 1;
      if (!has(setup.members, other)) continue;
      row.installed = row.proposed = row.acked = row.prepared = 1;
      row.epoch = has(setup.shard, other) ? 1 : 0;
    }
    if (!has(setup.members, node)) continue;
    member(node).disk.committed = member(node).disk.prepared = 1;
  }
}

bool Model::is_ancestor(int ancestor, int descendant) const {
  while (descendant > ancestor) descendant = view(descendant).parent;
  return descendant == ancestor;
}

void Model::violate(const std::string& text) {
  if (violation_.empty()) violation_ = text;
}

bool Model::apply(const Action& action) {
  switch (action.kind) {
    case Kind::kTick:
      return tick(action.a);
    case Kind::kArrive:
      return arrive(action.a, action.b);
    case Kind::kCrash:
      return crash(action.a);
    case Kind::kBoot:
      return boot(action.a);
    case Kind::kMeet:
      return meet(action.b);
    case Kind::kRestartFill:
      return restart_fill(action.a);
    case Kind::kRestartAdopt:
      return restart_adopt(action.a);
    case Kind::kRestartPrepare:
      return restart_prepare(action.a);
    case Kind::kRestartCommit:
      return restart_commit(action.a);
    case Kind::kAbandonRestart:
      return abandon_restart(action.a);
    default:
      return is_up(action.a) && apply_member(action);
  }
}

bool Model::apply_member(const Action& action) {
  switch (action.kind) {
    case Kind::kHeartbeat:
      return heartbeat(action.a);
    case Kind::kSend:
      return send(action.a);
    case Kind::kReceive:
      return receive(action.a, action.b);
    case Kind::kDeliver:
      return deliver(action.a);
    case Kind::kPersist:
      return persist(action.a);
    case Kind::kShow:
      return show(action.a);
    case Kind::kStartRead:
      return start_read(action.a);
    case Kind::kFinishRead:
      return finish_read(action.a);
    case Kind::kSuspect:
      return suspect(action.a, both(bit(action.b), known_to(action.a)));
    case Kind::kShareSuspicion:
      return share_suspicion(action.a);
    case Kind::kDropLease:
      return drop_lease(action.a);
    case Kind::kNewAttempt:
      return new_attempt(action.a);
    case Kind::kJoinAttempt:
      return join_attempt(action.a);
    case Kind::kPropose:
      return propose(action.a, static_cast<Change>(action.b), action.c);
    case Kind::kAcknowledge:
      return acknowledge(action.a);
    case Kind::kRelease:
      return release(action.a, action.b);
    case Kind::kTrim:
      return write_trim(action.a);
    case Kind::kCopyTrim:
      return copy_trim(action.a);
    case Kind::kDeliverTrim:
      return deliver_trim(action.a);
    case Kind::kPrepare:
      return prepare(action.a);
    case Kind::kCommit:
      return commit(action.a);
    default:
      return install(action.a);
  }
}

}  // namespace freshet::model
