// A leader of five drops what another one proposed, which the members who acknowledged that prepare
// all the same. The shard lies on nodes 2 and 3 and does not change.
#include "test/native/model/directed.h"

namespace freshet::model {
namespace {

constexpr Setup kFive{.members = 0b11111, .shard = 0b01100, .persistent = false};

const Row& row(const State& state, int node) {
  return state.members[static_cast<size_t>(node)].table[static_cast<size_t>(node)];
}

bool have_2_and_3_acknowledged(const State& state) {
  return row(state, 2).acked > 1 && row(state, 3).acked > 1;
}

bool has_0_installed(const State& state) { return row(state, 0).installed > 1; }

bool has_1_proposed_another(const State& state) {
  return row(state, 1).proposed > row(state, 0).proposed;
}

Stage quiet(Stage stage) {
  for (const Kind kind : {Kind::kTick, Kind::kHeartbeat, Kind::kStartRead, Kind::kSend})
    stage.never.push_back(kind);
  return stage;
}

// What node 1 dropped, 0 has prepared by 2 and 3, whom 1 reaches later.
void prepare_late(Scenario& scenario) {
  scenario.stages.push_back(
      quiet({.steps = 300,
             .side = 0b10010,
             .never = {Kind::kAcknowledge, Kind::kNewAttempt, Kind::kJoinAttempt},
             .until = has_0_installed}));
  scenario.stages.push_back(quiet({.steps = 400, .side = bit(0), .never = {Kind::kNewAttempt}}));
}

// Node 0 removes 1 and 4, which are back at once; without 0 there are too few to finish that, and
// the others go on in a new attempt.
Scenario late_preparation() {
  Scenario scenario{"late-preparation", kFive, {}};
  scenario.stages.push_back(quiet({.steps = 300,
                                   .side = 0b10010,
                                   .leaders = bit(0),
                                   .never = {Kind::kPrepare, Kind::kNewAttempt},
                                   .until = have_2_and_3_acknowledged}));
  scenario.stages.push_back(quiet({.steps = 500,
                                   .side = bit(0),
                                   .lazy = bit(0),
                                   .leaders = bit(1),
                                   .never = {Kind::kPrepare},
                                   .often = {Kind::kNewAttempt},
                                   .until = has_1_proposed_another}));
  prepare_late(scenario);
  return scenario;
}

// Node 0 would let 4 leave; 1 suspects it, and would keep 4.
Scenario early_drop() {
  Scenario scenario{"early-drop", kFive, {}};
  scenario.stages.push_back(quiet({.steps = 300,
                                   .leaders = bit(0),
                                   .change = Change::kLeaveView,
                                   .which = 4,
                                   .never = {Kind::kSuspect, Kind::kPrepare},
                                   .until = have_2_and_3_acknowledged}));
  scenario.stages.push_back(quiet({.steps = 300,
                                   .side = bit(0),
                                   .lazy = bit(0),
                                   .leaders = bit(1),
                                   .change = Change::kJoinView,
                                   .which = 4,
                                   .never = {Kind::kPrepare, Kind::kAcknowledge, Kind::kNewAttempt},
                                   .until = has_1_proposed_another}));
  prepare_late(scenario);
  return scenario;
}

}  // namespace

std::vector<Scenario> drop_scenarios() { return {late_preparation(), early_drop()}; }

}  // namespace freshet::model
