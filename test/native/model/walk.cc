#include "test/native/model/walk.h"

#include <algorithm>

#include "test/native/model/liveness.h"

namespace freshet::model {
namespace {

// Tries that find nothing to do, for each step of a stage.
constexpr int kTriesPerStep = 20;
constexpr int kOften = 6;

// How often a kind is tried, in lots.
constexpr std::array<int, kKinds> kLots = {
    /* tick */ 3,
    /* arrive */ 40,
    /* heartbeat */ 6,
    /* send */ 4,
    /* receive */ 10,
    /* deliver */ 10,
    /* persist */ 6,
    /* show */ 4,
    /* start-read */ 3,
    /* finish-read */ 8,
    /* suspect */ 3,
    /* share-suspicion */ 20,
    /* drop-lease */ 4,
    /* new-attempt */ 1,
    /* join-attempt */ 5,
    /* propose */ 20,
    /* acknowledge */ 20,
    /* release */ 6,
    /* trim */ 16,
    /* copy-trim */ 20,
    /* deliver-trim */ 16,
    /* prepare */ 20,
    /* commit */ 20,
    /* install */ 20,
    /* crash */ 0,
    /* boot */ 0,
    /* meet */ 3,
    /* restart-fill */ 8,
    /* restart-adopt */ 8,
    /* restart-prepare */ 8,
    /* restart-commit */ 8,
    /* abandon-restart */ 2,
};

bool holds(const std::vector<Kind>& kinds, Kind kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

bool is_cut(const Stage& stage, int from, int to) {
  return has(stage.side, from) != has(stage.side, to) || has(stage.mute, from) ||
         has(stage.deaf, to);
}

}  // namespace

Walk::Walk(const RuleSet& rules, const Scenario& scenario, uint64_t seed)
    : scenario_(scenario), random_(seed), model_(rules, scenario.setup) {}

Outcome Walk::run(bool is_settling) {
  run_stages();
  if (is_settling && model_.violation().empty()) {
    const auto act = [this](const Action& action) { return do_action(action); };
    outcome_.is_settled = settle(model_, act, outcome_.violation);
  }
  if (!model_.violation().empty()) outcome_.violation = model_.violation();
  return outcome_;
}

void Walk::run_stages() {
  for (const Stage& stage : scenario_.stages) {
    if (model_.violation().empty()) run_stage(stage);
  }
}

bool Walk::do_action(const Action& action) {
  if (!model_.apply(action)) return false;
  outcome_.trace.push_back(action);
  for (const Byte part : {static_cast<Byte>(action.kind), action.a, action.b, action.c})
    outcome_.trace_hash = (outcome_.trace_hash ^ part) * 0x100000001B3ull;
  return true;
}

void Walk::run_stage(const Stage& stage) {
  strike(stage);
  set_weights(stage);
  int steps = 0;
  for (int tries = 0; tries < stage.steps * kTriesPerStep && steps < stage.steps; tries++) {
    if (stage.until != nullptr && stage.until(model_.state())) return;
    const Action action = pick(stage);
    if (is_allowed(stage, action) && do_action(action)) steps++;
    if (!model_.violation().empty()) return;
  }
}

void Walk::strike(const Stage& stage) {
  for (int node = 0; node < kNodes; node++) {
    if (has(stage.crash, node)) do_action({Kind::kCrash, byte(node)});
    if (has(stage.boot, node)) do_action({Kind::kBoot, byte(node)});
  }
}

void Walk::set_weights(const Stage& stage) {
  lots_.clear();
  for (int i = 0; i < kKinds; i++) {
    const Kind kind = static_cast<Kind>(i);
    if (holds(stage.never, kind)) continue;
    const int lots = kLots[static_cast<size_t>(i)] * (holds(stage.often, kind) ? kOften : 1);
    lots_.insert(lots_.end(), static_cast<size_t>(lots), kind);
  }
}

Kind Walk::pick_kind() { return lots_[random_.below(lots_.size())]; }

bool Walk::is_allowed(const Stage& stage, const Action& action) const {
  if (action.kind == Kind::kTick) return true;
  if (action.kind == Kind::kArrive) return !is_cut(stage, action.a, action.b);
  if (has(stage.frozen, action.a)) return false;
  if (has(stage.lazy, action.a) && action.kind >= Kind::kSuspect) return false;
  if (action.kind == Kind::kPropose) return stage.leaders == 0 || has(stage.leaders, action.a);
  if (action.kind != Kind::kSuspect) return true;
  const bool is_away = model_.state().members[action.b].phase != Phase::kUp;
  return is_away || has(stage.frozen, action.b) || is_cut(stage, action.b, action.a) ||
         has(stage.suspects, action.b);
}

Action Walk::pick(const Stage& stage) {
  Action action{pick_kind()};
  action.a = byte(static_cast<int>(random_.below(kNodes)));
  action.b = byte(static_cast<int>(random_.below(kNodes)));
  switch (action.kind) {
    case Kind::kTick:
      if (random_.chance(70)) action.a = kNodes;
      break;
    case Kind::kPropose:
      action.b = static_cast<Byte>(stage.change);
      action.c = stage.which;
      if (!stage.is_free || random_.chance(40)) break;
      action.b = byte(static_cast<int>(random_.below(kChanges)));
      action.c = byte(static_cast<int>(random_.below(kNodes)));
      break;
    case Kind::kMeet:
      action.b = pick_present(stage, action.a);
      break;
    default:
      break;
  }
  return action;
}

Mask Walk::pick_present(const Stage& stage, int node) {
  Mask present = 0;
  for (int other = 0; other < kNodes; other++) {
    const bool is_booted =
        model_.state().members[static_cast<size_t>(other)].phase == Phase::kBooted;
    if (is_booted && has(stage.side, other) == has(stage.side, node))
      present = either(present, bit(other));
  }
  return present;
}

}  // namespace freshet::model
