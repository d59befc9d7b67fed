// Two leaders, each with a proposal of its own for the same view of five. The shard lies on nodes 2
// and 3 and does not change, so that only the view's steps matter.
#include "test/native/model/directed.h"

namespace freshet::model {
namespace {

constexpr Setup kFive{.members = 0b11111, .shard = 0b01100, .persistent = false};

const Row& row(const State& state, int node) {
  return state.members[static_cast<size_t>(node)].table[static_cast<size_t>(node)];
}

bool has_0_proposed(const State& state) { return row(state, 0).proposed > 1; }
bool has_1_proposed(const State& state) { return row(state, 1).proposed > 1; }
bool has_0_installed(const State& state) { return row(state, 0).installed > 1; }
bool has_2_acknowledged(const State& state) { return row(state, 2).acked > 1; }

Stage quiet(Stage stage) {
  for (const Kind kind : {Kind::kTick, Kind::kHeartbeat, Kind::kStartRead, Kind::kSend})
    stage.never.push_back(kind);
  return stage;
}

// Node 0 would let 4 leave; nobody hears of it.
Stage first_proposal() {
  return quiet({.mute = bit(0),
                .leaders = bit(0),
                .change = Change::kLeaveView,
                .which = 4,
                .never = {Kind::kSuspect},
                .until = has_0_proposed});
}

// The others suspect node 0, and node 1 proposes; nobody hears of that either.
Stage second_proposal() {
  Stage stage = quiet({.steps = 300, .side = bit(0), .leaders = bit(1), .until = has_1_proposed});
  stage.never.push_back(Kind::kNewAttempt);
  stage.never.push_back(Kind::kAcknowledge);
  return stage;
}

// What node 0 wrote reaches 2 and 3 although they suspect it.
Scenario late_proposal() {
  Scenario scenario{"late-proposal", kFive, {first_proposal(), second_proposal()}};
  scenario.stages.push_back(quiet({.steps = 400,
                                   .side = 0b10010,
                                   .never = {Kind::kNewAttempt, Kind::kShareSuspicion},
                                   .until = has_0_installed}));
  // Whoever suspects others prepares when the gate opens.
  std::erase(scenario.stages.back().never, Kind::kTick);
  scenario.stages.push_back(quiet({.steps = 400, .side = bit(0), .never = {Kind::kNewAttempt}}));
  return scenario;
}

// The same after 2 and 3 have gone on to a new attempt, in which they suspect nobody.
Scenario earlier_attempt() {
  Scenario scenario = late_proposal();
  scenario.name = "earlier-attempt";
  const Stage new_attempt = quiet({.steps = 200,
                                   .side = 0b01100,
                                   .lazy = 0b10011,
                                   .never = {Kind::kAcknowledge},
                                   .often = {Kind::kNewAttempt},
                                   .until = [](const State& state) {
                                     return row(state, 2).attempt > 1 && row(state, 3).attempt > 1;
                                   }});
  for (Stage& stage : scenario.stages) stage.never.push_back(Kind::kJoinAttempt);
  scenario.stages.insert(scenario.stages.begin() + 2, new_attempt);
  return scenario;
}

// Attempt 1: node 0 proposes, 2 alone hears of it; 1, 3 and 4 suspect both, and 1 proposes,
// unheard. Attempt 2, without 1: what 0 proposed is committed by 0, which dies. Attempt 3, without
// 0.
Scenario third_attempt() {
  Scenario scenario{"third-attempt", kFive, {first_proposal()}};
  scenario.stages.push_back(
      quiet({.side = 0b00101, .never = {Kind::kSuspect}, .until = has_2_acknowledged}));
  Stage second = second_proposal();
  second.side = 0b00101;
  scenario.stages.push_back(second);
  scenario.stages.push_back(quiet({.steps = 900,
                                   .side = bit(1),
                                   .lazy = bit(1),
                                   .leaders = bit(0),
                                   .never = {Kind::kInstall},
                                   .often = {Kind::kNewAttempt},
                                   .until = has_0_installed}));
  scenario.stages.push_back(
      quiet({.steps = 900, .side = bit(0), .crash = bit(0), .often = {Kind::kNewAttempt}}));
  return scenario;
}

bool have_three_acknowledged(const State& state) {
  return row(state, 1).acked > 1 && row(state, 2).acked > 1 && row(state, 3).acked > 1;
}

bool has_1_installed(const State& state) { return row(state, 1).installed > 1; }

// What 0 proposed is committed by 1, which then hears and is heard no more; in the next attempt 0
// leads again and could think better of it.
Scenario second_thoughts() {
  Scenario scenario{"second-thoughts", kFive, {}};
  scenario.stages.push_back(quiet({.steps = 300,
                                   .leaders = bit(0),
                                   .change = Change::kLeaveView,
                                   .which = 4,
                                   .never = {Kind::kSuspect, Kind::kCommit},
                                   .until = have_three_acknowledged}));
  scenario.stages.push_back(quiet({.steps = 500,
                                   .side = 0b10001,
                                   .leaders = bit(1),
                                   .never = {Kind::kNewAttempt, Kind::kInstall},
                                   .until = has_1_installed}));
  scenario.stages.push_back(quiet({.steps = 900,
                                   .side = bit(1),
                                   .lazy = bit(1),
                                   .never = {Kind::kInstall},
                                   .often = {Kind::kNewAttempt}}));
  return scenario;
}

// Node 1, which nobody has suspected, would let 0 leave, unheard; 0 lets 1 leave. Neither needs the
// other.
Scenario two_leaders() {
  Scenario scenario{"two-leaders", kFive, {first_proposal(), first_proposal()}};
  Stage& by_1 = scenario.stages[0];
  by_1.mute = by_1.leaders = bit(1);
  by_1.which = 0;
  by_1.until = has_1_proposed;
  Stage& by_0 = scenario.stages[1];
  by_0.steps = 400;
  by_0.mute = 0;
  by_0.side = bit(1);
  by_0.which = 1;
  by_0.never.push_back(Kind::kInstall);
  by_0.until = has_0_installed;
  scenario.stages.push_back(quiet({.steps = 400, .side = bit(0), .never = {Kind::kNewAttempt}}));
  return scenario;
}

}  // namespace

std::vector<Scenario> takeover_scenarios() {
  return {late_proposal(), earlier_attempt(), third_attempt(), second_thoughts(), two_leaders()};
}

}  // namespace freshet::model
